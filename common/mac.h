/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Ethernet addresses and the policy on them: what a network's MACPrefix= lets a lease use.
 */

#include "common/util.h"

typedef struct MacAddress {
        uint8_t octet[6];
} MacAddress;

/* The first `length` (0..6) octets are fixed. Length 0: any locally administered unicast address.
 */
typedef struct MacPrefix {
        uint8_t octet[6];
        uint8_t length;
} MacPrefix;

#define MAC_PREFIXES_MAX 16u

/* MACPrefix=: 1..MAC_PREFIXES_MAX of them. */
typedef struct MacPrefixes {
        MacPrefix prefix[MAC_PREFIXES_MAX];
        uint8_t n;
} MacPrefixes;

#define MAC_KEY_SIZE 16u
#define MAC_TEXT_SIZE 18u /* "52:54:00:12:34:56" and the NUL */

/* Six two-digit hex octets with ':' between (either case), nothing before or after. Returns 0 or
 * -EINVAL. */
int mac_parse(const char *text, MacAddress *ret);
/* Always lower case. Returns buffer. */
const char *mac_format(const MacAddress *mac, char buffer[static MAC_TEXT_SIZE]);
bool mac_is_zero(const MacAddress *mac);
bool mac_equal(const MacAddress *a, const MacAddress *b);

#define MAC_PREFIXES_TEXT_SIZE (MAC_PREFIXES_MAX * MAC_TEXT_SIZE)

/* 0 to 6 octets with ':' between; the first, where there is one, unicast, and locally administered
 * unless there are at least 3 (IEEE 802-2014 8.2: bit 0 clear, bit 1 set). Returns 0 or -EINVAL. */
int mac_prefix_parse(const char *text, MacPrefix *ret);
/* "52:54:00", "" for length 0. */
const char *mac_prefix_format(const MacPrefix *prefix, char buffer[static MAC_TEXT_SIZE]);

/* Several prefixes with blanks between; a text of blanks only is the one prefix of length 0.
 * Returns 0 or -EINVAL. */
int mac_prefixes_parse(const char *text, MacPrefixes *ret);
/* "52:54:00 bc:24:11". */
const char *mac_prefixes_format(const MacPrefixes *prefixes,
                                char buffer[static MAC_PREFIXES_TEXT_SIZE]);

/* May a lease use mac? It is unicast, not zero, and begins with one of the prefixes. */
bool mac_allowed(const MacAddress *mac, const MacPrefixes *prefixes);

/* The prefix under which rawnet itself chooses addresses: the first locally administered one of at
 * most 4 octets, so that there is room for derived addresses (4,096 with 4 octets). NULL: there is
 * none. */
const MacPrefix *mac_prefix_to_choose(const MacPrefixes *prefixes);

/* Is mac under prefix, and in the sixteenth of it that is reserved for derived addresses? There the
 * upper half of the octet behind the prefix is all ones. A sixteenth: most addresses that other
 * tools draw at random under the same prefix stay free. Prefixes of more than 4 octets reserve
 * nothing. */
bool mac_is_reserved(const MacAddress *mac, const MacPrefix *prefix);
/* The same for one of the prefixes. */
bool mac_is_reserved_by(const MacAddress *mac, const MacPrefixes *prefixes);

/* A random address under prefix (0..4 octets), not a reserved one. 0 or -errno. */
int mac_random(const MacPrefix *prefix, MacAddress *ret);

/* The address that the same (key, uid, network, name) always gets: SHA-256 over key, uid (decimal),
 * network and name, each ended by a NUL, put under prefix (0..4 octets), among the reserved ones.
 * Whoever knows the key can look for words that give a certain address. */
void mac_derive(const MacPrefix *prefix, const uint8_t key[static MAC_KEY_SIZE], uint32_t uid,
                const char *network, const char *name, MacAddress *ret);
