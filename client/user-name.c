/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/user-name.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>

const char *user_name(UserName *last, uint32_t uid) {
        const struct passwd *entry;

        if (last->known && last->uid == uid)
                return last->name;
        free(last->name);
        entry = getpwuid(uid);
        *last = (UserName){.uid = uid, .known = true};
        if (entry)
                last->name = strdup(entry->pw_name);
        else if (asprintf(&last->name, "%" PRIu32, uid) < 0)
                last->name = NULL;
        return last->name;
}

void user_name_done(UserName *last) {
        free(last->name);
        *last = (UserName){};
}
