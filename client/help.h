/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetctl help, and --help of rawnetctl and of each command.
 */

#include "client/verbs.h"

/* The list of commands. */
void help_print(FILE *out);
void help_print_verb(FILE *out, const Verb *verb);

/* One line on stderr for a command that does not exist. Returns EXIT_USAGE. */
int say_no_verb(const char *name);

/* Does the command line of a verb, argv from its name on, ask for its help? --help and -h are
 * rawnetctl's before the first argument only where what follows may be another command's. */
bool help_is_wanted(const Verb *verb, int argc, char **argv);
