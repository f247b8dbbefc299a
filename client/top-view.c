/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/top-view.h"

#include <inttypes.h>
#include <string.h>

#include "client/parse.h"
#include "client/rate-poll.h"
#include "client/show.h"
#include "client/table.h"
#include "client/units.h"
#include "common/clock.h"
#include "common/text.h"

#define LINES_AROUND 3u /* of a picture: totals, headings, keys */

typedef struct Row {
        const LeaseObject *lease;
        RatedLease *rated;
} Row;

static const TableColumn columns[] = {
        {"TIME"},
        {"ID"},
        {"RECEIVED", .right = true},
        {"FRAMES", .right = true},
        {" SENT", .right = true}, /* as wide as any rate, so that the columns stay in place */
        {"FRAMES", .right = true},
        {"DROPS", .right = true},
        {"OWNER", .wide = true},
        {"NETWORK", .wide = true},
        {"NAME", .wide = true},
};

/* Leases without a name come last. */
static int compare_names(const char *a, const char *b) {
        if (!*a || !*b)
                return !*a - !*b;
        return strcmp(a, b);
}

static int compare_rows(const void *a, const void *b, void *userdata) {
        const Row *x = a, *y = b;
        const RateOrder *order = userdata;
        int r = *order == RATE_ORDER_NAME
                        ? compare_names(x->lease->name, y->lease->name)
                        : rates_compare(&x->rated->rates, &y->rated->rates, *order);

        if (r != 0)
                return r;
        return x->lease->id < y->lease->id ? -1 : x->lease->id > y->lease->id;
}

/* All leases in the view's order; the caller frees. */
static int make_rows(const TopView *view, Row **ret, size_t *ret_n) {
        size_t n = 0, n_leases = watch_count(view->watch);
        RateOrder order = view->order;
        Row *rows = calloc(n_leases + 1, sizeof(*rows));

        if (!rows)
                return -ENOMEM;
        for (size_t i = 0; i < n_leases; i++) {
                rows[n].lease = watch_lease(view->watch, i);
                rows[n].rated = rate_table_find(view->table, rows[n].lease->id);
                n += rows[n].rated ? 1 : 0;
        }
        qsort_r(rows, n, sizeof(*rows), compare_rows, &order);
        *ret = rows;
        *ret_n = n;
        return 0;
}

/* Each name is asked for once: the picture is drawn every second. NULL without memory. */
static const char *owner_name(TopView *view, uint32_t uid) {
        for (size_t i = 0; i < view->n_users; i++)
                if (view->users[i].uid == uid)
                        return view->users[i].name;
        if (GROW_ARRAY(view->users, view->n_users, view->n_users_allocated) < 0)
                return NULL;
        view->users[view->n_users] = (UserName){};
        return user_name(&view->users[view->n_users++], uid);
}

static void add_rate(Table *table, const Rates *rates, uint64_t rate, bool plain, Tone tone) {
        char text[UNITS_SIZE];

        if (rates->usec == 0)
                table_add(table, NULL);
        else if (plain)
                table_addf(table, "%" PRIu64, rate);
        else
                table_add_toned(table, tone, units_count(rate, text));
}

static void add_row(TopView *view, Table *table, const Row *row, bool plain) {
        const Rates *rates = &row->rated->rates;
        char id[LEASE_ID_TEXT_SIZE];

        table_add(table, lease_id_format(row->lease->id, id));
        add_rate(table, rates, rates->rx_bits, plain, TONE_PLAIN);
        add_rate(table, rates, rates->rx_frames, plain, TONE_PLAIN);
        add_rate(table, rates, rates->tx_bits, plain, TONE_PLAIN);
        add_rate(table, rates, rates->tx_frames, plain, TONE_PLAIN);
        add_rate(table, rates, rates->dropped, plain, rates->dropped > 0 ? TONE_WARN : TONE_PLAIN);
        table_add(table, owner_name(view, row->lease->owner));
        table_add(table, row->lease->network);
        table_add(table, row->lease->name);
}

/* Where a round does not read every lease, the picture says so in a line of its own. */
static bool is_behind(const TopView *view) {
        return view->table->n > view->per_round;
}

size_t top_view_rows(const TopView *view, const Screen *screen) {
        size_t around = LINES_AROUND + (is_behind(view) ? 1 : 0);

        return screen->height > around ? screen->height - around : 0;
}

static void print_age(const Row *rows, size_t n, FILE *out) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC), oldest = now;
        size_t n_unread = 0;

        for (size_t i = 0; i < n; i++) {
                const RatedLease *rated = rows[i].rated;

                if (rated->rates.usec == 0)
                        n_unread++;
                else if (!rated->shown)
                        oldest = MIN_OF(oldest, rated->sample.usec);
        }
        if (n_unread > 0)
                fprintf(out, "%zu %s no rates yet; at most %u leases are read in a second\n",
                        n_unread, text_plural(n_unread, "lease has", "leases have"),
                        RATE_POLL_CALLS_PER_SECOND);
        else
                fprintf(out,
                        "rates out of sight are up to %" PRIu64
                        " s old; at most %u leases are read in a second\n",
                        (now - oldest) / 1000000 + 1, RATE_POLL_CALLS_PER_SECOND);
}

static void print_totals(const TopView *view, const Row *rows, size_t n, size_t n_rows, FILE *out) {
        char received[UNITS_SIZE], sent[UNITS_SIZE], dropped[UNITS_SIZE];
        Rates total = {};

        for (size_t i = 0; i < n; i++)
                rates_add(&total, &rows[i].rated->rates);
        if (n > n_rows)
                fprintf(out, "%zu-%zu of ", view->first + 1, view->first + n_rows);
        fprintf(out, "%zu %s: received %s bit/s, sent %s bit/s, dropped %s frames/s\n", n,
                text_plural(n, "lease", "leases"), units_count(total.rx_bits, received),
                units_count(total.tx_bits, sent), units_count(total.dropped, dropped));
}

static void print_keys(const TopView *view, const Screen *screen, const Refusal *trouble,
                       FILE *out) {
        if (trouble) {
                fprintf(out, "%s%s%s\n", screen_tone(screen, TONE_BAD), trouble->text,
                        screen_tone_end(screen, TONE_BAD));
                return;
        }
        fputs("sort by", out);
        for (unsigned i = 0; i < RATE_ORDER_COUNT; i++) {
                const char *name = rate_order_to_string((RateOrder)i);
                bool chosen = i == (unsigned)view->order;

                fprintf(out, "  %s%c %s%s", chosen ? "[" : "", *name, name, chosen ? "]" : "");
        }
        fputs("  q quit\n", out);
}

int top_view_picture(TopView *view, const Screen *screen, const Refusal *trouble, FILE *out) {
        _cleanup_(table_done)
                Table table = {.columns = columns + 1, .n_columns = ARRAY_SIZE(columns) - 1};
        size_t n, n_rows = top_view_rows(view, screen);
        _cleanup_free_ Row *rows = NULL;
        int r;

        if (n_rows == 0) {
                fprintf(out, "rawnetctl top needs %u lines; q quits\n",
                        LINES_AROUND + 1 + (is_behind(view) ? 1 : 0));
                return 0;
        }
        r = make_rows(view, &rows, &n);
        if (r < 0)
                return r;
        view->first = n > n_rows ? MIN_OF(view->first, n - n_rows) : 0;
        print_totals(view, rows, n, n_rows, out);
        if (is_behind(view))
                print_age(rows, n, out);
        for (size_t i = 0; i < n; i++) {
                rows[i].rated->shown = i >= view->first && i - view->first < n_rows;
                if (rows[i].rated->shown)
                        add_row(view, &table, &rows[i], false);
        }
        r = table_print(&table, out, screen);
        for (size_t i = n; i < n_rows; i++)
                fputc('\n', out);
        print_keys(view, screen, trouble, out);
        return r;
}

int top_view_table(TopView *view, const Screen *screen, FILE *out) {
        bool pipe = !screen->terminal;
        _cleanup_(table_done) Table table = {.columns = columns + !pipe,
                                             .n_columns = ARRAY_SIZE(columns) - (pipe ? 0u : 1u)};
        _cleanup_free_ Row *rows = NULL;
        char now[UNITS_SIZE];
        size_t n;
        int r;

        r = make_rows(view, &rows, &n);
        if (r < 0)
                return r;
        if (n == 0 && !pipe)
                fputs("There is no lease.\n", out);
        if (n == 0)
                return 0;
        units_stamp(clock_usec(CLOCK_REALTIME), now);
        for (size_t i = 0; i < n; i++) {
                if (pipe)
                        table_add(&table, now);
                add_row(view, &table, &rows[i], pipe);
        }
        return table_print(&table, out, screen);
}

static json_object *json_of_rates(const Rates *rates) {
        json_object *object = rates->usec > 0 ? json_object_new_object() : NULL;
        const struct {
                const char *name;
                uint64_t value;
        } members[] = {
                {"usec", rates->usec},
                {"rx_bits", rates->rx_bits},
                {"rx_packets", rates->rx_frames},
                {"tx_bits", rates->tx_bits},
                {"tx_packets", rates->tx_frames},
                {"dropped", rates->dropped},
        };

        for (size_t i = 0; object && i < ARRAY_SIZE(members); i++)
                json_object_object_add(object, members[i].name,
                                       json_object_new_uint64(members[i].value));
        return object; /* NULL is null */
}

int top_view_json(TopView *view, FILE *out) {
        json_object *object = json_object_new_object(), *leases = json_object_new_array();
        _cleanup_free_ Row *rows = NULL;
        const char *text = NULL;
        size_t n = 0;
        int r = object && leases ? make_rows(view, &rows, &n) : -ENOMEM;

        for (size_t i = 0; i < n && r >= 0; i++) {
                json_object *one = json_of_fields(lease_fields, n_lease_fields, rows[i].lease);

                r = one ? 0 : -ENOMEM;
                if (!one)
                        break;
                json_object_object_add(one, "rates", json_of_rates(&rows[i].rated->rates));
                json_object_array_add(leases, one);
        }
        if (r >= 0) {
                json_object_object_add(object, "time",
                                       json_object_new_uint64(clock_usec(CLOCK_REALTIME)));
                json_object_object_add(object, "leases", leases);
                text = json_object_to_json_string_ext(
                        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
                if (text)
                        fprintf(out, "%s\n", text);
        } else
                json_object_put(leases);
        json_object_put(object);
        return text ? 0 : -ENOMEM;
}

void top_view_done(TopView *view) {
        for (size_t i = 0; i < view->n_users; i++)
                user_name_done(&view->users[i]);
        free(view->users);
        view->users = NULL;
        view->n_users = 0;
}
