/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl run: opens leases and becomes CMD, with the descriptors from 3 up. After execvp()
 * nothing of rawnetctl is left: no process between the caller and CMD, no descriptor that is not
 * CMD's.
 */

#include <string.h>

#include "client/bus.h"
#include "client/client.h"
#include "client/placeholder.h"
#include "client/port.h"
#include "client/run-options.h"

/* Opens every port over one connection, which is closed again before it returns. */
static int open_ports(Port *ports, size_t n_ports, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = bus_connect(&bus, ret_refusal);
        for (size_t i = 0; i < n_ports && r == 0; i++)
                r = bus_open_port(bus, &ports[i], ret_refusal);
        return r;
}

static int replace_arguments(char **command, PortList *list, char ***ret, Refusal *ret_refusal) {
        size_t n = 0;
        char **replaced;

        while (command[n])
                n++;
        replaced = calloc(n + 1, sizeof(*replaced));
        if (!replaced)
                return -ENOMEM;
        *ret = replaced; /* lives until exec or exit */
        for (size_t i = 0; i < n; i++) {
                int r = placeholder_replace(command[i], port_lookup, list, &replaced[i],
                                            ret_refusal);

                if (r != 0)
                        return r;
        }
        return 0;
}

/* A guest with another MAC than its lease's gets nothing in and nothing out, and no error anywhere:
 * worth a line. Not for learn, not for packet, whose program reads the MAC or does not care. */
static void warn_unused_mac(const PortList *list, char **command) {
        for (size_t i = 0; i < list->n_ports; i++) {
                const Port *port = &list->ports[i];
                bool used = port->mac_used;

                if (port->request.kind != KIND_TAP || !*port->mac)
                        continue;
                for (char **argument = command; *argument && !used; argument++)
                        used = strcasestr(*argument, port->mac) || strstr(*argument, "RAWNET_MAC");
                if (!used)
                        log_warning("nothing in the command line uses the MAC of the port on %s, "
                                    "%s: a guest with another one "
                                    "stays off the network ({mac} in an argument is replaced; "
                                    "--mac learn takes the guest's)",
                                    port->request.network, port->mac);
        }
}

int verb_run(int argc, char **argv) {
        RunOptions options;
        PortList list;
        Refusal refusal = {};
        char **command;
        int r;

        r = run_options_parse(argc, argv, &options);
        if (r != 0)
                return r;
        r = open_ports(options.ports, options.n_ports, &refusal);
        if (r != 0) {
                say_failure(r, &refusal);
                return EXIT_OWN_FAILURE;
        }
        ports_number_from_three(options.ports, options.n_ports);
        list = (PortList){.ports = options.ports, .n_ports = options.n_ports};
        r = replace_arguments(options.command, &list, &command, &refusal);
        if (r == 0) {
                warn_unused_mac(&list, command);
                r = ports_set_environment(options.ports, options.n_ports);
        }
        if (r == 0)
                r = ports_place(options.ports, options.n_ports);
        if (r != 0) {
                say_failure(r, &refusal);
                return EXIT_OWN_FAILURE;
        }
        return run_program(command);
}
