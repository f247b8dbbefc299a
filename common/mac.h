/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Ethernet addresses and the policy on them: what a network's MACPrefix= lets a lease use.
 */

#include "util.h"

typedef struct MacAddress {
        uint8_t octet[6];
} MacAddress;

/* MACPrefix=: the first `length` (0..3) octets are fixed. */
typedef struct MacPrefix {
        uint8_t octet[3];
        uint8_t length;
} MacPrefix;

#define MAC_TEXT_SIZE 18u /* "52:54:00:12:34:56" and the NUL */

/* Six two-digit hex octets with ':' between (either case), nothing before or after. Returns 0 or -EINVAL. */
int mac_parse(const char *text, MacAddress *ret);
/* Always lower case. Returns buffer. */
const char *mac_format(const MacAddress *mac, char buffer[static MAC_TEXT_SIZE]);
bool mac_is_zero(const MacAddress *mac);
bool mac_equal(const MacAddress *a, const MacAddress *b);

/* 0 to 3 octets with ':' between; the first, where there is one, locally administered and unicast
 * (IEEE 802-2014 8.2: bit 1 set, bit 0 clear). Returns 0 or -EINVAL. */
int mac_prefix_parse(const char *text, MacPrefix *ret);
/* "52:54:00", "" for length 0. */
const char *mac_prefix_format(const MacPrefix *prefix, char buffer[static MAC_TEXT_SIZE]);

/* May a lease use mac? Locally administered, unicast, and it begins with the prefix. */
bool mac_allowed(const MacAddress *mac, const MacPrefix *prefix);

/* A random address under prefix (getrandom(2)); with length 0 locally administered unicast. 0 or -errno. */
int mac_random(const MacPrefix *prefix, MacAddress *ret);

/* The address that the same (machine, uid, network, name) always gets: SHA-256 over machine id, uid (decimal),
 * network and name, each ended by a NUL, put under prefix. machine is any stable 16 bytes of this host. */
void mac_derive(const MacPrefix *prefix, const uint8_t machine[static 16], uint32_t uid,
                const char *network, const char *name, MacAddress *ret);
