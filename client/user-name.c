/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/user-name.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "common/text.h"

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

/* The number at the beginning of text. */
static int leading_number(const char *text, size_t *ret_length, uint32_t *ret) {
        char number[sizeof("4294967295")];
        size_t n = strspn(text, "0123456789");

        if (n == 0 || n >= sizeof(number))
                return -EINVAL;
        memcpy(number, text, n);
        number[n] = '\0';
        *ret_length = n;
        return text_parse_u32(number, 0, UINT32_MAX, ret);
}

char *user_names_in(const char *text) {
        static const char word[] = "user ";
        _cleanup_(user_name_done) UserName user = {};
        _cleanup_free_ char *result = NULL;
        size_t size, length;
        const char *found;
        uint32_t uid;
        FILE *out;

        out = open_memstream(&result, &size);
        if (!out)
                return NULL;
        for (; (found = strstr(text, word)); text = found) {
                found += strlen(word);
                fwrite(text, 1, (size_t)(found - text), out);
                if (leading_number(found, &length, &uid) < 0 || !user_name(&user, uid))
                        continue;
                fputs(user.name, out);
                found += length;
        }
        fputs(text, out);
        if (fclose(out) != 0)
                return NULL;
        return TAKE_PTR(result);
}

void user_name_done(UserName *last) {
        free(last->name);
        *last = (UserName){};
}
