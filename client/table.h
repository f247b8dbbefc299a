/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Tables for people, and lines of fields for pipes. The same rows serve both: headings, colours and
 * cut cells are for terminals only.
 */

#include "client/screen.h"

typedef struct TableColumn {
        const char *heading;
        bool wide;  /* cut, with "…" at its end, where the row is wider than the terminal; the
                    rightmost first */
        bool right; /* a number */
} TableColumn;

typedef struct TableCell {
        char *text;
        Tone tone;
} TableCell;

typedef struct Table {
        const TableColumn *columns;
        size_t n_columns;
        TableCell *cells; /* row by row */
        size_t n_cells, n_allocated;
        bool no_memory; /* table_print() reports it */
} Table;

/* A table of static columns; put the widest ones last. */
#define TABLE_OF(array) ((Table){.columns = (array), .n_columns = ARRAY_SIZE(array)})

/* Adds a copy of text as the next cell, row by row. NULL and "" show as "-". A cell of any column
 * but the last must have no blank: pipes get fields. */
void table_add(Table *table, const char *text);
void table_add_toned(Table *table, Tone tone, const char *text);
void table_addf(Table *table, const char *format, ...) _printf_(2, 3);

/* Writes the table to out, which screen describes, with a heading where screen has a legend. No
 * trailing blanks. 0 or -ENOMEM. */
int table_print(const Table *table, FILE *out, const Screen *screen);
void table_done(Table *table);
