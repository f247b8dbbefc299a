/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/qemu-memory.h"

#include <string.h>

#include "client/qemu-line.h"

/* The value of key in an option's value, copied; NULL: not there. 0 or -ENOMEM: without memory nothing is known of the line. */
static int value_of(const char *text, const char *first_key, const char *key, char **ret) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        const char *value;

        *ret = NULL;
        /* What is not JSON is QEMU's to complain about. */
        if (qemu_options_parse(text, first_key, &options) == -ENOMEM)
                return -ENOMEM;
        value = qemu_options_get(&options, key);
        if (!value)
                return 0;
        *ret = strdup(value);
        return *ret ? 0 : -ENOMEM;
}

int qemu_memory_is_set(char **argv) {
        int r = 0;

        for (size_t i = 1; r >= 0 && argv[0] && argv[i]; i++) {
                _cleanup_free_ char *value = NULL;

                if (qemu_is_option(argv[i], "mem-path"))
                        return 1;
                if (!argv[i + 1])
                        break;
                /* An -object alone is not the guest's main memory: it may be a DIMM's, or nobody's. */
                if (qemu_is_option(argv[i], "numa"))
                        r = value_of(argv[i + 1], "type", "memdev", &value);
                else if (qemu_is_option(argv[i], "machine") || qemu_is_option(argv[i], "M"))
                        r = value_of(argv[i + 1], "type", "memory-backend", &value);
                if (value)
                        return 1;
        }
        return r;
}

char *qemu_memory_size(char **argv) {
        _cleanup_free_ char *size = NULL;
        char *text;

        for (size_t i = 1; argv[0] && argv[i] && argv[i + 1]; i++)
                if (qemu_is_option(argv[i], "m")) {
                        char *found;

                        if (value_of(argv[i + 1], "size", "size", &found) < 0)
                                return NULL;
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

int qemu_may_emulate(char **argv) {
        for (size_t i = 1; argv[0] && argv[i]; i++) {
                _cleanup_free_ char *value = NULL;
                int r = 0;

                if (qemu_is_option(argv[i], "enable-kvm"))
                        return 0;
                if (!argv[i + 1])
                        break;
                if (qemu_is_option(argv[i], "accel"))
                        r = value_of(argv[i + 1], "accel", "accel", &value);
                else if (qemu_is_option(argv[i], "machine") || qemu_is_option(argv[i], "M"))
                        r = value_of(argv[i + 1], "type", "accel", &value);
                if (r < 0)
                        return r;
                if (value && strcmp(value, "kvm") == 0)
                        return 0;
        }
        return 1;
}
