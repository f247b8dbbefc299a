/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/json.h"

#include <limits.h>
#include <string.h>

#define BLANKS " \t\r\n"

static void tokener_freep(json_tokener **tokener) {
        if (*tokener)
                json_tokener_free(*tokener);
}

json_object *json_read(const char *text, size_t size) {
        _cleanup_(tokener_freep) json_tokener *tokener = json_tokener_new();
        _cleanup_json_ json_object *value = NULL;
        size_t end;

        if (!tokener || size > INT_MAX)
                return NULL;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                                JSON_TOKENER_VALIDATE_UTF8);
        value = json_tokener_parse_ex(tokener, text, (int)size);
        if (json_tokener_get_error(tokener) != json_tokener_success)
                return NULL;
        for (end = json_tokener_get_parse_end(tokener); end < size; end++)
                if (text[end] == '\0' || !strchr(BLANKS, text[end]))
                        return NULL;
        return TAKE_PTR(value);
}

int json_refuse(Refusal *ret_refusal, const char *what) {
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "cannot read what podman passed: %s; is this podman newer than rawnet?",
                      what);
}

int json_get(json_object *object, const char *key, json_type type, json_object **ret,
             Refusal *ret_refusal) {
        json_object *member = NULL;

        if (!json_object_is_type(object, json_type_object))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "cannot read what podman passed: what should have a '%s' is no "
                              "object; is this podman newer than rawnet?",
                              key);
        (void)json_object_object_get_ex(object, key, &member);
        if (member && !json_object_is_type(member, type))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "cannot read what podman passed: '%s' is no %s; is this podman "
                              "newer than rawnet?",
                              key, json_type_to_name(type));
        *ret = member;
        return 0;
}

const char *json_text(json_object *value) {
        const char *text;

        if (!json_object_is_type(value, json_type_string))
                return NULL;
        text = json_object_get_string(value);
        return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

int json_get_text(json_object *object, const char *key, const char **ret, Refusal *ret_refusal) {
        json_object *member;
        int r = json_get(object, key, json_type_string, &member, ret_refusal);

        if (r != 0)
                return r;
        *ret = member ? json_text(member) : NULL;
        return member && !*ret ? json_refuse(ret_refusal, "a text has a NUL") : 0;
}

int json_set(json_object *object, const char *key, json_object *value) {
        if (value && json_object_object_add(object, key, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

int json_append(json_object *array, json_object *value) {
        if (value && json_object_array_add(array, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}
