/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The front end's event descriptors (eventfd(2)): kick, call and error. Every check of them and
 * every write to them is here. The front end has the same file open, so it may clear O_NONBLOCK and
 * fill the counter at any moment. Even then a write waits for one tick at most: a timer interrupts
 * it.
 */

#include "common/refusal.h"

/* Call once, before sandbox_enter(). Opens /proc/self/fd and installs the handler of SIGALRM; from
 * then on only this module uses that signal. 0 or a RawnetError. */
int peer_event_init(Refusal *ret_refusal);
/* The descriptor of /proc/self/fd: the only directory that the sandbox allows for readlinkat(). -1
 * before peer_event_init(). */
int peer_event_directory(void);

/* Refuses every file but an eventfd, and sets O_NONBLOCK. what is the descriptor's name in the
 * refusal ("kick"). fd stays the caller's. 0 or RAWNET_INVALID_ARGS. */
int peer_event_check(int fd, const char *what, uint32_t ring, Refusal *ret_refusal);

/* Adds 1 to the counter. Returns 0, also where the counter is full: then its reader is signalled
 * already. RAWNET_INVALID_ARGS: the front end made the write block. Any refusal ends the port. */
int peer_event_signal(int fd, Refusal *ret_refusal);
