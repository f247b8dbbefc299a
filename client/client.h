/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetctl's verbs, and functions that several of them use. A verb gets argv from its own name on
 * and returns the exit status.
 */

#include <getopt.h>

#include "common/argument.h"
#include "common/log.h"
#include "common/refusal.h"

enum {
        /* Of what runs another program, as env(1) has it. */
        EXIT_OWN_FAILURE = 125,
        EXIT_NOT_RUNNABLE = 126,
        EXIT_NOT_FOUND = 127,
};

int verb_networks(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_close(int argc, char **argv);
int verb_stat(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_log(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_qemu(int argc, char **argv);
int verb_attach(int argc, char **argv);
int verb_host(int argc, char **argv);
int verb_plug(int argc, char **argv);
int verb_unplug(int argc, char **argv);
int verb_vhost(int argc, char **argv);
int verb_help(int argc, char **argv);

/* One line on stderr for what a function returned: the refusal's sentence (r > 0) or the errno's
 * text. Returns EXIT_FAILURE. */
int say_failure(int r, const Refusal *refusal);

/* One line for what getopt_long() (opterr 0, optstring with ':') answered with '?' or ':';
 * argv is a verb's. Returns EXIT_USAGE. */
int say_bad_option(int c, char **argv);

/* Would run_program() find the program? Asked before anything is opened or anybody is asked for a
 * password. 0, or the exit status that env(1) has for it, after one line on stderr. */
int find_program(const char *program);

/* execvp(3); returns only if that failed, with the exit status env(1) has for it. */
int run_program(char **argv);
