/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl host up and host down: the host's own interface on a network.
 */

#include <string.h>

#include "client/bus.h"
#include "client/client.h"

typedef struct HostCall {
        const char *member;
        const char *network;
} HostCall;

static int build_host(sd_bus *bus, const void *userdata, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const HostCall *call = userdata;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, RAWNET_BUS_NAME, RAWNET_PATH,
                                           RAWNET_IFACE_MANAGER, call->member);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', call->network);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int call_host(const HostCall *call, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *interface;
        int r;

        r = bus_connect(&bus, ret_refusal);
        if (r == 0)
                r = bus_call_authorized(bus, build_host, call, &reply, ret_refusal);
        if (r == -EINVAL) /* D-Bus strings are UTF-8 */
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the network's name must be plain text");
        if (r != 0 || strcmp(call->member, "HostUp") != 0)
                return r;
        r = sd_bus_message_read_basic(reply, 's', &interface);
        if (r >= 0)
                puts(interface);
        return MIN_OF(r, 0);
}

int verb_host(int argc, char **argv) {
        static const struct option none[] = {{}};
        HostCall call = {};
        Refusal refusal = {};
        int c, r;

        c = getopt_long(argc, argv, ":", none, NULL);
        if (c >= 0)
                return say_bad_option(c, argv);
        if (argc - optind >= 1 && strcmp(argv[optind], "up") == 0)
                call.member = "HostUp";
        else if (argc - optind >= 1 && strcmp(argv[optind], "down") == 0)
                call.member = "HostDown";
        if (argc > optind && !call.member) {
                log_error("host: '%s' is not up or down (rawnetctl host up NETWORK)", argv[optind]);
                return EXIT_USAGE;
        }
        if (argc - optind != 2) {
                log_error("host: %s (rawnetctl host up NETWORK)", argc == optind ? "up or down?"
                                                                  : argc == optind + 1
                                                                          ? "which network?"
                                                                          : "too many arguments");
                return EXIT_USAGE;
        }
        call.network = argv[optind + 1];
        r = call_host(&call, &refusal);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
