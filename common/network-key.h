/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The keys of a network file: which there are, what each may have as its value, and what holds
 * without it. Knows one assignment at a time: no line, no path and no other key
 * (network-file.c does). Reads no file, changes nothing but the Network, allocates nothing.
 *
 * A new key is a member of NetworkKey, a member of Network (network.h), its default here, and a
 * function with its line in the table of network-key.c.
 */

#include "common/network.h"

typedef enum NetworkKey {
        KEY_DESCRIPTION,
        KEY_PARENT,
        KEY_VLAN,
        KEY_PROTOCOL,
        KEY_MODE,
        KEY_KINDS,
        KEY_ANTI_SPOOF,
        KEY_ADDRESS_LOCK,
        KEY_CONTROL_FRAMES,
        KEY_GUEST_SERVERS,
        KEY_RATE,
        KEY_MTU,
        KEY_MAC_PREFIX,
        KEY_MAC_CHOICE,
        KEY_MAX_LEASES,
        KEY_MAX_LEASES_PER_USER,
        KEY_HOST_INTERFACE,
        KEY_COUNT,
} NetworkKey;

/* A network of a file that has no key but Parent= and VLAN=. */
void network_defaults(Network *ret);

/* The key of that name. 0, or -EINVAL with a sentence: unknown, written in other letters, or a key
 * of an earlier version. */
int network_key_find(const char *name, NetworkKey *ret, char complaint[static REFUSAL_TEXT_MAX]);

/* Writes what the value means into the network. 0, or -EINVAL with a sentence that has key, value
 * and what to write instead. */
int network_key_parse(NetworkKey key, const char *value, Network *network,
                      char complaint[static REFUSAL_TEXT_MAX]);
