/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: what stands between this machine and its networks, and what to do about each.
 * All of it is gathered into the JSON that --json prints; check-show.c reads the same for people.
 */

#include "client/check.h"

#include <stdarg.h>
#include <string.h>

#include "client/listing.h"
#include "common/network-file.h"
#include "common/text.h"

void add_sentence(json_object *list, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                abort();
        va_end(ap);
        json_object_array_add(list, json_object_new_string(text));
}

json_object *add_list(json_object *object, const char *key) {
        json_object *list = json_object_new_array();

        if (!list || json_object_object_add(object, key, list) < 0)
                abort();
        return list;
}

static int check_networks(Check *check, const char *only) {
        json_object *networks = add_list(check->root, "networks");
        char **names;
        size_t n;
        int r;

        if (only) {
                _cleanup_free_ char *shown = strdup(only);

                if (!shown)
                        return -ENOMEM;
                /* The name is shown on a terminal or in JSON. No valid name of a network is changed
                 * by that. */
                text_make_printable(shown);
                check_network(check, networks, shown);
                return 0;
        }
        r = network_file_list(&names, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                check_network(check, networks, names[i]);
        network_names_free(names, n);
        return 0;
}

/* No list of problems has an entry, and there is at least one network. */
static bool all_good(json_object *root) {
        json_object *networks = json_object_object_get(root, "networks");
        size_t n = json_object_array_length(networks);

        if (n == 0 || json_object_array_length(json_object_object_get(root, "problems")) > 0)
                return false;
        for (size_t i = 0; i < n; i++)
                if (json_object_array_length(json_object_object_get(
                            json_object_array_get_idx(networks, i), "problems")) > 0)
                        return false;
        return true;
}

int verb_check(int argc, char **argv) {
        Check check = {.features = json_object_new_array(), .root = json_object_new_object()};
        json_object *own_features = check.features, *problems, *notes;
        static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {}};
        Listing listing;
        bool good;
        int r;

        r = parse_listing_options(argc, argv, options, 0, 1, &listing);
        if (r != 0)
                return r;
        if (!check.features || !check.root)
                return say_failure(-ENOMEM, NULL);
        problems = add_list(check.root, "problems");
        notes = add_list(check.root, "notes");
        check_service(&check, problems, notes);

        check_group(check.root, notes);
        r = check_networks(&check, argv[optind]);
        if (r == 0)
                check_membership(check.root, notes);
        if (r < 0)
                return say_failure(r, NULL);
        if (json_object_array_length(json_object_object_get(check.root, "networks")) == 0)
                add_sentence(problems, "no network is set up: write one, " RAWNET_NETWORK_DIR
                                       "/NAME.conf, see rawnet.network(5)");
        good = all_good(check.root);
        r = listing.json ? json_print(json_object_get(check.root)) : check_show(check.root);
        json_object_put(check.root);
        json_object_put(own_features);
        objects_done(&check.objects);
        sd_bus_flush_close_unref(check.bus);
        if (r < 0)
                return say_failure(r, NULL);
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
