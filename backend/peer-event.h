/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The front end's event descriptors (eventfd(2)): kick, call and error. Every check of them and
 * every write to them is here. The front end holds the same open file, so it may clear O_NONBLOCK
 * and fill the counter at any moment. A write never waits longer than a tick all the same: a timer
 * interrupts it.
 */

#include "common/refusal.h"

/* Once, before sandbox_enter(): opens /proc/self/fd and sets the handler of SIGALRM, which is this
 * module's own from then on. 0 or a RawnetError. */
int peer_event_init(Refusal *ret_refusal);
/* /proc/self/fd: the one directory that the sandbox lets readlinkat() use. -1 before
 * peer_event_init(). */
int peer_event_directory(void);

/* Takes only an eventfd, and sets O_NONBLOCK on it. what names the descriptor in the refusal
 * ("kick"). fd stays the caller's. 0 or RAWNET_INVALID_ARGS. */
int peer_event_check(int fd, const char *what, uint32_t ring, Refusal *ret_refusal);

/* Adds 1 to the counter. 0, also where the counter is full: then its reader knows already.
 * RAWNET_INVALID_ARGS: the front end made the write block. Any refusal is the end of the port. */
int peer_event_signal(int fd, Refusal *ret_refusal);
