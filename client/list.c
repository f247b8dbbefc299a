/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl networks, list, stat and close: what there is, and ending one of it.
 */

#include <inttypes.h>
#include <net/if.h>
#include <pwd.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/host-link.h"
#include "client/objects.h"
#include "client/parse.h"
#include "client/show.h"
#include "common/network-file.h"
#include "common/text.h"

/* A long list asks the user database once per user, not once per lease. */
typedef struct UserName {
        uint32_t uid;
        bool known;
        char *name;
} UserName;

static const char *user_name(UserName *last, uint32_t uid) {
        const struct passwd *entry;

        if (last->known && last->uid == uid)
                return last->name;
        free(last->name);
        entry = getpwuid(uid);
        *last = (UserName){.uid = uid, .known = true};
        if (entry)
                last->name = strdup(entry->pw_name);
        else if (asprintf(&last->name, "%" PRIu32, uid) < 0)
                last->name = NULL;
        return last->name;
}

static const char *since_format(uint64_t since, char buffer[static 32]) {
        time_t seconds = (time_t)(since / 1000000);
        struct tm tm;

        if (since == 0 || !localtime_r(&seconds, &tm) ||
            strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                return "";
        return buffer;
}

/* What the file asks for, and whether it is there: made by an administrator, not by rawnetd alone.
 */
static int add_host_leg(Table *table, const char *name) {
        if (*name && if_nametoindex(name) == 0)
                return table_addf(table, "%s (missing)", name);
        return table_add(table, name);
}

static int print_networks(const Objects *objects) {
        static const char *const headings[] = {"NETWORK", "VLAN", "PARENT", "MODE",
                                               "KINDS",   "HOST", "LEASES", "DESCRIPTION"};
        _cleanup_(table_done) Table table = {.columns = ARRAY_SIZE(headings)};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(headings) && r >= 0; i++)
                r = table_add(&table, headings[i]);
        for (size_t i = 0; i < objects->n_networks && r >= 0; i++) {
                const NetworkObject *n = &objects->networks[i];
                _cleanup_free_ char *vlans = NULL;
                bool bad = *n->error;

                r = vlans_format(n->vlans, &vlans);
                if (r >= 0)
                        r = table_add(&table, n->name);
                if (r >= 0)
                        r = table_add(&table, bad ? "" : vlans);
                if (r >= 0)
                        r = table_add(&table, bad ? "" : n->parent);
                if (r >= 0)
                        r = table_add(&table, bad ? "" : n->mode);
                if (r >= 0)
                        r = table_add(&table, bad ? "" : n->kinds);
                if (r >= 0)
                        r = add_host_leg(&table, bad ? "" : n->host_interface);
                if (r >= 0)
                        r = table_addf(&table, "%" PRIu32, n->leases);
                if (r >= 0)
                        r = table_add(&table, bad ? "error, see below" : n->description);
        }
        if (r >= 0)
                table_print(&table);
        for (size_t i = 0; i < objects->n_networks && r >= 0; i++)
                if (*objects->networks[i].error)
                        printf("%s\n", objects->networks[i].error);
        return r;
}

/* A lease is no better than its parent. The parent's name may be another one by now: then nothing
 * is said of it. */
static const char *state_of(const LeaseObject *lease, HostLink *last) {
        if (strcmp(lease->state, "open") != 0)
                return lease->state;
        if (strcmp(last->name, lease->parent) != 0 && host_link_by_name(lease->parent, last) <= 0)
                *last = (HostLink){};
        if (!last->name[0])
                return lease->state;
        return !(last->flags & IFF_UP)        ? "parent down"
               : !(last->flags & IFF_RUNNING) ? "no carrier"
                                              : lease->state;
}

static int print_leases(const Objects *objects) {
        static const char *const headings[] = {"ID",  "NETWORK", "KIND",  "OWNER",
                                               "MAC", "NAME",    "STATE", "SINCE"};
        _cleanup_(table_done) Table table = {.columns = ARRAY_SIZE(headings)};
        UserName user = {};
        HostLink parent = {};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(headings) && r >= 0; i++)
                r = table_add(&table, headings[i]);
        for (size_t i = 0; i < objects->n_leases && r >= 0; i++) {
                const LeaseObject *lease = &objects->leases[i];
                char id[LEASE_ID_TEXT_SIZE], since[32];

                const char *const row[] = {lease_id_format(lease->id, id),
                                           lease->network,
                                           lease->kind,
                                           user_name(&user, lease->owner),
                                           *lease->mac ? lease->mac : "(learning)",
                                           lease->name,
                                           state_of(lease, &parent),
                                           since_format(lease->since, since)};

                for (size_t c = 0; c < ARRAY_SIZE(row) && r >= 0; c++)
                        r = table_add(&table, row[c]);
        }
        free(user.name);
        if (r >= 0)
                table_print(&table);
        return r;
}

static int print_json(const Objects *objects, bool leases) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; array && !leases && i < objects->n_networks; i++)
                json_object_array_add(array, json_of_fields(network_fields, n_network_fields,
                                                            &objects->networks[i]));
        for (size_t i = 0; array && leases && i < objects->n_leases; i++)
                json_object_array_add(
                        array, json_of_fields(lease_fields, n_lease_fields, &objects->leases[i]));
        return json_print(array);
}

typedef struct Names {
        char **name;
        size_t n;
} Names;

/* Both are sorted. */
static bool all_shown(const Objects *objects, const void *userdata) {
        const Names *names = userdata;
        size_t shown = 0;

        for (size_t i = 0; i < names->n; i++) {
                while (shown < objects->n_networks &&
                       strcmp(objects->networks[shown].name, names->name[i]) < 0)
                        shown++;
                if (shown == objects->n_networks ||
                    strcmp(objects->networks[shown].name, names->name[i]) != 0)
                        return false;
        }
        return true;
}

/* A file that was written just now is shown, too: rawnetd looks at it in a moment. */
static int read_networks(sd_bus *bus, Objects *ret, Refusal *ret_refusal) {
        Names names = {};
        int r;

        /* The files may not be there for us to read: rawnetd's view is the answer. */
        (void)network_file_list(&names.name, &names.n);
        r = objects_read_when(bus, all_shown, &names, ret, ret_refusal);
        network_names_free(names.name, names.n);
        return r;
}

static int list_objects(int argc, char **argv, bool leases) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(objects_done) Objects objects = {};
        Refusal refusal = {};
        bool json;
        int r;

        r = parse_listing_options(argc, argv, 0, 0, &json);
        if (r != 0)
                return r;
        r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = leases ? objects_read(bus, &objects, &refusal)
                           : read_networks(bus, &objects, &refusal);
        if (r == 0)
                r = json     ? print_json(&objects, leases)
                    : leases ? print_leases(&objects)
                             : print_networks(&objects);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}

int verb_networks(int argc, char **argv) {
        return list_objects(argc, argv, false);
}

int verb_list(int argc, char **argv) {
        return list_objects(argc, argv, true);
}

static int parse_id(const char *text, uint32_t *ret) {
        int r = lease_id_parse(text, ret);

        if (r == 0)
                return 0;
        if (r == -ERANGE) {
                log_error("there is no lease %s; rawnetctl list shows the leases", text);
                return EXIT_FAILURE;
        }
        log_error("%s is not a lease id; it looks like rn1a2b3c4d (rawnetctl list)", text);
        return EXIT_USAGE;
}

/* rawnetd says rnHEX; whoever typed the number finds it in front. */
static int say_lease_failure(const char *text, int r, const Refusal *refusal) {
        if (r <= 0 || strncmp(text, "rn", 2) == 0)
                return say_failure(r, refusal);
        log_error("%s: %s", text, refusal->text);
        return EXIT_FAILURE;
}

int verb_close(int argc, char **argv) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        static const struct option none[] = {{}};
        Refusal refusal = {};
        uint32_t id;
        int c, r;

        c = getopt_long(argc, argv, ":", none, NULL);
        if (c >= 0)
                return say_bad_option(c, argv);
        if (argc - optind != 1) {
                log_error("close: which lease? (rawnetctl close ID)");
                return EXIT_USAGE;
        }
        r = parse_id(argv[optind], &id);
        if (r != 0)
                return r;
        r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = bus_close_lease(bus, id, &refusal);
        return r == 0 ? EXIT_SUCCESS : say_lease_failure(argv[optind], r, &refusal);
}

static int print_statistics(sd_bus_message *m, const LeaseObject *lease) {
        const char *name;
        uint64_t value;
        char id[LEASE_ID_TEXT_SIZE], since[32];
        int r;

        printf("%s: %s on %s, MAC %s, MTU %" PRIu32 "%s%s, since %s\n",
               lease_id_format(lease->id, id), lease->kind, lease->network,
               *lease->mac ? lease->mac : "(learning)", lease->mtu, *lease->name ? ", name " : "",
               lease->name, since_format(lease->since, since));
        r = sd_bus_message_enter_container(m, 'a', "{st}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{st}", &name, &value)) > 0)
                if (text_is_printable_ascii(name))
                        printf("%-20s  %20" PRIu64 "\n", name, value);
        return r;
}

static int print_statistics_json(sd_bus_message *m, const LeaseObject *lease) {
        json_object *object = json_of_fields(lease_fields, n_lease_fields, lease);
        json_object *statistics = json_object_new_object();
        const char *name;
        uint64_t value;
        int r;

        if (!object || !statistics)
                return -ENOMEM; /* and the program ends */
        json_object_object_add(object, "statistics", statistics);
        r = sd_bus_message_enter_container(m, 'a', "{st}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{st}", &name, &value)) > 0)
                json_object_object_add(statistics, name, json_object_new_uint64(value));
        if (r < 0) {
                json_object_put(object);
                return r;
        }
        return json_print(object);
}

int verb_stat(int argc, char **argv) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(lease_object_done) LeaseObject lease = {};
        _cleanup_free_ char *path = NULL;
        Refusal refusal = {};
        uint32_t id;
        bool json;
        int r;

        r = parse_listing_options(argc, argv, 1, 1, &json);
        if (r != 0)
                return r;
        r = parse_id(argv[optind], &id);
        if (r != 0)
                return r;
        path = bus_lease_path(id);
        if (!path)
                return say_failure(-ENOMEM, &refusal);
        r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = objects_read_lease(bus, id, &lease, &refusal);
        if (r == 0)
                r = bus_query(bus, path, RAWNET_IFACE_LEASE, "GetStatistics", &reply, &refusal,
                              NULL);
        if (r == 0)
                r = json ? print_statistics_json(reply, &lease) : print_statistics(reply, &lease);
        return r == 0 ? EXIT_SUCCESS : say_lease_failure(argv[optind], r, &refusal);
}
