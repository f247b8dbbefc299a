/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Output of the listing verbs.
 */

#include "client/show.h"

#include <stdarg.h>
#include <string.h>

int table_add(Table *table, const char *text) {
        char *copy;

        if ((table->n_cells & (table->n_cells - 1)) == 0) {
                char **bigger = reallocarray(table->cells, table->n_cells ? table->n_cells * 2 : 1,
                                             sizeof(char *));

                if (!bigger)
                        return -ENOMEM;
                table->cells = bigger;
        }
        copy = strdup(text && *text ? text : "-");
        if (!copy)
                return -ENOMEM;
        table->cells[table->n_cells++] = copy;
        return 0;
}

int table_addf(Table *table, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL; /* undefined after an error, printf(3) */
                return -ENOMEM;
        }
        return table_add(table, text);
}

/* Characters, not bytes: everything but UTF-8's continuation bytes. */
static size_t text_width(const char *text) {
        size_t width = 0;

        for (; *text; text++)
                if (((unsigned char)*text & 0xc0) != 0x80)
                        width++;
        return width;
}

static size_t column_width(const Table *table, size_t column) {
        size_t width = 0;

        for (size_t i = column; i < table->n_cells; i += table->columns) {
                size_t w = text_width(table->cells[i]);

                if (w > width)
                        width = w;
        }
        return width;
}

void table_print(const Table *table) {
        _cleanup_free_ size_t *widths = calloc(table->columns, sizeof(*widths));

        for (size_t c = 0; widths && c + 1 < table->columns; c++)
                widths[c] = column_width(table, c);
        for (size_t i = 0; i < table->n_cells; i++) {
                size_t c = i % table->columns, width = text_width(table->cells[i]);

                fputs(table->cells[i], stdout);
                if (c + 1 == table->columns)
                        fputc('\n', stdout);
                else
                        printf("%*s",
                               (int)(2 + (widths && widths[c] > width ? widths[c] - width : 0)),
                               "");
        }
}

void table_done(Table *table) {
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i]);
        free(table->cells);
        *table = (Table){};
}

static json_object *json_of_words(const char *words) {
        json_object *array = json_object_new_array();

        while (array && *words) {
                size_t n = strcspn(words, " ");

                json_object_array_add(array, json_object_new_string_len(words, (int)n));
                words += n + (words[n] == ' ');
        }
        return array;
}

static json_object *json_of_value(const BusField *field, const void *where) {
        const uint32_t *numbers = where;
        json_object *array;

        switch (field->signature[0]) {
        case 's':
                return json_object_new_string(*(char *const *)where);
        case 'a':
                return json_of_words(*(char *const *)where);
        case 'b':
                return json_object_new_boolean(*(const bool *)where);
        case 't':
                return json_object_new_uint64(*(const uint64_t *)where);
        case 'u':
                return json_object_new_int64(*numbers);
        default:
                array = json_object_new_array();
                if (array) {
                        json_object_array_add(array, json_object_new_int64(numbers[0]));
                        json_object_array_add(array, json_object_new_int64(numbers[1]));
                }
                return array;
        }
}

json_object *json_of_fields(const BusField *fields, size_t n_fields, const void *base) {
        json_object *object = json_object_new_object();

        for (size_t i = 0; object && i < n_fields; i++)
                if (fields[i].json)
                        json_object_object_add(
                                object, fields[i].json,
                                json_of_value(&fields[i], (const char *)base + fields[i].offset));
        return object;
}

int json_print(json_object *json) {
        const char *text;

        if (!json)
                return -ENOMEM;
        text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
                                                            JSON_C_TO_STRING_SPACED |
                                                            JSON_C_TO_STRING_NOSLASHESCAPE);
        if (text)
                puts(text);
        json_object_put(json);
        return text ? 0 : -ENOMEM;
}

int vlans_format(const uint32_t vlans[static 2], char **ret) {
        int n;

        if (vlans[0] == 0)
                n = asprintf(ret, "none");
        else if (vlans[0] == vlans[1])
                n = asprintf(ret, "%u", vlans[0]);
        else
                n = asprintf(ret, "%u-%u", vlans[0], vlans[1]);
        return n < 0 ? -ENOMEM : 0;
}
