/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line of `rawnetctl run`.
 */

#include "client/port.h"

#define RUN_PORTS_MAX 32u

/* Options that describe a port, as getopt_long(3) returns them. */
enum {
        RUN_OPTION_KIND = 0x100,
        RUN_OPTION_MAC,
        RUN_OPTION_NAME,
        RUN_OPTION_QUEUES,
        RUN_OPTION_VHOST,
        RUN_OPTION_VNET_HDR,
        RUN_OPTION_PORT,
};

/* Sets one of them, not RUN_OPTION_PORT. Returns false, after one line, if the value is wrong. */
bool run_option_set(PortRequest *request, int option, const char *value);

typedef struct RunOptions {
        Port ports[RUN_PORTS_MAX];
        size_t n_ports;
        char **command;
} RunOptions;

/* argv[0] is "run". Returns 0, or the exit status after one line on stderr. In either case the
 * caller ends *ret with run_options_done(). */
int run_options_parse(int argc, char **argv, RunOptions *ret);
void run_options_done(RunOptions *options);
