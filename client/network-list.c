/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl networks.
 */

#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "client/host-link.h"
#include "client/listing.h"
#include "client/show.h"
#include "client/table.h"
#include "common/network-file.h"

/* A network is no better than its parent, and an administrator makes the host's interface. */
static void add_state(Table *table, const NetworkObject *network) {
        HostLink parent = {};
        int r = *network->error ? 0 : host_link_by_name(network->parent, &parent);

        if (*network->error)
                table_add_toned(table, TONE_BAD, "error");
        else if (r < 0) /* this process may not look */
                table_add(table, "unknown");
        else if (r == 0)
                table_add_toned(table, TONE_BAD, "no-parent");
        else if (!(parent.flags & IFF_UP))
                table_add_toned(table, TONE_BAD, "parent-down");
        else if (!(parent.flags & IFF_RUNNING))
                table_add_toned(table, TONE_WARN, "no-carrier");
        else
                table_add(table, "up");
}

/* Under that very name: the kernel finds alternative names as well (ip-link(8), altname). */
static bool interface_exists(const char *name) {
        char found[IF_NAMESIZE];
        unsigned index = if_nametoindex(name);

        return index != 0 && if_indextoname(index, found) && strcmp(found, name) == 0;
}

static int add_network(Table *table, const NetworkObject *network, bool errors_below) {
        _cleanup_free_ char *vlans = NULL;
        const char *host = network->host_interface;
        bool bad = *network->error;
        int r = vlans_format(network->vlans, &vlans);

        if (r < 0)
                return r;
        for (char *blank = network->kinds; (blank = strchr(blank, ' '));)
                *blank = ',';
        table_add(table, network->name);
        add_state(table, network);
        table_addf(table, "%" PRIu32, network->leases);
        table_add(table, bad ? "" : vlans);
        table_add(table, bad ? "" : network->parent);
        table_add(table, bad ? "" : network->kinds);
        if (*host && !interface_exists(host))
                table_addf(table, "%s(missing)", host);
        else
                table_add(table, host);
        table_add(table, !bad ? network->description : errors_below ? "see below" : network->error);
        return 0;
}

static int print_networks(const Objects *objects, bool legend) {
        static const TableColumn columns[] = {{"NETWORK", .wide = true},
                                              {"STATE"},
                                              {"LEASES", .right = true},
                                              {"VLAN"},
                                              {"PARENT"},
                                              {"KINDS"},
                                              {"HOST", .wide = true},
                                              {"DESCRIPTION", .wide = true}};
        _cleanup_(table_done) Table table = TABLE_OF(columns);
        Screen screen;
        int r = 0;

        screen_look(STDOUT_FILENO, legend, &screen);
        if (screen.legend && objects->n_networks == 0) {
                puts("There is no network. An administrator sets one up with a file in " RAWNET_NETWORK_DIR
                     ":\nsee rawnet.network(5).");
                return 0;
        }
        /* An error is a long sentence. A terminal shows it below the table. */
        for (size_t i = 0; i < objects->n_networks && r >= 0; i++)
                r = add_network(&table, &objects->networks[i], screen.legend);
        if (r >= 0)
                r = table_print(&table, stdout, &screen);
        for (size_t i = 0; screen.legend && i < objects->n_networks && r >= 0; i++)
                if (*objects->networks[i].error)
                        printf("%s\n", objects->networks[i].error);
        return r;
}

static int print_json(const Objects *objects) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < objects->n_networks; i++)
                json_object_array_add(array, json_of_fields(network_fields, n_network_fields,
                                                            &objects->networks[i]));
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

        /* The caller may not be able to read the files: rawnetd's view is used then. */
        (void)network_file_list(&names.name, &names.n);
        r = objects_read_when(bus, all_shown, &names, ret, ret_refusal);
        network_names_free(names.name, names.n);
        return r;
}

int verb_networks(int argc, char **argv) {
        static const ObjectListing objects_of = {read_networks, print_json, print_networks};

        return list_objects(argc, argv, &objects_of);
}
