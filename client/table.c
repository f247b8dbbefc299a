/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Prints tables. */

#include "client/table.h"

#include <stdarg.h>
#include <string.h>

#define GAP 2u       /* columns of blanks between two cells */
#define WIDTH_MIN 8u /* the least width of a wide column */
#define ELLIPSIS "\u2026"

void table_add_toned(Table *table, Tone tone, const char *text) {
        char *copy = strdup(text && *text ? text : "-");

        if (!copy || GROW_ARRAY(table->cells, table->n_cells, table->n_allocated) < 0) {
                free(copy);
                table->no_memory = true;
                return;
        }
        table->cells[table->n_cells++] = (TableCell){.text = copy, .tone = tone};
}

void table_add(Table *table, const char *text) {
        table_add_toned(table, TONE_PLAIN, text);
}

void table_addf(Table *table, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL; /* undefined after an error, printf(3) */
                table->no_memory = true;
                return;
        }
        table_add(table, text);
}

static void measure_columns(const Table *table, const Screen *screen, size_t *widths) {
        for (size_t c = 0; c < table->n_columns; c++)
                widths[c] = screen->legend ? screen_text_width(table->columns[c].heading) : 0;
        for (size_t i = 0; i < table->n_cells; i++) {
                size_t width = screen_text_width(table->cells[i].text);
                size_t *column = &widths[i % table->n_columns];

                *column = MAX_OF(*column, width);
        }
}

/* Shortens the wide columns until the row fits. The names that a user types are on the left. */
static void fit_columns(const Table *table, size_t max, size_t *widths) {
        size_t total = (table->n_columns - 1) * GAP;

        for (size_t c = 0; c < table->n_columns; c++)
                total += widths[c];
        for (size_t c = table->n_columns; c-- > 0 && total > max;) {
                size_t spare = widths[c] > WIDTH_MIN ? widths[c] - WIDTH_MIN : 0;

                if (!table->columns[c].wide)
                        continue;
                spare = MIN_OF(spare, total - max);
                widths[c] -= spare;
                total -= spare;
        }
}

static void print_blanks(FILE *out, size_t n) {
        while (n-- > 0)
                fputc(' ', out);
}

static void print_cell(FILE *out, const Screen *screen, const TableCell *cell,
                       const TableColumn *column, size_t width, bool last) {
        size_t text_width = screen_text_width(cell->text);
        size_t size = strlen(cell->text);
        bool cut = text_width > width;

        if (cut) {
                _cleanup_free_ char *kept = NULL;

                size = screen_text_fit(cell->text, width - 1);
                kept = strndup(cell->text, size);
                text_width = (kept ? screen_text_width(kept) : width - 1) + 1;
        }
        if (column->right)
                print_blanks(out, width - text_width);
        fprintf(out, "%s%.*s%s%s", screen_tone(screen, cell->tone), (int)size, cell->text,
                cut ? ELLIPSIS : "", screen_tone_end(screen, cell->tone));
        if (last)
                fputc('\n', out);
        else
                print_blanks(out, GAP + (column->right ? 0 : width - text_width));
}

int table_print(const Table *table, FILE *out, const Screen *screen) {
        _cleanup_free_ size_t *widths = calloc(table->n_columns, sizeof(*widths));
        const size_t last = table->n_columns - 1;

        if (table->no_memory || !widths)
                return -ENOMEM;
        measure_columns(table, screen, widths);
        if (screen->width > 0)
                fit_columns(table, screen->width, widths);
        for (size_t c = 0; screen->legend && c < table->n_columns; c++)
                print_cell(out, screen,
                           &(TableCell){(char *)table->columns[c].heading, TONE_HEADING},
                           &table->columns[c], widths[c], c == last);
        for (size_t i = 0; i < table->n_cells; i++) {
                size_t c = i % table->n_columns;

                print_cell(out, screen, &table->cells[i], &table->columns[c], widths[c], c == last);
        }
        return 0;
}

void table_done(Table *table) {
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i].text);
        free(table->cells);
        *table = (Table){};
}
