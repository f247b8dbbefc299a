/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl list.
 */

#include <net/if.h>
#include <string.h>

#include "client/host-link.h"
#include "client/listing.h"
#include "client/parse.h"
#include "client/show.h"
#include "client/table.h"
#include "client/units.h"
#include "client/user-name.h"
#include "common/clock.h"

/* Values that are asked for once for all rows. */
typedef struct Rows {
        UserName user;
        HostLink parent;
        uint64_t now;
} Rows;

/* A lease is no better than its parent. The parent's name may be another one by now: then the
 * lease's own state is all that is known. */
static void add_state(Table *table, const LeaseObject *lease, HostLink *last) {
        if (strcmp(lease->state, "open") != 0) {
                table_add_toned(table, TONE_DIM, lease->state);
                return;
        }
        if (*lease->refused_reason) {
                table_add_toned(table, TONE_BAD, "refused");
                return;
        }
        if (strcmp(last->name, lease->parent) != 0 && host_link_by_name(lease->parent, last) <= 0)
                *last = (HostLink){};
        if (!last->name[0] || (last->flags & IFF_UP && last->flags & IFF_RUNNING))
                table_add(table, lease->state);
        else
                table_add_toned(table, TONE_WARN,
                                last->flags & IFF_UP ? "no-carrier" : "parent-down");
}

static void add_lease(Table *table, const LeaseObject *lease, Rows *rows) {
        char id[LEASE_ID_TEXT_SIZE], age[UNITS_SIZE];

        table_add(table, lease_id_format(lease->id, id));
        add_state(table, lease, &rows->parent);
        table_add(table, units_age(lease->since, rows->now, age));
        table_add(table, lease->kind);
        table_add(table, *lease->mac ? lease->mac : "(learning)");
        table_add(table, user_name(&rows->user, lease->owner));
        table_add(table, lease->network);
        table_add(table, lease->name);
}

/* The reason why a port has not taken its guest's address: a sentence, too long for a cell. */
static void print_refused(const LeaseObject *lease) {
        char id[LEASE_ID_TEXT_SIZE];

        if (*lease->refused_reason && strcmp(lease->state, "open") == 0)
                printf("%s: %s\n", lease_id_format(lease->id, id), lease->refused_reason);
}

static int print_leases(const Objects *objects, bool legend) {
        static const TableColumn columns[] = {{"ID"},
                                              {"STATE"},
                                              {"AGE", .right = true},
                                              {"KIND"},
                                              {"MAC"},
                                              {"OWNER", .wide = true},
                                              {"NETWORK", .wide = true},
                                              {"NAME", .wide = true}};
        _cleanup_(table_done) Table table = TABLE_OF(columns);
        Rows rows = {.now = clock_usec(CLOCK_REALTIME)};
        Screen screen;
        int r;

        screen_look(STDOUT_FILENO, legend, &screen);
        if (screen.legend && objects->n_leases == 0) {
                puts("There is no lease.");
                return 0;
        }
        for (size_t i = 0; i < objects->n_leases; i++)
                add_lease(&table, &objects->leases[i], &rows);
        user_name_done(&rows.user);
        r = table_print(&table, stdout, &screen);
        for (size_t i = 0; screen.legend && i < objects->n_leases && r >= 0; i++)
                print_refused(&objects->leases[i]);
        return r;
}

static int print_json(const Objects *objects) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < objects->n_leases; i++)
                json_object_array_add(
                        array, json_of_fields(lease_fields, n_lease_fields, &objects->leases[i]));
        return json_print(array);
}

int verb_list(int argc, char **argv) {
        static const ObjectListing objects_of = {objects_read, print_json, print_leases};

        return list_objects(argc, argv, &objects_of);
}
