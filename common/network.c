/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Questions about a network that has been read: its name, what of it may be asked for, its values
 * in words. The same rule for rawnetd and for the helper, which both ask. Reads no file.
 */

#include <inttypes.h>
#include <linux/if_ether.h>
#include <string.h>

#include "common/bit-rate.h"
#include "common/network.h"
#include "common/text.h"

static bool is_name_character(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
}

size_t network_name_length(const char *text) {
        size_t n = 0;

        while (is_name_character(text[n]))
                n++;
        return n;
}

bool interface_name_is_valid(const char *name) {
        size_t n = strnlen(name, IFNAMSIZ);

        if (n == 0 || n == IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return false;
        for (; *name; name++)
                if (*name <= ' ' || *name > '~' || *name == '/' || *name == ':')
                        return false;
        return true;
}

bool interface_name_is_sane(const char *name) {
        if (!interface_name_is_valid(name) || name[0] == '-' || name[0] == '.' ||
            strcmp(name, "all") == 0 || strcmp(name, "default") == 0)
                return false;
        while (is_name_character(*name) || *name == '.')
                name++;
        return *name == '\0';
}

int interface_name_check(const char *name, const char *what, const char *of, Refusal *ret_refusal) {
        if (interface_name_is_sane(name))
                return 0;
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "%s %s: '%.64s' is no name for an interface; it takes 1 to %d letters, "
                      "digits, '-', '_' and '.', not '-' or '.' first, and neither all nor default",
                      what, of, name, IFNAMSIZ - 1);
}

int network_name_parse(const char *text, NetworkName *ret, Refusal *ret_refusal) {
        size_t length = network_name_length(text);
        NetworkName name = {0};
        uint32_t vlan = 0;

        if (length > RAWNET_NETWORK_NAME_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %.40s...: the name is longer than %u characters; "
                              "rawnetctl networks shows the names that there are",
                              text, RAWNET_NETWORK_NAME_MAX);
        if (length == 0 || (text[length] != '\0' && text[length] != '.'))
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "network %.80s: this is not a network name; letters, digits, '-' and '_' "
                        "make one, with .VID behind for one VLAN of a range, as in lab.100",
                        text);
        if (text[length] == '.' && text_parse_u32(text + length + 1, 1, VLAN_ID_MAX, &vlan) < 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %.80s: what follows the dot is not a VLAN number; write "
                              "one from 1 to %u, as in lab.100",
                              text, VLAN_ID_MAX);
        memcpy(name.name, text, length);
        name.vlan = (uint16_t)vlan;
        *ret = name;
        return 0;
}

int network_pick_vlan(const Network *network, const NetworkName *name, uint16_t *ret_vlan,
                      Refusal *ret_refusal) {
        if (network->vlan_first == network->vlan_last) {
                if (name->vlan != 0)
                        return refuse(ret_refusal, RAWNET_NO_SUCH_NETWORK,
                                      "network %s.%u: %s is not a range of VLANs; ask for %s alone",
                                      name->name, name->vlan, network->name, network->name);
                *ret_vlan = network->vlan_first;
                return 0;
        }
        if (name->vlan == 0)
                return refuse(
                        ret_refusal, RAWNET_NO_SUCH_NETWORK,
                        "network %s: it is a range of VLANs, %u to %u; ask for one of them, as "
                        "in %s.%u",
                        network->name, network->vlan_first, network->vlan_last, network->name,
                        network->vlan_first);
        if (name->vlan < network->vlan_first || name->vlan > network->vlan_last)
                return refuse(ret_refusal, RAWNET_NO_SUCH_NETWORK,
                              "network %s.%u: %s has the VLANs %u to %u; ask for one of them",
                              name->name, name->vlan, network->name, network->vlan_first,
                              network->vlan_last);
        *ret_vlan = name->vlan;
        return 0;
}

int network_has_room(const Network *network, const char *name, size_t n_leases,
                     Refusal *ret_refusal) {
        if (n_leases < network->max_leases)
                return 0;
        return refuse(ret_refusal, RAWNET_QUOTA_EXCEEDED,
                      "network %s has %zu of at most %u %s; close one of them (rawnetctl list), or "
                      "ask an administrator to raise MaxLeases= in %s",
                      name, n_leases, network->max_leases,
                      text_plural(network->max_leases, "lease", "leases"), network->path);
}

/* "tap and veth". */
#define KINDS_TEXT_SIZE 48u

static void list_kinds(unsigned kinds, char ret[static KINDS_TEXT_SIZE]) {
        size_t n = 0;

        ret[0] = '\0';
        for (LeaseKind kind = KIND_TAP; kind < KIND_UNKNOWN; kind++)
                if (kinds & KIND_BIT(kind))
                        n += (size_t)snprintf(ret + n, KINDS_TEXT_SIZE - n, "%s%s",
                                              n > 0 ? " and " : "", lease_kind_to_string(kind));
}

int network_offers(const Network *network, LeaseKind kind, Refusal *ret_refusal) {
        const char *asked = lease_kind_to_string(kind);
        char offered[KINDS_TEXT_SIZE];

        if (network->kinds & KIND_BIT(kind))
                return 0;
        list_kinds(network->kinds, offered);
        return refuse(
                ret_refusal, RAWNET_KIND_NOT_OFFERED,
                "network %s offers %s leases only, not %s; ask for %s, or have the administrator "
                "add %s to Kinds= in %s",
                network->name, offered, asked,
                (network->kinds & (network->kinds - 1)) ? "one of these" : offered, asked,
                network->path);
}

int network_allows_mac(const Network *network, const char *name, const MacAddress *mac,
                       Refusal *ret_refusal) {
        char text[MAC_TEXT_SIZE], prefixes[MAC_PREFIXES_TEXT_SIZE];

        if (mac_allowed(mac, &network->mac_prefixes))
                return 0;
        (void)mac_format(mac, text);
        (void)mac_prefixes_format(&network->mac_prefixes, prefixes);
        return refuse(
                ret_refusal, RAWNET_INVALID_ARGS,
                "network %s: MAC address %s is not allowed: it must be a unicast address that %s%s "
                "(MACPrefix= in %s); choose such an address, leave mac out for one that rawnet chooses, or ask "
                "the administrator to add %.8s to MACPrefix=",
                name, text, prefixes[0] ? "begins with " : "is locally administered", prefixes,
                network->path, text);
}

int network_lets_choose_mac(const Network *network, const char *name, Refusal *ret_refusal) {
        if (!network->derived_macs)
                return 0;
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "network %s: MACChoice=derived in %s: rawnet chooses every address here, and "
                      "nobody names or learns one; leave mac out (rawnetctl: no --mac), and give "
                      "the lease a name for an address that stays the same",
                      name, network->path);
}

int network_locks_addresses(const Network *network, const char *name, size_t n,
                            Refusal *ret_refusal) {
        if (n == 0 || network->anti_spoof)
                return 0;
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "network %s: AntiSpoof=no in %s lets a guest send from any MAC address, so "
                      "that nothing keeps it to IP addresses; leave addresses out (rawnetctl: no "
                      "--address), or ask an administrator to write AntiSpoof=yes",
                      name, network->path);
}

int network_choose_mac(const Network *network, const char *name, const MacPrefix **ret,
                       Refusal *ret_refusal) {
        const MacPrefix *prefix = mac_prefix_to_choose(&network->mac_prefixes);

        if (!prefix)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "network %s: rawnet chooses no address here: MACPrefix= in %s has no locally "
                        "administered prefix of at most 4 octets; give an address with mac, or ask the "
                        "administrator to add such a prefix, as 52:54:00",
                        name, network->path);
        *ret = prefix;
        return 0;
}

int network_rate(const Network *network, const char *name, uint64_t asked, uint64_t *ret,
                 Refusal *ret_refusal) {
        char asks[BIT_RATE_TEXT_SIZE], has[BIT_RATE_TEXT_SIZE];

        if (asked != 0 && !bit_rate_is_valid(asked))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %s: a rate of %" PRIu64
                              " bits a second is not possible; ask "
                              "for " BIT_RATE_INSTEAD,
                              name, asked);
        if (asked != 0 && network->rate != 0 && asked > network->rate)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %s: a rate of %s is more than Rate=%s in %s allows; ask for "
                              "less, or leave rate out (rawnetctl: no --rate)",
                              name, bit_rate_format(asked, asks),
                              bit_rate_format(network->rate, has), network->path);
        *ret = asked != 0 ? asked : network->rate;
        return 0;
}

const MacPrefix *network_reserving(const Network *network, const char *parent, uint16_t vlan) {
        if (strcmp(network->parent, parent) != 0 || vlan < network->vlan_first ||
            vlan > network->vlan_last)
                return NULL;
        return mac_prefix_to_choose(&network->mac_prefixes);
}

const char *network_mode_to_string(NetworkMode mode) {
        switch (mode) {
        case MODE_BRIDGE:
                return "bridge";
        case MODE_PRIVATE:
                return "private";
        case MODE_VEPA:
                return "vepa";
        case MODE_EXCLUSIVE:
                return "exclusive";
        }
        return "?";
}

const char *network_mac_choice_to_string(const Network *network) {
        return network->derived_macs ? "derived" : "any";
}

const char *address_lock_to_string(AddressLock lock) {
        return lock == ADDRESS_LOCK_GIVEN ? "given" : "off";
}

const char *lease_kind_to_string(LeaseKind kind) {
        switch (kind) {
        case KIND_TAP:
                return "tap";
        case KIND_PACKET:
                return "packet";
        case KIND_VETH:
                return "veth";
        case KIND_UNKNOWN:
                return "unknown";
        }
        return "?";
}

int lease_kind_from_string(const char *text, LeaseKind *ret) {
        for (LeaseKind kind = KIND_TAP; kind < KIND_UNKNOWN; kind++)
                if (strcmp(text, lease_kind_to_string(kind)) == 0) {
                        *ret = kind;
                        return 0;
                }
        return -EINVAL;
}

const char *vlan_protocol_to_string(uint16_t protocol) {
        return protocol == ETH_P_8021AD ? "802.1ad" : "802.1Q";
}

const char *vlan_protocol_detail(uint16_t vlan, uint16_t protocol) {
        return vlan == 0 ? "none" : vlan_protocol_to_string(protocol);
}

const char *vlan_to_string(uint16_t vlan, char buffer[static 8]) {
        if (vlan == 0)
                snprintf(buffer, 8, "none");
        else
                snprintf(buffer, 8, "%u", vlan);
        return buffer;
}

const char *wire_to_string(const char *parent, uint16_t vlan, char buffer[static WIRE_TEXT_SIZE]) {
        if (vlan == 0)
                snprintf(buffer, WIRE_TEXT_SIZE, "untagged on %s", parent);
        else
                snprintf(buffer, WIRE_TEXT_SIZE, "VLAN %u of %s", vlan, parent);
        return buffer;
}
