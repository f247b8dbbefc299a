/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/argument.h"

#include <pwd.h>

#include "common/log.h"
#include "common/text.h"

int argument_number(const char *option, const char *text, uint32_t min, uint32_t max,
                    uint32_t *ret) {
        if (text_parse_u32(text, min, max, ret) == 0)
                return 0;
        log_error("%s is a number from %u to %u, not '%s'", option, min, max, text);
        return -EINVAL;
}

int argument_user(const char *option, const char *text, uid_t *ret) {
        const struct passwd *entry;
        uint32_t number;

        /* The last number is no uid: setuid(2) and others use it for "unchanged". */
        if (text_parse_u32(text, 0, UINT32_MAX - 1, &number) == 0) {
                *ret = number;
                return 0;
        }
        entry = getpwnam(text);
        if (!entry) {
                log_error("%s: there is no user '%s'", option, text);
                return -EINVAL;
        }
        *ret = entry->pw_uid;
        return 0;
}
