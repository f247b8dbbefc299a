/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/qemu-memory.h"

#include <string.h>

#include "client/qemu-line.h"

static bool begins(const char *text, const char *with) {
        return text && strncmp(text, with, strlen(with)) == 0;
}

/* The value of key in an option's value, copied; NULL: not there. */
static char *value_of(const char *text, const char *first_key, const char *key) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        const char *value = NULL;

        if (qemu_options_parse(text, first_key, &options) == 0)
                value = qemu_options_get(&options, key);
        return value ? strdup(value) : NULL;
}

bool qemu_memory_is_set(char **argv) {
        for (size_t i = 1; argv[0] && argv[i]; i++) {
                _cleanup_free_ char *value = NULL;

                if (qemu_is_option(argv[i], "mem-path"))
                        return true;
                if (!argv[i + 1])
                        break;
                if (qemu_is_option(argv[i], "object")) {
                        value = value_of(argv[i + 1], "qom-type", "qom-type");
                        if (begins(value, "memory-backend-"))
                                return true;
                } else if (qemu_is_option(argv[i], "machine") || qemu_is_option(argv[i], "M")) {
                        value = value_of(argv[i + 1], "type", "memory-backend");
                        if (value)
                                return true;
                }
        }
        return false;
}

char *qemu_memory_size(char **argv) {
        _cleanup_free_ char *size = NULL;
        char *text;

        for (size_t i = 1; argv[0] && argv[i] && argv[i + 1]; i++)
                if (qemu_is_option(argv[i], "m")) {
                        char *found = value_of(argv[i + 1], "size", "size");

                        if (found) {
                                free(size);
                                size = found;
                        }
                        i++;
                }
        if (!size)
                return strdup("128M");
        /* -m counts in MiB where no unit is given, -object in bytes. */
        if (!*size || !strchr("0123456789.", size[strlen(size) - 1]))
                return TAKE_PTR(size);
        return asprintf(&text, "%sM", size) < 0 ? NULL : text;
}

bool qemu_may_emulate(char **argv) {
        for (size_t i = 1; argv[0] && argv[i]; i++) {
                _cleanup_free_ char *value = NULL;

                if (qemu_is_option(argv[i], "enable-kvm"))
                        return false;
                if (!argv[i + 1])
                        break;
                if (qemu_is_option(argv[i], "accel"))
                        value = value_of(argv[i + 1], "accel", "accel");
                else if (qemu_is_option(argv[i], "machine") || qemu_is_option(argv[i], "M"))
                        value = value_of(argv[i + 1], "type", "accel");
                if (value && strcmp(value, "kvm") == 0)
                        return false;
        }
        return true;
}
