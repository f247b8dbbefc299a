/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The way to the system bus out of podman's rootless network namespace.
 *
 * For setup and teardown, podman runs netavark, and so the plugin, on a thread of its own whose
 * mount namespace has an empty directory of the user's on /run (containers/common,
 * libnetwork/internal/rootlessnetns). The bus's socket is hidden there. The process that started
 * netavark still sees the host's /run: podman itself, or conmon that started podman. The path
 * /proc/PID/task/TID/root leads through such a process to the socket itself (proc(5)), without
 * another privilege than that of being in the same user namespace. The bus sees the real user, by
 * SO_PEERCRED.
 */

/* Sets DBUS_SYSTEM_BUS_ADDRESS where the bus's socket is hidden and an ancestor sees it. Else
 * nothing changes, and connecting says why it fails. 0 or -ENOMEM. */
int system_bus_find(void);
