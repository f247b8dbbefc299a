/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One value of a QEMU option taken apart: "raw,id=n0,network=lab" (qemu(1); a comma inside a value
 * is written twice) or the JSON object '{"type":"raw","id":"n0"}'. Pure functions.
 */

#include "common/util.h"

typedef struct QemuOption {
        char *key;
        char *value; /* JSON: numbers as written, booleans as on and off */
} QemuOption;

typedef struct QemuOptions {
        QemuOption *items;
        size_t n_items, n_allocated;
        bool json;
} QemuOptions;

/* first_key is what a first part without '=' is the value of ("type" for -netdev, "driver" for
 * -device); any other part without
 * '=' is "on". In JSON, members that are objects, arrays or null are left out.
 * Returns 0, -EINVAL for JSON that is none, -ENOMEM. */
int qemu_options_parse(const char *text, const char *first_key, QemuOptions *ret);
void qemu_options_done(QemuOptions *options);

/* The value of key, the last one where it is given twice (as QEMU does it); NULL where it is not.
 */
const char *qemu_options_get(const QemuOptions *options, const char *key);

/* Adds key=value at the end, which qemu_options_get() then finds first. 0 or -ENOMEM. */
int qemu_options_add(QemuOptions *options, const char *key, const char *value);

/* QEMU's words for true (qapi/qapi-util.c, qapi_bool_parse()); false also without the key. */
bool qemu_options_true(const QemuOptions *options, const char *key);

/* text (as parsed, of the given style) with key=value added at its end. numeric: a bare number in
 * JSON; boolean values "on" and "off" become true and false there. The caller frees; NULL without
 * memory. */
typedef enum QemuValueType {
        QEMU_STRING,
        QEMU_NUMBER,
        QEMU_BOOL
} QemuValueType;
char *qemu_options_append(const char *text, const char *key, const char *value, QemuValueType type);
