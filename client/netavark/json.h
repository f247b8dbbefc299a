/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * JSON that podman passes, and that it gets. What comes is not trusted: a member is of the type
 * that its reader names, or missing. Nothing is guessed of another type.
 */

#include <json-c/json.h>

#include "common/refusal.h"

static inline void json_putp(json_object **object) {
        json_object_put(*object);
}

#define _cleanup_json_ _cleanup_(json_putp)

/* One value, with nothing but blanks around it; at most 32 levels. NULL: it is none, or there is no
 * memory. */
json_object *json_read(const char *text, size_t size);

/* RAWNET_INVALID_ARGS with a sentence. */
int json_refuse(Refusal *ret_refusal, const char *what);

/* The member of object. *ret is NULL where it is missing or null. 0, or RAWNET_INVALID_ARGS where
 * object is no object or the member of another type. */
int json_get(json_object *object, const char *key, json_type type, json_object **ret,
             Refusal *ret_refusal);

/* The same for text, which is object's. A NUL in it is refused: what follows would be lost. */
int json_get_text(json_object *object, const char *key, const char **ret, Refusal *ret_refusal);

/* The text of a value, which is the value's. NULL: it is something else, or has a NUL. */
const char *json_text(json_object *value);

/* Both take value, which may be NULL, in every case. 0 or -ENOMEM. */
int json_set(json_object *object, const char *key, json_object *value);
int json_append(json_object *array, json_object *value);
