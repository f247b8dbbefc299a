/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The terms of a request: everything that decides what its caller gets, from the request itself and
 * from the network's file. Both daemons derive them here, from their own reading of the file.
 * rawnetd puts them to polkit, and compares them again, byte by byte, when the answer has come; the
 * helper compares its own with those that rawnetd sends. So no member can be left out of a
 * comparison. The file's digest is a member: a key that has no member of its own is compared, too.
 */

#include "common/ipc.h"

/* network_file_load(), or network_file_load_wait() where the caller may block. */
typedef int (*NetworkLoad)(const char *name, Network *ret, Refusal *ret_refusal);

/* In: open->network, kind, vnet_hdr. Reads the network's file and sets open->parent, vlan,
 * protocol, mode, guest_servers and file_digest. Returns 0, a refusal (no such network or VLAN, a
 * bad file, a kind that is not offered, RAWNET_NETWORK_BUSY while the file is being written), or
 * -errno. On a refusal open is partly set. */
int terms_open(NetworkLoad load, IpcOpen *open, Network *ret_network, Refusal *ret_refusal);

/* In: host->network. Sets host->parent, interface, vlan, protocol and file_digest; mac is the
 * caller's to set. Returns 0, a refusal (RAWNET_NOT_SUPPORTED without HostInterface=,
 * RAWNET_NETWORK_BUSY while the file is being written), or -errno. */
int terms_host(NetworkLoad load, IpcHost *host, Network *ret_network, Refusal *ret_refusal);

/* The same for the helper: the terms that rawnetd sends, against the file as it is now. What
 * terms_open() and terms_host() return, or RAWNET_ACCESS_DENIED where the file gives others. Waits
 * for a file that is being written. *ret_network is untouched on failure. */
int terms_confirm_open(const IpcOpen *open, Network *ret_network, Refusal *ret_refusal);
int terms_confirm_host(const IpcHost *host, Network *ret_network, Refusal *ret_refusal);
