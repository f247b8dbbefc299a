/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/text.h"

#include <assert.h>
#include <string.h>

/* The length of the character at s (size >= 1 bytes are there) and its code point, 0 where it is
 * not UTF-8. */
static size_t utf8_decode(const unsigned char *s, size_t size, uint32_t *ret_code) {
        /* RFC 3629, 3: the smallest code point that needs this many bytes; a smaller one is an
         * overlong form. */
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t code;
        size_t length;

        if (s[0] < 0x80) {
                *ret_code = s[0];
                return 1;
        }
        if ((s[0] & 0xe0) == 0xc0) {
                length = 2;
                code = s[0] & 0x1fu;
        } else if ((s[0] & 0xf0) == 0xe0) {
                length = 3;
                code = s[0] & 0x0fu;
        } else if ((s[0] & 0xf8) == 0xf0) {
                length = 4;
                code = s[0] & 0x07u;
        } else
                return 0;
        if (length > size)
                return 0;
        for (size_t i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (s[i] & 0x3fu);
        }
        if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        *ret_code = code;
        return length;
}

/* Characters that are not visible, but change where and how others are shown: they make a text look
 * like another. Unicode 16, general categories Cf (format), Zl and Zp (line and paragraph
 * separator), with the unassigned code points between them that are reserved for more
 * (DerivedCoreProperties, Default_Ignorable_Code_Point). Sorted. */
static const struct {
        uint32_t first, last;
} format_controls[] = {
        {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
        {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff},
        {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe00ff},
};

static bool is_control(uint32_t code) {
        if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(format_controls) && code >= format_controls[i].first; i++)
                if (code <= format_controls[i].last)
                        return true;
        return false;
}

/* The length of the printable character at s, 0 where there is none. */
static size_t printable_length(const unsigned char *s, size_t size) {
        uint32_t code;
        size_t length = utf8_decode(s, size, &code);

        return length == 0 || is_control(code) ? 0 : length;
}

bool text_is_printable_utf8(const char *text, size_t size) {
        const unsigned char *s = (const unsigned char *)text;

        while (size > 0) {
                size_t length = printable_length(s, size);

                if (length == 0)
                        return false;
                s += length;
                size -= length;
        }
        return true;
}

bool text_is_printable_ascii(const char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

void text_make_printable(char *text) {
        size_t size = strlen(text);

        while (size > 0) {
                size_t length = printable_length((const unsigned char *)text, size);

                if (length == 0) {
                        *text = '?';
                        length = 1;
                }
                text += length;
                size -= length;
        }
}

void text_shorten(char *text, size_t max) {
        size_t size = strlen(text), keep;

        assert(max >= 3);
        keep = MIN_OF(size, max - 3);
        /* Not between a character's first byte and its followers. */
        while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
                keep--;
        memcpy(text + keep, "...", 4);
}

int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;
        bool overflow = false;

        if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
                return -EINVAL;
        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -EINVAL;
                overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
                           __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
        }
        if (overflow || value < min || value > max)
                return -ERANGE;
        *ret = value;
        return 0;
}

int text_parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret) {
        uint64_t value;
        int r = text_parse_u64(text, min, max, &value);

        if (r == 0)
                *ret = (uint32_t)value;
        return r;
}

int text_hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}
