/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * MAC addresses that stay the same on this machine (mac_derive() with the machine's key). The key
 * is a secret of rawnetd: whoever knew it could look for a lease name of his own that gives another
 * user's address.
 */

#include "common/mac.h"
#include "common/refusal.h"

typedef struct MachineKey {
        bool known;
        uint8_t bytes[MAC_KEY_SIZE];
} MachineKey;

/* Reads the key from RAWNET_KEY_FILE, which it makes where there is none. Where that fails the key
 * is not known, addresses are random, and the journal says why. */
void machine_key_load(MachineKey *ret);
/* The same for another directory, with the reason: for tests. 0 or RAWNET_NOT_SUPPORTED. */
int machine_key_load_at(const char *directory, MachineKey *ret, Refusal *ret_refusal);

/* The address for (this machine, uid, network, name). False, and *ret untouched, where the key is
 * not known. */
bool machine_mac_derive(const MachineKey *key, const MacPrefix *prefix, uint32_t uid,
                        const char *network, const char *name, MacAddress *ret);
/* The same; without a key at random. 0 or -errno. */
int machine_mac(const MachineKey *key, const MacPrefix *prefix, uint32_t uid, const char *network,
                const char *name, MacAddress *ret);
