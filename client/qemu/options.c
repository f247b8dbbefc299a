/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Takes one value of a QEMU option apart, and adds something to it. */

#include "client/qemu/options.h"

#include <json-c/json.h>
#include <string.h>

#include "client/parse.h"

/* Takes key and value over, also on failure. */
static int add_option(QemuOptions *options, char *key, char *value) {
        if (!key || !value ||
            GROW_ARRAY(options->items, options->n_items, options->n_allocated) < 0) {
                free(key);
                free(value);
                return -ENOMEM;
        }
        options->items[options->n_items++] = (QemuOption){.key = key, .value = value};
        return 0;
}

/* The value at p up to a single comma; *ret_end is that comma or the end. */
static char *take_value(const char *p, const char **ret_end) {
        char *value = malloc(strlen(p) + 1), *q = value;

        if (!value)
                return NULL;
        for (; *p; p++) {
                if (*p == ',') {
                        if (p[1] != ',')
                                break;
                        p++;
                }
                *q++ = *p;
        }
        *q = '\0';
        *ret_end = p;
        return value;
}

static int parse_plain(const char *text, const char *first_key, QemuOptions *ret) {
        for (const char *p = text; *p;) {
                size_t n = strcspn(p, "=,");
                char *key, *value;
                int r;

                if (p[n] == '=') {
                        key = strndup(p, n);
                        value = take_value(p + n + 1, &p);
                } else if (p == text) {
                        key = strdup(first_key);
                        value = take_value(p, &p);
                } else {
                        key = strndup(p, n);
                        value = strdup("on");
                        p += n;
                }
                r = add_option(ret, key, value);
                if (r < 0)
                        return r;
                if (*p == ',')
                        p++;
        }
        return 0;
}

/* The whole text as one JSON object, or NULL. The caller puts it. */
static json_object *parse_object(const char *text) {
        size_t length = strlen(text);
        struct json_tokener *tokener = json_tokener_new();
        json_object *object = NULL;
        size_t end;

        if (!tokener || length > INT32_MAX - 1)
                return NULL;
        /* With its NUL, or the tokener would wait for more after a number; it may take that for a
         * part of a comment. What follows the object is refused. */
        object = json_tokener_parse_ex(tokener, text, (int)length + 1);
        end = MIN_OF(json_tokener_get_parse_end(tokener), length);
        if (object && (!json_object_is_type(object, json_type_object) ||
                       end + strspn(text + end, " \t\r\n") < length)) {
                json_object_put(object);
                object = NULL;
        }
        json_tokener_free(tokener);
        return object;
}

static int parse_json(const char *text, QemuOptions *ret) {
        json_object *object = parse_object(text);
        int r = 0;

        if (!object)
                return -EINVAL;
        json_object_object_foreach(object, key, value) {
                switch (json_object_get_type(value)) {
                case json_type_boolean:
                        r = add_option(ret, strdup(key),
                                       strdup(json_object_get_boolean(value) ? "on" : "off"));
                        break;
                case json_type_int:
                case json_type_double:
                case json_type_string:
                        r = add_option(ret, strdup(key), strdup(json_object_get_string(value)));
                        break;
                default:
                        break;
                }
                if (r < 0)
                        break;
        }
        json_object_put(object);
        return r;
}

int qemu_options_parse(const char *text, const char *first_key, QemuOptions *ret) {
        _cleanup_(qemu_options_done) QemuOptions options = {.json = *text == '{'};
        int r;

        r = options.json ? parse_json(text, &options) : parse_plain(text, first_key, &options);
        if (r < 0)
                return r;
        *ret = options;
        options = (QemuOptions){};
        return 0;
}

void qemu_options_done(QemuOptions *options) {
        for (size_t i = 0; i < options->n_items; i++) {
                free(options->items[i].key);
                free(options->items[i].value);
        }
        free(options->items);
        *options = (QemuOptions){};
}

const char *qemu_options_get(const QemuOptions *options, const char *key) {
        for (size_t i = options->n_items; i > 0; i--)
                if (strcmp(options->items[i - 1].key, key) == 0)
                        return options->items[i - 1].value;
        return NULL;
}

int qemu_options_add(QemuOptions *options, const char *key, const char *value) {
        return add_option(options, strdup(key), strdup(value));
}

bool qemu_options_true(const QemuOptions *options, const char *key) {
        const char *value = qemu_options_get(options, key);
        bool flag;

        return value && parse_bool(value, &flag) >= 0 && flag;
}

/* Without the comma that text ends with, where it separates nothing: "n0,". A comma inside a value
 * is written twice, so the last one of an odd number is a separator. */
static int length_without_separator(const char *text) {
        size_t length = strlen(text), commas = 0;

        while (commas < length && text[length - commas - 1] == ',')
                commas++;
        return (int)(length - commas % 2);
}

static char *append_json(const char *text, const char *key, const char *value, QemuValueType type) {
        json_object *object = parse_object(text), *added;
        char *result = NULL;

        if (!object)
                return NULL;
        if (type == QEMU_NUMBER)
                added = json_tokener_parse(value);
        else if (type == QEMU_BOOL)
                added = json_object_new_boolean(strcmp(value, "on") == 0);
        else
                added = json_object_new_string(value);
        if (added && json_object_object_add(object, key, added) == 0)
                result = strdup(json_object_to_json_string_ext(
                        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(object);
        return result;
}

char *qemu_options_append(const char *text, const char *key, const char *value,
                          QemuValueType type) {
        char *result = NULL;
        size_t size = 0;
        FILE *out;

        if (*text == '{')
                return append_json(text, key, value, type);
        out = open_memstream(&result, &size);
        if (!out)
                return NULL;
        fprintf(out, "%.*s,%s=", length_without_separator(text), text, key);
        for (; *value; value++)
                fputs(*value == ',' ? ",," : (const char[]){*value, '\0'}, out);
        if (fclose(out) != 0) {
                free(result);
                return NULL;
        }
        return result;
}
