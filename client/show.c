/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Objects of the bus as JSON, and VLANs as text.
 */

#include "client/show.h"

#include <string.h>

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
