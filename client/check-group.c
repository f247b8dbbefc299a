/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rawnetctl check: who is in the group whose members may open ports. */

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "client/check.h"

/* getgrnam(3): a name that is not found may set errno to any of these. */
static bool is_absence(int errnum) {
        return errnum == 0 || errnum == ENOENT || errnum == ESRCH || errnum == EBADF ||
               errnum == EPERM;
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

/* Members by the group's list, which does not have users whose primary group it is, getgrnam(3). */
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
                add_sentence(
                        notes,
                        "cannot list the users, so that members of group %s may be missing here: %s",
                        RAWNET_GROUP, strerror(-r));
        else if (json_object_array_length(members) == 0)
                add_sentence(notes,
                             "group %s is empty: unless a polkit rule of your own says otherwise, "
                             "everyone but root is "
                             "asked for an administrator's password; add a user with: adduser USER "
                             "%s",
                             RAWNET_GROUP, RAWNET_GROUP);
}

static bool wants_password(json_object *root) {
        json_object *networks = json_object_object_get(root, "networks");

        for (size_t i = 0; i < json_object_array_length(networks); i++) {
                json_object *answers;

                if (!json_object_object_get_ex(json_object_array_get_idx(networks, i), "can-open",
                                               &answers))
                        continue;
                json_object_object_foreach(
                        answers, kind, answer) if (kind && strcmp(json_object_get_string(answer),
                                                                  "challenge") == 0) return true;
        }
        return false;
}

/* The groups of this process, which it has had since the login. */
static bool has_group(void) {
        const struct group *group = getgrnam(RAWNET_GROUP);
        _cleanup_free_ gid_t *gids = NULL;
        int n = getgroups(0, NULL);

        if (!group || n < 0)
                return true; /* not known: no note */
        gids = calloc((size_t)n + 1, sizeof(*gids));
        if (!gids)
                abort();
        n = getgroups(n, gids);
        for (int i = 0; i < n; i++)
                if (gids[i] == group->gr_gid)
                        return true;
        return n < 0 || getegid() == group->gr_gid;
}

void check_membership(json_object *root, json_object *notes) {
        json_object *members = json_object_object_get(root, "group");
        const struct passwd *user = getpwuid(getuid());

        if (!members || !user || !wants_password(root))
                return;
        for (size_t i = 0; i < json_object_array_length(members); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(members, i)),
                           user->pw_name) == 0) {
                        if (!has_group())
                                add_sentence(
                                        notes,
                                        "user %s has been added to group %s since this login: log in "
                                        "again, and opening a port needs no password",
                                        user->pw_name, RAWNET_GROUP);
                        return;
                }
        add_sentence(
                notes,
                "user %s is not in group %s, so opening a port needs a password; an administrator adds the "
                "user with: adduser %s %s",
                user->pw_name, RAWNET_GROUP, user->pw_name, RAWNET_GROUP);
}
