/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Output of the listing verbs: tables for people, JSON for programs.
 */

#include <json-c/json.h>

#include "client/bus.h"

/* Cells row by row, the first row the headings; the caller's memory is copied. Prints aligned
 * columns to stdout. */
typedef struct Table {
        size_t columns, n_cells;
        char **cells;
} Table;

/* Adds a cell; NULL or "" shows as "-". Returns 0 or -ENOMEM. */
int table_add(Table *table, const char *text);
int table_addf(Table *table, const char *format, ...) _printf_(2, 3);
void table_print(const Table *table);
void table_done(Table *table);

/* A JSON object of what fields name with a json name. NULL without memory. */
json_object *json_of_fields(const BusField *fields, size_t n_fields, const void *base);
/* Prints and frees. Returns 0 or -errno. */
int json_print(json_object *json);

/* "none", "100" or "100-199". Returns 0 or -ENOMEM. */
int vlans_format(const uint32_t vlans[static 2], char **ret);
