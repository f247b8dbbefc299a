/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Looks for a process by its command line.
 */

#include <stdbool.h>

/* A pidfd (CLOEXEC) of another process, the caller's own or root's, that has text in an argument;
 * with whole: that has an argument which is text. -ENOENT: there is none. -EAGAIN: there may be one,
 * since a process is between two programs at this moment, or has ended and may have left a child. Or
 * another -errno. */
int process_find(const char *text, bool whole);
