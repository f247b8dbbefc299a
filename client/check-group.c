/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: who is in the group whose members may open ports.
 */

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "client/check.h"

/* getgrnam(3): a name that is not found may set errno to any of these. */
static bool is_absence(int errnum) {
        return errnum == 0 || errnum == ENOENT || errnum == ESRCH || errnum == EBADF || errnum == EPERM;
}

static int add_primary_members(json_object *members, gid_t gid) {
        int errnum = 0;

        setpwent();
        for (;;) {
                const struct passwd *user;

                errno = 0;
                user = getpwent();
                if (!user) {
                        errnum = errno;
                        break;
                }
                if (user->pw_gid == gid)
                        json_object_array_add(members, json_object_new_string(user->pw_name));
        }
        endpwent();
        return is_absence(errnum) ? 0 : -errnum;
}

/* Members by the group's list; who has it as primary group is not listed there, getgrnam(3). */
void check_group(json_object *root, json_object *notes) {
        const struct group *group;
        json_object *members;
        gid_t gid;
        int r;

        errno = 0;
        group = getgrnam(RAWNET_GROUP);
        if (!group && !is_absence(errno)) {
                add_sentence(notes, "cannot look group %s up: %s", RAWNET_GROUP, strerror(errno));
                return;
        }
        if (!group) {
                add_sentence(notes,
                             "there is no group %s, whose members may open ports: is rawnet "
                             "installed completely? "
                             "(systemd-sysusers)",
                             RAWNET_GROUP);
                return;
        }
        gid = group->gr_gid;
        members = json_object_new_array();
        if (!members || json_object_object_add(root, "group", members) < 0)
                abort();
        for (char **member = group->gr_mem; *member; member++)
                json_object_array_add(members, json_object_new_string(*member));
        r = add_primary_members(members, gid);
        if (r < 0)
                add_sentence(notes, "cannot list the users, so that members of group %s may be missing here: %s",
                             RAWNET_GROUP, strerror(-r));
        else if (json_object_array_length(members) == 0)
                add_sentence(notes,
                             "group %s is empty: unless a polkit rule of your own says otherwise, "
                             "everyone but root is "
                             "asked for an administrator's password; add a user with: adduser USER "
                             "%s",
                             RAWNET_GROUP, RAWNET_GROUP);
}
