/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The descriptor of a network namespace that a caller hands over (Attach()): is it one, and whose?
 * The same rule for rawnetd, which asks before polkit is asked, and for the helper, which trusts
 * nobody. A descriptor comes from a stranger: nothing here may wait for whoever made it, as
 * ioctl(), fstat() and read() of a FUSE file do.
 */

#include "common/refusal.h"

/* Does fd refer to a network namespace that uid owns: one that belongs to a user namespace which
 * uid created, and not to the initial user namespace, whoever asks? network is for messages.
 * Returns 0; RAWNET_INVALID_ARGS: fd is something else; RAWNET_ACCESS_DENIED: it is not uid's; or
 * -errno. fd stays the caller's. Sources: ioctl_ns(2), user_namespaces(7). */
int namespace_fd_check(int fd, uint32_t uid, const char *network, Refusal *ret_refusal);
