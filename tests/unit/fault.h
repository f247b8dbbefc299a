/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One system call or allocation fails, once: the n-th of those that the linker sends through here
 * (-Wl,--wrap). A test repeats what it does with n = 1, 2, 3 ... until nothing was left to fail, so
 * that every failure was seen once.
 */

#include <stdbool.h>

/* From now on the n-th call (from 1) fails with errnum; allocations always with ENOMEM. 0: count
 * only. */
void fault_arm(unsigned n, int errnum);

/* No more failures. Returns whether one happened. */
bool fault_disarm(void);

/* The name of the call that failed last, for messages. */
const char *fault_what(void);

/* Just before the next call of that name, hook runs, once. */
void fault_before(const char *name, void (*hook)(void));

/* For a __wrap_ function of a test's own: is it this call's turn? errno is set then, to errnum or,
 * with 0, to fault_arm()'s. */
bool fault_due(const char *name, int errnum);
