/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's end of a netlink socket, for message building and reply parsing only: what is said
 * is kept, what is answered was put there before. It says nothing about what a kernel does; the
 * netns tests do, with a real one.
 *
 * Both calls are among those that fault_arm() makes fail.
 * Stands in by -Wl,--wrap=mnl_socket_sendto and --wrap=mnl_socket_recvfrom (tests/unit/meson.build,
 * more_wraps).
 */

#include <libmnl/libmnl.h>

#include "helper/kernel/netlink.h"

/* A talk with it: no request so far, no answers. */
Netlink fake_kernel(void);

/* What was sent last, and how often something was sent. */
const struct nlmsghdr *fake_kernel_heard(size_t *ret_size);
unsigned fake_kernel_requests(void);

/* The next datagram to come back. A sequence number 0 in it becomes that of the request. When all
 * have been read, reading fails with errnum of fake_kernel_end_with() (ENODATA unless told). */
void fake_kernel_answers(const void *data, size_t size);
void fake_kernel_end_with(int errnum);

/* An NLMSG_ERROR: error 0 is the ack. extack may be NULL. flags: NLM_F_CAPPED or 0, then the
 * request's payload (8 bytes of it) comes back before the text. */
void fake_kernel_acks(int error, const char *extack, uint16_t flags);
