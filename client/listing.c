/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/listing.h"

int parse_listing_options(int argc, char **argv, const struct option *options, int min, int max,
                          Listing *ret) {
        int c;

        *ret = (Listing){};
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0)
                switch (c) {
                case 'j':
                        ret->json = true;
                        break;
                case 'l':
                        ret->no_legend = true;
                        break;
                case 'a':
                        ret->all = true;
                        break;
                default:
                        return say_bad_option(c, argv);
                }
        if (argc - optind < min || argc - optind > max) {
                log_error("%s: %s (see 'rawnetctl help %s')", argv[0],
                          argc - optind < min ? "an argument is missing" : "too many arguments",
                          argv[0]);
                return EXIT_USAGE;
        }
        return 0;
}

int list_objects(int argc, char **argv, const ObjectListing *objects_of) {
        static const struct option options[] = {
                {"json", no_argument, NULL, 'j'}, {"no-legend", no_argument, NULL, 'l'}, {}};
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(objects_done) Objects objects = {};
        Refusal refusal = {};
        Listing listing;
        int r;

        r = parse_listing_options(argc, argv, options, 0, 0, &listing);
        if (r != 0)
                return r;
        r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = objects_of->read(bus, &objects, &refusal);
        if (r == 0)
                r = listing.json ? objects_of->print_json(&objects)
                                 : objects_of->print_table(&objects, !listing.no_legend);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
