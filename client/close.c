/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl close.
 */

#include "client/bus.h"
#include "client/client.h"
#include "client/lease-argument.h"

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
        r = bus_connect(&bus, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        r = lease_argument(bus, argv[optind], &id);
        if (r != 0)
                return r;
        r = bus_close_lease(bus, id, &refusal);
        return r == 0 ? EXIT_SUCCESS : say_lease_failure(argv[optind], r, &refusal);
}
