/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Output of the listing verbs for programs, JSON. client/table.h has the tables for people.
 */

#include <json-c/json.h>

#include "client/bus.h"

/* A JSON object of what fields name with a json name. NULL without memory. */
json_object *json_of_fields(const BusField *fields, size_t n_fields, const void *base);
/* Prints and frees. Returns 0 or -errno. */
int json_print(json_object *json);

/* "none", "100" or "100-199". Returns 0 or -ENOMEM. */
int vlans_format(const uint32_t vlans[static 2], char **ret);
