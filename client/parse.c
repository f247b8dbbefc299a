/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Small texts of a command line turned into values.
 */

#include "client/parse.h"

#include <string.h>
#include <strings.h>

#include "common/text.h"

/* Hex digits only; text_parse_u32() has the decimal ones. */
static int parse_hex(const char *text, uint32_t *ret) {
        uint32_t value = 0;
        size_t n = 0;

        for (; text[n]; n++) {
                int digit = text_hex_digit(text[n]);

                if (digit < 0 || n >= 8)
                        return -EINVAL;
                value = value << 4 | (uint32_t)digit;
        }
        if (n == 0)
                return -EINVAL;
        *ret = value;
        return 0;
}

int parse_bool(const char *text, bool *ret) {
        static const char *const yes[] = {"on", "yes", "true", "y", "1"};
        static const char *const no[] = {"off", "no", "false", "n", "0"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
                if (strcasecmp(text, yes[i]) == 0) {
                        *ret = true;
                        return 0;
                }
        for (size_t i = 0; i < ARRAY_SIZE(no); i++)
                if (strcasecmp(text, no[i]) == 0) {
                        *ret = false;
                        return 0;
                }
        return -EINVAL;
}

int parse_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t usec = 0, unit = 1000000;
        size_t n = 0;

        for (; text[n] >= '0' && text[n] <= '9'; n++) {
                if (n >= 9) /* 30 years */
                        return -ERANGE;
                usec = usec * 10 + (uint64_t)(text[n] - '0');
        }
        if (n == 0)
                return -EINVAL;
        usec *= unit;
        if (text[n] == '.') {
                n++;
                do {
                        unit /= 10;
                        if (text[n] < '0' || text[n] > '9' || unit == 0)
                                return -EINVAL;
                        usec += (uint64_t)(text[n] - '0') * unit;
                } while (text[++n]);
        }
        if (text[n])
                return -EINVAL;
        if (usec < min || usec > max)
                return -ERANGE;
        *ret = usec;
        return 0;
}

int lease_id_parse(const char *text, uint32_t *ret) {
        uint32_t id;

        if (strncmp(text, "rn", 2) != 0)
                return text_parse_u32(text, RAWNET_ID_MIN, RAWNET_ID_MAX, ret);
        if (parse_hex(text + 2, &id) < 0)
                return -EINVAL;
        if (id < RAWNET_ID_MIN || id > RAWNET_ID_MAX)
                return -ERANGE;
        *ret = id;
        return 0;
}

const char *lease_id_format(uint32_t id, char buffer[static LEASE_ID_TEXT_SIZE]) {
        snprintf(buffer, LEASE_ID_TEXT_SIZE, RAWNET_PORT_NAME_FORMAT, id);
        return buffer;
}

void shell_quote(FILE *out, const char *text) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "%+,-./:=@_";

        if (*text && strspn(text, plain) == strlen(text)) {
                fputs(text, out);
                return;
        }
        fputc('\'', out);
        for (const char *p = text; *p; p++)
                if (*p == '\'')
                        fputs("'\\''", out);
                else
                        fputc(*p, out);
        fputc('\'', out);
}

void argv_free(char **argv) {
        for (char **p = argv; p && *p; p++)
                free(*p);
        free(argv);
}
