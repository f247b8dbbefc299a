/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/network-hint.h"

#include <string.h>
#include <strings.h>

#include "common/util.h"

const char *network_hint_text(const char *text, size_t size) {
        return size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0
                       ? "the file starts with a byte order mark; save it as UTF-8 without BOM"
                       : NULL;
}

const char *network_hint_value(const char *value) {
        size_t length = strlen(value);

        for (const char *at = strpbrk(value, "#;"); at; at = strpbrk(at + 1, "#;"))
                if (at > value && (at[-1] == ' ' || at[-1] == '\t'))
                        return "write the comment on a line of its own";
        if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0])
                return "remove the quotation marks";
        return NULL;
}

const char *network_hint_case(const char *name, const void *words, size_t n, size_t stride) {
        for (size_t i = 0; i < n; i++) {
                const char *const *word = (const void *)((const char *)words + i * stride);

                if (strcasecmp(*word, name) == 0)
                        return *word;
        }
        return NULL;
}
