/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl run: opens leases and becomes CMD, with the descriptors from 3 up. After execvp()
 * nothing of rawnetctl is left: no process between the caller and CMD, no descriptor that is not
 * CMD's. With ports of kind veth it becomes CMD in namespaces of CMD's own; beside it there is the
 * keeper of --dhcp.
 */

#include <string.h>

#include "client/bus.h"
#include "client/client.h"
#include "client/parse.h"
#include "client/placeholder.h"
#include "client/port.h"
#include "client/run-options.h"
#include "client/run-veth.h"

/* Opens every port over one connection, which is closed again before it returns. */
static int open_ports(Port *ports, size_t n_ports, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = ports_check_addresses(ports, n_ports, ret_refusal);

        if (r == 0)
                r = bus_connect(&bus, ret_refusal);
        for (size_t i = 0; i < n_ports && r == 0; i++) {
                r = bus_open_port(bus, &ports[i], ret_refusal);
                if (r > 0)
                        ports_explain_refusal(ports, i, ret_refusal);
        }
        return r;
}

static int replace_arguments(char **command, PortList *list, char ***ret, Refusal *ret_refusal) {
        _cleanup_(argv_freep) char **replaced = NULL;
        size_t n = 0;

        while (command[n])
                n++;
        replaced = calloc(n + 1, sizeof(*replaced));
        if (!replaced)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = placeholder_replace(command[i], port_lookup, list, &replaced[i],
                                            ret_refusal);

                if (r != 0)
                        return r;
        }
        *ret = TAKE_PTR(replaced);
        return 0;
}

/* A guest with another MAC than its lease's gets nothing in and nothing out, and no error anywhere:
 * worth a line. Not for learn; not for packet, whose program reads the MAC or does not care; for veth
 * with a tap between. */
static void warn_unused_mac(const PortList *list, bool tap, char **command) {
        for (size_t i = 0; i < list->n_ports; i++) {
                const Port *port = &list->ports[i];
                bool used = port->mac_used;

                if ((port->request.kind != KIND_TAP && !tap) || !*port->mac)
                        continue;
                for (char **argument = command; *argument && !used; argument++)
                        used = strcasestr(*argument, port->mac) || strstr(*argument, "RAWNET_MAC");
                if (!used)
                        log_warning(
                                "the command does not use the port's MAC address %s; a guest with "
                                "another one gets no traffic. Write {mac} for it, or use --mac learn",
                                port->mac);
        }
}

/* Everything from open ports to what CMD finds when it starts. */
static int prepare(RunOptions *options, char ***ret_command, Refusal *ret_refusal) {
        PortList list = {.ports = options->ports, .n_ports = options->n_ports};
        int r;

        ports_number_from_three(options->ports, options->n_ports);
        r = replace_arguments(options->command, &list, ret_command, ret_refusal);
        if (r != 0)
                return r;
        warn_unused_mac(&list, options->tap, *ret_command);
        r = ports_set_environment(options->ports, options->n_ports);
        return r < 0 ? r : ports_place(options->ports, options->n_ports, ret_refusal);
}

/* Checks placeholders before anything is opened or anybody is asked for a password. 0 or the exit
 * status. */
static int look_for_command(const RunOptions *options) {
        char **command = options->command;
        int r = strchr(command[0], '{') ? 0
                                        : find_program(command[0]); /* {name} is not known yet */

        /* run --port a=lab lab -- CMD */
        if (r == EXIT_NOT_FOUND && options->ports[0].name && command[1] &&
            strcmp(command[1], "--") == 0)
                log_error(
                        "with --port, %s is taken for the command: give NETWORK or --port, not both",
                        command[0]);
        return r;
}

int verb_run(int argc, char **argv) {
        _cleanup_(run_options_done) RunOptions options = {};
        _cleanup_(argv_freep) char **command = NULL;
        _cleanup_(run_veth_done) RunVeth veth = RUN_VETH_INIT;
        Refusal refusal = {};
        int r;

        r = run_options_parse(argc, argv, &options);
        if (r != 0)
                return r;
        r = look_for_command(&options);
        if (r != 0)
                return r;
        r = run_veth_open(&options, &veth, &refusal);
        if (r == 0)
                r = open_ports(options.ports, options.n_ports, &refusal);
        if (r == 0)
                r = run_veth_enter(&veth, &options, &refusal);
        if (r == 0)
                r = prepare(&options, &command, &refusal);
        if (r == 0)
                return run_program(command);
        say_failure(r, &refusal);
        return EXIT_OWN_FAILURE;
}
