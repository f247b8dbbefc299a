/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line of `rawnetctl run`.
 */

#include "client/port.h"

#define RUN_PORTS_MAX 32u

typedef struct RunOptions {
        Port ports[RUN_PORTS_MAX];
        size_t n_ports;
        char **command;
} RunOptions;

/* argv[0] is "run". Returns 0, or the exit status after one line on stderr. In either case the
 * caller ends *ret with run_options_done(). */
int run_options_parse(int argc, char **argv, RunOptions *ret);
void run_options_done(RunOptions *options);
