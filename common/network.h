/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a network is, and what a request may ask of it: one rule for both daemons. Where a Network
 * comes from is network-file.h's. Nothing here reads a file, asks the kernel or allocates.
 */

#include <net/if.h>

#include "common/mac.h"
#include "common/names.h"
#include "common/refusal.h"

typedef enum NetworkMode {
        MODE_BRIDGE,
        MODE_PRIVATE,
        MODE_VEPA,
        MODE_EXCLUSIVE
} NetworkMode;
/* KIND_UNKNOWN: of a lease that a later version opened (helper/kernel/record.c); nobody can ask for
 * one.
 */
typedef enum LeaseKind {
        KIND_TAP,
        KIND_PACKET,
        KIND_VETH, /* an interface in a network namespace of the caller's: Attach() */
        KIND_UNKNOWN
} LeaseKind;

#define KIND_BIT(kind) (1u << (kind))
#define KINDS_ALL (KIND_BIT(KIND_UNKNOWN) - 1u)

/* What a guest may be for other stations of its network (GuestServers=): bits. */
#define GUEST_SERVER_DHCP 1u /* of DHCP and of DHCPv6 */
#define GUEST_SERVER_RA 2u   /* an IPv6 router: router advertisements and redirects */
#define GUEST_SERVERS_ALL (GUEST_SERVER_DHCP | GUEST_SERVER_RA)

/* AddressLock=: which addresses a guest may send from. */
typedef enum AddressLock {
        ADDRESS_LOCK_OFF,   /* any, unless the caller names some */
        ADDRESS_LOCK_GIVEN, /* those that the caller names */
} AddressLock;

#define NETWORK_DIGEST_SIZE 32u
#define NETWORK_LEASES_MAX 65536u /* what MaxLeases= and MaxLeasesPerUser= may say */

/* A network as its file has it, all defaults filled in. */
typedef struct Network {
        char name[RAWNET_NETWORK_NAME_MAX + 1]; /* NAME of the file */
        char path[192];                         /* the file that was read, for messages */
        char description[256];
        char parent[IFNAMSIZ];
        uint16_t vlan_first,
                vlan_last; /* 0, 0: untagged (VLAN=none); equal: one VLAN; else a range */
        uint16_t protocol; /* ETH_P_8021Q or ETH_P_8021AD, host byte order */
        NetworkMode mode;
        unsigned kinds; /* KIND_BIT()s */
        bool anti_spoof;
        bool pass_control;      /* ControlFrames=pass */
        uint32_t guest_servers; /* GUEST_SERVER_ bits */
        AddressLock address_lock;
        uint64_t rate; /* Rate=: bits a second of a lease, each way; 0: no limit */
        uint32_t mtu;  /* 0: the parent's */
        MacPrefixes mac_prefixes;
        bool derived_macs; /* MACChoice=derived: no caller names or learns an address */
        uint32_t max_leases, max_leases_per_user;
        char host_interface[IFNAMSIZ];       /* the host's interface on the network; "": none */
        uint8_t digest[NETWORK_DIGEST_SIZE]; /* SHA-256 of the file's text */
} Network;

/* A request's network name taken apart: "lab" or "lab.100". */
typedef struct NetworkName {
        char name[RAWNET_NETWORK_NAME_MAX + 1];
        uint16_t vlan; /* 0: no ".VID" */
} NetworkName;

/* A network interface's name as the kernel takes it (net/core/dev.c, dev_valid_name()), and
 * ASCII: 1..15 characters, no
 * '/', ':' or blank, not "." or "..". */
bool interface_name_is_valid(const char *name);

/* A name that rawnet gives to an interface in somebody's namespace: of those the ones that no
 * program takes for something else. Letters, digits, '-', '_' and '.', not '-' or '.' first; not
 * "all" or "default" (net.ipv4.conf.*); no '%', which the kernel replaces by a number. */
bool interface_name_is_sane(const char *name);
/* The same with a sentence, in which what and of name whose interface it is: "network", "lab". 0 or
 * RAWNET_INVALID_ARGS. */
int interface_name_check(const char *name, const char *what, const char *of, Refusal *ret_refusal);

/* The number of first characters of text that may be in a network's NAME. */
size_t network_name_length(const char *text);

/* Syntax only: NAME is 1..32 of [A-Za-z0-9_-], an optional ".VID" is 1..4094 with no leading zero.
 * Too long is refused, never cut. Returns 0 or RAWNET_INVALID_ARGS. */
int network_name_parse(const char *text, NetworkName *ret, Refusal *ret_refusal);

/* What a request may ask of a network: one rule for both daemons. name is as given by
 * network_name_parse(). Sets *ret_vlan to the lease's VID (0 untagged). Returns 0,
 * RAWNET_NO_SUCH_NETWORK (VID missing or out of range; a single-VLAN network does not take ".VID").
 */
int network_pick_vlan(const Network *network, const NetworkName *name, uint16_t *ret_vlan,
                      Refusal *ret_refusal);

/* May the network, which has n_leases, get one more (MaxLeases=)? name: as it was asked for. 0 or
 * RAWNET_QUOTA_EXCEEDED. */
int network_has_room(const Network *network, const char *name, size_t n_leases,
                     Refusal *ret_refusal);

/* 0 or RAWNET_KIND_NOT_OFFERED. */
int network_offers(const Network *network, LeaseKind kind, Refusal *ret_refusal);

/* May a port of the network have this address? name: as it was asked for. 0 or RAWNET_INVALID_ARGS,
 * which names MACPrefix= and the file. */
int network_allows_mac(const Network *network, const char *name, const MacAddress *mac,
                       Refusal *ret_refusal);

/* May a caller name a port's address at all, or have it learned? 0 or RAWNET_INVALID_ARGS, which
 * names MACChoice= and the file. */
int network_lets_choose_mac(const Network *network, const char *name, Refusal *ret_refusal);

/* May a port of the network be locked to n addresses that its caller names? 0 or
 * RAWNET_INVALID_ARGS, which names AntiSpoof= and the file. */
int network_locks_addresses(const Network *network, const char *name, size_t n,
                            Refusal *ret_refusal);

/* The limit of a lease, in bits a second each way: the network's, or a lower one that its caller asks
 * for. asked: 0 for none. Sets *ret, to 0 without any limit. 0 or RAWNET_INVALID_ARGS, which names
 * Rate= and the file. */
int network_rate(const Network *network, const char *name, uint64_t asked, uint64_t *ret,
                 Refusal *ret_refusal);

/* The prefix under which rawnet chooses an address on the network. 0 or RAWNET_INVALID_ARGS: there
 * is none. */
int network_choose_mac(const Network *network, const char *name, const MacPrefix **ret,
                       Refusal *ret_refusal);

/* The prefix under which the network reserves addresses on VLAN vlan of parent (mac_is_reserved());
 * NULL: it has no ports there, or chooses no addresses. */
const MacPrefix *network_reserving(const Network *network, const char *parent, uint16_t vlan);

const char *network_mode_to_string(NetworkMode mode);             /* "bridge" … */
const char *network_mac_choice_to_string(const Network *network); /* "any", "derived" */
const char *address_lock_to_string(AddressLock lock);             /* "off", "given" */
const char *lease_kind_to_string(LeaseKind kind);                 /* "tap" …, "unknown" */
int lease_kind_from_string(const char *text, LeaseKind *ret); /* not KIND_UNKNOWN; 0 or -EINVAL */
const char *vlan_protocol_to_string(uint16_t protocol);       /* "802.1Q", "802.1ad" */
/* The same as polkit's detail "protocol" has it: "none" without a VLAN. */
const char *vlan_protocol_detail(uint16_t vlan, uint16_t protocol);
/* "none" or the decimal VID, as polkit's detail "vlan" has it. */
const char *vlan_to_string(uint16_t vlan, char buffer[static 8]);
#define WIRE_TEXT_SIZE 48u
/* "VLAN 100 of eth1" or "untagged on eth0", for people. */
const char *wire_to_string(const char *parent, uint16_t vlan, char buffer[static WIRE_TEXT_SIZE]);
