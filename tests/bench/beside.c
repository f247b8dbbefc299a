/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What an honest user waits for while others flood the bus: flood.py runs it.
 *
 *   beside NETWORK COUNT SECONDS
 *
 * A round is four calls, one after the other: GetId to the bus alone, Ping to rawnetd, a question
 * to polkit alone, OpenTap. Prints a line a round, microseconds of each, "-" for a call that
 * failed (its reason on stderr). Ends after COUNT rounds or SECONDS, whichever comes first, but
 * never within a round.
 */

#include <err.h>
#include <poll.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "common/clock.h"
#include "common/names.h"
#include "common/text.h"
#include "common/util.h"

#define PATIENCE_USEC (60 * UINT64_C(1000000)) /* of one call */
/* The user's pause between two ports: the kernel has removed the last one by then. */
#define PAUSE_MSEC 50

/* One call; its reply, which holds the port's only descriptor after OpenTap, is the caller's. */
typedef int (*Call)(sd_bus *bus, const char *network, sd_bus_error *error,
                    sd_bus_message **ret_reply);

static int ask_bus(sd_bus *bus, const char *network, sd_bus_error *error,
                   sd_bus_message **ret_reply) {
        return sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "GetId", error, ret_reply, "");
}

static int ask_service(sd_bus *bus, const char *network, sd_bus_error *error,
                       sd_bus_message **ret_reply) {
        return sd_bus_call_method(bus, RAWNET_BUS_NAME, RAWNET_PATH, "org.freedesktop.DBus.Peer",
                                  "Ping", error, ret_reply, "");
}

static int ask_polkit(sd_bus *bus, const char *network, sd_bus_error *error,
                      sd_bus_message **ret_reply) {
        const char *name;
        int r = sd_bus_get_unique_name(bus, &name);

        if (r < 0)
                return r;
        return sd_bus_call_method(bus, "org.freedesktop.PolicyKit1",
                                  "/org/freedesktop/PolicyKit1/Authority",
                                  "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization",
                                  error, ret_reply, "(sa{sv})sa{ss}us", "system-bus-name", 1,
                                  "name", "s", name, RAWNET_ACTION_OPEN_TAP, 0, 0, "");
}

static int open_port(sd_bus *bus, const char *network, sd_bus_error *error,
                     sd_bus_message **ret_reply) {
        return sd_bus_call_method(bus, RAWNET_BUS_NAME, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                  "OpenTap", error, ret_reply, "sa{sv}", network, 0);
}

static void measure(Call call, sd_bus *bus, const char *network) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t start = clock_usec(CLOCK_MONOTONIC);
        int r = call(bus, network, &error, &reply);

        if (r >= 0) {
                printf("%llu ", (unsigned long long)(clock_usec(CLOCK_MONOTONIC) - start));
                return;
        }
        printf("- ");
        warnx("%s", error.message ? error.message : strerror(-r));
}

int main(int argc, char **argv) {
        static const Call calls[] = {ask_bus, ask_service, ask_polkit, open_port};
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        uint32_t count, seconds;
        uint64_t end;

        if (argc != 4 || text_parse_u32(argv[2], 1, 10000, &count) < 0 ||
            text_parse_u32(argv[3], 1, 3600, &seconds) < 0)
                errx(2, "beside NETWORK COUNT SECONDS");
        if (sd_bus_open_system(&bus) < 0 || sd_bus_set_method_call_timeout(bus, PATIENCE_USEC) < 0)
                errx(1, "no system bus");
        end = clock_usec(CLOCK_MONOTONIC) + seconds * UINT64_C(1000000);
        for (uint32_t i = 0; i < count && clock_usec(CLOCK_MONOTONIC) < end; i++) {
                for (size_t n = 0; n < sizeof(calls) / sizeof(*calls); n++)
                        measure(calls[n], bus, argv[1]);
                printf("\n");
                fflush(stdout);
                (void)poll(NULL, 0, PAUSE_MSEC);
        }
        return 0;
}
