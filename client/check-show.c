/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check, for people.
 */

#include <string.h>

#include "client/check.h"
#include "client/table.h"

static const char *item(json_object *list, size_t i) {
        return json_object_get_string(json_object_array_get_idx(list, i));
}

static void print_words(const char *label, const char *first, json_object *list, const char *none) {
        size_t n = list ? json_object_array_length(list) : 0;

        printf("%-9s %s", label, first);
        for (size_t i = 0; i < n; i++)
                printf("%s%s", i > 0 ? ", " : "", item(list, i));
        puts(n == 0 ? none : "");
}

static void print_sentences(const char *label, json_object *list) {
        for (size_t i = 0; i < json_object_array_length(list); i++)
                printf("%s: %s\n", label, item(list, i));
}

/* "yes", "with a password", "no" for us; "-" for a kind that is not offered or was not asked about.
 */
static const char *may_open(json_object *network, const char *kind) {
        json_object *answers = json_object_object_get(network, "can-open"), *answer = NULL;
        const char *text;

        if (!answers || !json_object_object_get_ex(answers, kind, &answer))
                return "-";
        text = json_object_get_string(answer);
        return text[0] == 'c' ? "password" : text;
}

typedef struct State {
        const char *name, *shown;
        Tone tone;
} State;

static void add_state(Table *table, const char *name, bool known) {
        static const State states[] = {
                {"error", "cannot serve, see below", TONE_BAD},
                {"partial", "serves in part, see below", TONE_BAD},
                {"warning", "serves, see below", TONE_WARN},
                {"busy", "in use, see below", TONE_WARN},
        };

        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                if (strcmp(states[i].name, name) == 0) {
                        table_add_toned(table, states[i].tone, states[i].shown);
                        return;
                }
        if (!known || strcmp(name, "ok") != 0)
                table_add_toned(table, TONE_WARN, "unknown, see below");
        else
                table_add(table, "ok");
}

static int add_network(Table *table, json_object *network, bool known) {
        json_object *vlans = json_object_object_get(network, "vlans");
        _cleanup_free_ char *vlan_text = NULL;
        int r = 0;

        if (vlans) {
                const uint32_t pair[2] = {
                        (uint32_t)json_object_get_int64(json_object_array_get_idx(vlans, 0)),
                        (uint32_t)json_object_get_int64(json_object_array_get_idx(vlans, 1))};

                r = vlans_format(pair, &vlan_text);
        }
        table_add(table, json_object_get_string(json_object_object_get(network, "name")));
        table_add(table, vlan_text);
        table_add(table, json_object_get_string(json_object_object_get(network, "parent")));
        table_add(table, may_open(network, "tap"));
        table_add(table, may_open(network, "packet"));
        add_state(table, json_object_get_string(json_object_object_get(network, "state")), known);
        return r;
}

/* known: networks serve all of them without a problem. The headings belong to the report, in a
 * pipe, too. */
static int print_networks(json_object *networks, bool known) {
        static const TableColumn columns[] = {{"NETWORK"}, {"VLAN"},   {"PARENT"},
                                              {"TAP"},     {"PACKET"}, {"STATE"}};
        _cleanup_(table_done) Table table = TABLE_OF(columns);
        Screen screen;
        int r = 0;

        for (size_t i = 0; i < json_object_array_length(networks) && r >= 0; i++)
                r = add_network(&table, json_object_array_get_idx(networks, i), known);
        screen_look(STDOUT_FILENO, true, &screen);
        screen.legend = true;
        return r < 0 ? r : table_print(&table, stdout, &screen);
}

int check_show(json_object *root) {
        json_object *service = json_object_object_get(root, "service"),
                    *group = json_object_object_get(root, "group");
        json_object *networks = json_object_object_get(root, "networks");
        int r;

        if (service) {
                printf("%-9s rawnetd %s\n", "service",
                       json_object_get_string(json_object_object_get(service, "version")));
                print_words("features", "", json_object_object_get(service, "features"), "none");
        } else
                print_words("service", "", NULL, "none");
        print_words("group", RAWNET_GROUP ": ", group, group ? "nobody" : "does not exist");
        putchar('\n');
        if (json_object_array_length(networks) > 0) {
                r = print_networks(networks, json_object_array_length(json_object_object_get(
                                                     root, "problems")) == 0);
                if (r < 0)
                        return r;
                putchar('\n');
        }
        print_sentences("problem", json_object_object_get(root, "problems"));
        for (size_t i = 0; i < json_object_array_length(networks); i++) {
                json_object *network = json_object_array_get_idx(networks, i);

                print_sentences(json_object_get_string(json_object_object_get(network, "name")),
                                json_object_object_get(network, "problems"));
        }
        print_sentences("note", json_object_object_get(root, "notes"));
        return 0;
}
