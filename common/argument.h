/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Values of command-line options, for all programs. Each function logs one line about a value that
 * it refuses. option is the option's name, "--queues".
 */

#include <sys/types.h>

#include "common/util.h"

/* The exit status of a program that refuses its command line. */
#define EXIT_USAGE 2

/* A decimal number in min..max. 0 or -EINVAL; *ret is untouched on failure. */
int argument_number(const char *option, const char *text, uint32_t min, uint32_t max,
                    uint32_t *ret);

/* The name of a user, or any uid. 0 or -EINVAL; *ret is untouched on failure. */
int argument_user(const char *option, const char *text, uid_t *ret);
