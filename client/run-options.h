/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line of `rawnetctl run`.
 */

#include <net/if.h>

#include "client/port.h"

#define RUN_PORTS_MAX 32u

/* As getopt_long(3) returns them. Those before RUN_OPTION_PORT, and --interface, describe a port. */
enum {
        RUN_OPTION_KIND = 0x100,
        RUN_OPTION_MAC,
        RUN_OPTION_NAME,
        RUN_OPTION_ADDRESS,
        RUN_OPTION_RATE,
        RUN_OPTION_QUEUES,
        RUN_OPTION_VHOST,
        RUN_OPTION_VNET_HDR,
        RUN_OPTION_PORT,
        RUN_OPTION_INTERFACE,
        RUN_OPTION_TAP,
        RUN_OPTION_DHCP,
};

/* One more --address of a port. Returns false, after one line, if it is wrong. */
bool run_option_address(PortRequest *request, const char *value);
/* --rate, likewise. */
bool run_option_rate(PortRequest *request, const char *value);

/* Sets one that describes a port. Returns false, after one line, if the value is wrong. */
bool run_option_set(PortRequest *request, int option, const char *value);

typedef struct RunOptions {
        Port ports[RUN_PORTS_MAX];
        size_t n_ports;
        /* "eth0" and so on, for ports of kind veth without --interface; ports[] point there. */
        char interfaces[RUN_PORTS_MAX][IFNAMSIZ];
        char **command;
        const char *tap; /* NULL: none; with one port of kind veth only */
        bool dhcp;       /* likewise */
} RunOptions;

/* Does a port of kind veth ask for an interface in CMD's namespace? */
bool run_options_veth(const RunOptions *options);

/* argv[0] is "run". Returns 0, or the exit status after one line on stderr. In either case the
 * caller ends *ret with run_options_done(). */
int run_options_parse(int argc, char **argv, RunOptions *ret);
void run_options_done(RunOptions *options);
