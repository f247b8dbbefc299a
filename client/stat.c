/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl stat.
 */

#include <inttypes.h>
#include <string.h>

#include "client/lease-argument.h"
#include "client/listing.h"
#include "client/parse.h"
#include "client/show.h"
#include "client/statistics.h"
#include "client/units.h"
#include "client/user-name.h"
#include "common/clock.h"
#include "common/text.h"

/* One line for each property, the most wanted first. */
static void print_lease(const LeaseObject *lease) {
        char id[LEASE_ID_TEXT_SIZE], since[UNITS_SIZE], age[UNITS_SIZE];
        UserName user = {};

        printf("lease     %s%s%s%s\n", lease_id_format(lease->id, id), *lease->name ? " (" : "",
               lease->name, *lease->name ? ")" : "");
        if (lease->vlan > 0)
                printf("network   %s, VLAN %" PRIu32 " of %s\n", lease->network, lease->vlan,
                       lease->parent);
        else
                printf("network   %s, untagged on %s\n", lease->network, lease->parent);
        printf("kind      %s\n", lease->kind);
        printf("MAC       %s\n", *lease->mac ? lease->mac : "(learning)");
        if (*lease->refused_reason)
                printf("refused   %s\n", lease->refused_reason);
        printf("MTU       %" PRIu32 " bytes\n", lease->mtu);
        printf("queues    %" PRIu32 "\n", lease->queues);
        printf("owner     %s\n", user_name(&user, lease->owner));
        printf("state     %s, opened %s (%s ago)\n", lease->state,
               units_time(lease->since, true, since),
               units_age(lease->since, clock_usec(CLOCK_REALTIME), age));
        user_name_done(&user);
}

/* " (2 received, 1 sent)", of what is not 0. */
static void print_parts(uint64_t received, uint64_t sent, uint64_t guard) {
        const struct {
                uint64_t n;
                const char *what;
        } parts[] = {{received, "received"}, {sent, "sent"}, {guard, "by the guard"}};
        const char *separator = " (";

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                if (parts[i].n == 0)
                        continue;
                printf("%s%" PRIu64 " %s", separator, parts[i].n, parts[i].what);
                separator = ", ";
        }
        puts(*separator == ',' ? ")" : "");
}

static void print_frames(uint64_t n) {
        printf("%" PRIu64 " %s", n, text_plural(n, "frame", "frames"));
}

static int print_summary(const Statistics *statistics) {
        _cleanup_free_ char *reasons = NULL;
        char bytes[UNITS_SIZE];
        int r;

        r = statistics_guard_text(statistics, &reasons);
        if (r < 0)
                return r;

        printf("received  %s in ", units_bytes(statistics_get(statistics, "rx_bytes"), bytes));
        print_frames(statistics_get(statistics, "rx_packets"));
        printf("\nsent      %s in ", units_bytes(statistics_get(statistics, "tx_bytes"), bytes));
        print_frames(statistics_get(statistics, "tx_packets"));
        fputs("\nerrors    ", stdout);
        print_frames(statistics_get(statistics, "rx_errors") +
                     statistics_get(statistics, "tx_errors"));
        print_parts(statistics_get(statistics, "rx_errors"),
                    statistics_get(statistics, "tx_errors"), 0);
        fputs("dropped   ", stdout);
        print_frames(statistics_dropped(statistics));
        print_parts(statistics_get(statistics, "rx_dropped"),
                    statistics_get(statistics, "tx_dropped"), statistics_guard_dropped(statistics));
        if (*reasons)
                printf("dropped by the guard: %s\n", reasons);
        return 0;
}

static int print_counters(const Statistics *statistics) {
        size_t width = 0;

        for (size_t i = 0; i < statistics->n; i++)
                width = MAX_OF(width, strlen(statistics->counters[i].name));
        for (size_t i = 0; i < statistics->n; i++)
                printf("%-*s  %" PRIu64 "\n", (int)width, statistics->counters[i].name,
                       statistics->counters[i].value);
        return 0;
}

static int print_json(const LeaseObject *lease, const Statistics *statistics) {
        json_object *object = json_of_fields(lease_fields, n_lease_fields, lease);
        json_object *counters = json_object_new_object();

        if (!object || !counters)
                return -ENOMEM; /* and the program ends */
        json_object_object_add(object, "statistics", counters);
        for (size_t i = 0; i < statistics->n; i++)
                json_object_object_add(counters, statistics->counters[i].name,
                                       json_object_new_uint64(statistics->counters[i].value));
        return json_print(object);
}

static int read_statistics(sd_bus *bus, uint32_t id, Statistics *ret, Refusal *ret_refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *path = bus_lease_path(id);
        int r;

        if (!path)
                return -ENOMEM;
        r = bus_query(bus, path, RAWNET_IFACE_LEASE, "GetStatistics", &reply, ret_refusal, NULL);
        return r == 0 ? statistics_read(reply, ret) : r;
}

int verb_stat(int argc, char **argv) {
        static const struct option options[] = {
                {"all", no_argument, NULL, 'a'}, {"json", no_argument, NULL, 'j'}, {}};
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(lease_object_done) LeaseObject lease = {};
        _cleanup_(statistics_done) Statistics statistics = {};
        Refusal refusal = {};
        Listing listing;
        uint32_t id;
        int r;

        r = parse_listing_options(argc, argv, options, 1, 1, &listing);
        if (r != 0)
                return r;
        r = bus_connect(&bus, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        r = lease_argument(bus, argv[optind], &id);
        if (r != 0)
                return r;
        r = objects_read_lease(bus, id, &lease, &refusal);
        if (r == 0) {
                r = read_statistics(bus, id, &statistics, &refusal);
                if (r > 0 && !listing.json) /* a closed lease has no counters any more */
                        print_lease(&lease);
        }
        if (r != 0)
                return say_lease_failure(argv[optind], r, &refusal);
        if (listing.json)
                r = print_json(&lease, &statistics);
        else {
                print_lease(&lease);
                if (listing.all)
                        putchar('\n');
                r = (listing.all ? print_counters : print_summary)(&statistics);
        }
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
