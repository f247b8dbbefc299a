/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * a{sv} into C structs, by a table.
 */

#include <string.h>

#include "client/bus.h"
#include "common/text.h"

static char **string_of(const BusField *field, void *base) {
        void *where = (char *)base + field->offset;

        return where;
}

static bool is_string(const BusField *field) {
        return strcmp(field->signature, "s") == 0 || strcmp(field->signature, "as") == 0;
}

/* These texts are shown on a terminal: even a rawnetd that was taken over must not put control
 * characters there. */
static int replace_string(char **where, const char *text) {
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        text_make_printable(copy);
        free(*where);
        *where = copy;
        return 0;
}

static int read_words(sd_bus_message *m, char **where) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        const char *word;
        bool first = true;
        int r;

        if (!out)
                return -errno;
        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &word)) > 0) {
                fprintf(out, "%s%s", first ? "" : " ", word);
                first = false;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (fclose(out) != 0)
                return -ENOMEM;
        return r < 0 ? r : replace_string(where, text);
}

/* Inside the variant. */
static int read_value(sd_bus_message *m, const BusField *field, void *base) {
        void *where = (char *)base + field->offset;
        const char *text;
        int flag, r;

        switch (field->signature[0]) {
        case 's':
                r = sd_bus_message_read_basic(m, 's', &text);
                return r < 0 ? r : replace_string(where, text);
        case 'a':
                return read_words(m, where);
        case 'b': /* sd-bus reads a bool into an int */
                r = sd_bus_message_read_basic(m, 'b', &flag);
                if (r >= 0)
                        *(bool *)where = flag;
                return r;
        case '(':
                return sd_bus_message_read(m, "(uu)", (uint32_t *)where, (uint32_t *)where + 1);
        default:
                return sd_bus_message_read_basic(m, field->signature[0], where);
        }
}

static int read_entry(sd_bus_message *m, const BusField *fields, size_t n_fields, void *base) {
        const char *name, *signature;
        char type;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        r = sd_bus_message_peek_type(m, &type, &signature);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_fields; i++) {
                if (strcmp(fields[i].name, name) != 0 ||
                    strcmp(fields[i].signature, signature) != 0)
                        continue;
                r = sd_bus_message_enter_container(m, 'v', signature);
                if (r >= 0)
                        r = read_value(m, &fields[i], base);
                return r < 0 ? r : sd_bus_message_exit_container(m);
        }
        return sd_bus_message_skip(m, "v");
}

int bus_read_fields(sd_bus_message *m, const BusField *fields, size_t n_fields, void *base) {
        int r = 0;

        for (size_t i = 0; i < n_fields; i++)
                if (is_string(&fields[i]) && !*string_of(&fields[i], base))
                        r = r < 0 ? r : replace_string(string_of(&fields[i], base), "");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, fields, n_fields, base);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0; /* Never sd-bus's positive values, which would be taken for refusals.
                               */
}

void bus_fields_done(const BusField *fields, size_t n_fields, void *base) {
        for (size_t i = 0; i < n_fields; i++)
                if (is_string(&fields[i])) {
                        free(*string_of(&fields[i], base));
                        *string_of(&fields[i], base) = NULL;
                }
}
