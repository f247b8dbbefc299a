/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * {word} in a command's arguments.
 */

#include "client/placeholder.h"

#include <string.h>

/* The characters of a word: port names, the dot between port and word, and the comma of {fds,}. */
static const char word_characters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,";

/* Writes the replacement for the '{' at p, and returns the number of characters of p that it
 * replaces; or an error. */
static int replace_one(FILE *out, const char *p, PlaceholderLookup lookup, void *userdata,
                       size_t *ret_consumed, Refusal *ret_refusal) {
        _cleanup_free_ char *word = NULL, *text = NULL;
        size_t length = strspn(p + 1, word_characters);
        int r;

        *ret_consumed = 1;
        if (length == 0 || p[1 + length] != '}') {
                fputc('{', out);
                return 0;
        }
        word = strndup(p + 1, length);
        if (!word)
                return -ENOMEM;
        r = lookup(word, userdata, &text, ret_refusal);
        if (r < 0 || (r > 0 && !text))
                return r;
        if (r == 0) {
                fputc('{', out);
                return 0;
        }
        fputs(text, out);
        *ret_consumed = length + 2;
        return 0;
}

int placeholder_replace(const char *argument, PlaceholderLookup lookup, void *userdata,
                        char **ret_text, Refusal *ret_refusal) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r = 0;

        if (!out)
                return -errno;
        for (const char *p = argument; *p;) {
                size_t n = strcspn(p, "{");

                fwrite(p, 1, n, out);
                p += n;
                if (!*p)
                        break;
                r = replace_one(out, p, lookup, userdata, &n, ret_refusal);
                if (r != 0)
                        break;
                p += n;
        }
        if (fclose(out) != 0 && r == 0)
                r = -errno;
        if (r != 0)
                return r;
        *ret_text = TAKE_PTR(text);
        return 0;
}
