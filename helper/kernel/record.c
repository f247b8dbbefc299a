/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/text.h"

/*
 * The record's text, in every version:
 *
 *   rawnetVERSION UID KIND ISOLATION VNETHDR VLAN MTU MAC SINCE NETWORK PARENT …
 *
 * VERSION is a number from 1. These eleven fields are the core. In version 1 the lease's name may
 * follow, up to the end. In version 2 these words may follow, in this order:
 *
 *   queues=N             the port has several queues (2 to RAWNET_QUEUES_MAX)
 *   refused=ADDRESS/WHY  the lease learns, and this is the last address that was refused
 *   name=NAME            the lease has a name
 *
 * A record with neither of the first two is of version 1. Version 3 is that of a lease of kind veth,
 * a word that older versions do not know, and is else like version 2. A lease may live longer than the helper
 * that opened it, so helpers of other versions read its record, and keep these rules:
 *
 * 1. Whatever changes the text makes a new version: another field, and another word in a field as
 *    well.
 * 2. The core stays: its order, what its fields mean and how long they may be. KIND and ISOLATION
 *    may get new words. A field that has no meaning for a lease is "-", but every lease has a UID,
 *    VLAN (0: none), NETWORK and PARENT. ISOLATION is "strict". Of leases that earlier versions
 *    opened and that may still live it can be "direct": the holder's sockets are on the uplink.
 * 3. From version 2 on, words KEY=VALUE follow the core. The name comes last, as name=NAME, and
 *    only its value may contain blanks. The whole fits into an alias.
 * 4. A helper writes the oldest version that can say what is to be said, and reads all older ones.
 * 5. A text of its own version or an older one is a record only to the letter.
 * 6. Of a later version it takes what it understands of the core and the name, and skips the rest.
 *    It lists and counts such a lease and leaves it alone: only its holder ends it, and as long as
 *    it lives no shared VLAN interface is deleted. Its port is called record_port_name() in every
 *    version.
 * 7. Where the record says no number of queues, a tap has what the kernel says. (The first release
 *    wrote version 1 for ports with several queues as well.) The kernel does not say it of packet
 *    sockets, so such a port counts as one queue. Were it the most, a user with nine packet ports
 *    could open none after an upgrade. As it is, he may have his whole budget of queues beside
 *    them, once, until they end.
 * 8. A text of a later version in which it cannot read what every lease has is a lease that it does
 *    not know: a scan that meets one is not whole (scan.h).
 */

#define RECORD_PREFIX "rawnet"
#define RECORD_VERSION 3u /* the latest that is understood here */
#define RECORD_STRICT "strict"
#define RECORD_DIRECT "direct" /* of an earlier version, see rule 2 */
#define RECORD_QUEUES_KEY "queues="
#define RECORD_REFUSED_KEY "refused="
#define RECORD_NAME_KEY "name="
#define RECORD_FIELDS 11u /* the core */

/* 7 version, 10 uid, 6 kind, 6 isolation, 1 vnet-hdr, 4 vlan, 10 mtu, 17 mac, 20 since, 37 network,
 * 15 parent, 10 blanks; " queues=16", " name=" and 64. Instead of the 17: "-", " refused=", 17,
 * "/", and 8 for the longest word. */
static_assert(7 + 10 + 6 + 6 + 1 + 4 + 10 + (1 + 9 + 17 + 1 + 8) + 20 + RAWNET_FULL_NAME_MAX +
                              (IFNAMSIZ - 1) + 10 + 10 + 6 + RAWNET_LEASE_NAME_MAX <
                      LINK_ALIAS_SIZE,
              "a record fits into an alias");

static const char *const refused_words[] = {
        [LEARN_REFUSED_PREFIX] = "prefix", [LEARN_REFUSED_RESERVED] = "reserved",
        [LEARN_REFUSED_HOST] = "host",     [LEARN_REFUSED_IN_USE] = "in-use",
        [LEARN_REFUSED_FAILED] = "failed",
};

_printf_(3, 4) static size_t
        append(char text[static LINK_ALIAS_SIZE], size_t n, const char *format, ...) {
        va_list ap;
        int added;

        va_start(ap, format);
        added = vsnprintf(text + n, LINK_ALIAS_SIZE - n, format, ap);
        va_end(ap);
        assert(added > 0 && n + (size_t)added < LINK_ALIAS_SIZE);
        return n + (size_t)added;
}

void record_format(const IpcLease *lease, char ret[static LINK_ALIAS_SIZE]) {
        const unsigned version = lease->kind == KIND_VETH                  ? 3
                                 : lease->queues > 1 || lease->refused_why ? 2
                                                                           : 1;
        char mac[MAC_TEXT_SIZE];
        size_t n;

        n = append(ret, 0,
                   RECORD_PREFIX "%u %" PRIu32 " %s %s %u %u %" PRIu32 " %s %" PRIu64 " %s %s",
                   version, lease->uid, lease_kind_to_string((LeaseKind)lease->kind),
                   lease->direct ? RECORD_DIRECT : RECORD_STRICT, lease->vnet_hdr, lease->vlan,
                   lease->mtu, mac_is_zero(&lease->mac) ? "-" : mac_format(&lease->mac, mac),
                   lease->since, lease->network, lease->parent);
        if (lease->queues > 1)
                n = append(ret, n, " " RECORD_QUEUES_KEY "%u", lease->queues);
        if (lease->refused_why)
                n = append(ret, n, " " RECORD_REFUSED_KEY "%s/%s",
                           mac_format(&lease->refused_mac, mac), refused_words[lease->refused_why]);
        if (lease->lease_name[0])
                (void)append(ret, n, " %s%s", version > 1 ? RECORD_NAME_KEY : "",
                             lease->lease_name);
}

static int parse_text(const char *text, char *ret, size_t size) {
        size_t n = strlen(text);

        if (n == 0 || n >= size)
                return -EBADMSG;
        memcpy(ret, text, n + 1);
        return 0;
}

static int parse_isolation(const char *text, uint8_t *ret_direct) {
        const bool direct = strcmp(text, RECORD_DIRECT) == 0;

        if (!direct && strcmp(text, RECORD_STRICT) != 0)
                return -EBADMSG;
        *ret_direct = direct;
        return 0;
}

/* The version of the record; 0: the text is none. */
static uint32_t parse_version(const char *text) {
        const size_t prefix = sizeof(RECORD_PREFIX) - 1;
        uint32_t version;

        if (strncmp(text, RECORD_PREFIX, prefix) != 0 ||
            text_parse_u32(text + prefix, 1, UINT32_MAX, &version) < 0)
                return 0;
        return version;
}

/* The fields that every lease has: without them it can be neither shown nor counted. */
static int parse_essentials(char *const field[RECORD_FIELDS], IpcLease *ret) {
        uint32_t vlan;

        if (text_parse_u32(field[1], 0, UINT32_MAX, &ret->uid) < 0 ||
            text_parse_u32(field[5], 0, VLAN_ID_MAX, &vlan) < 0 ||
            parse_text(field[9], ret->network, sizeof(ret->network)) < 0 ||
            parse_text(field[10], ret->parent, sizeof(ret->parent)) < 0)
                return -EBADMSG;
        ret->vlan = (uint16_t)vlan;
        return 0;
}

static int parse_vnet_hdr(const char *text, uint8_t *ret) {
        uint32_t value;

        if (text_parse_u32(text, 0, 1, &value) < 0)
                return -EBADMSG;
        *ret = (uint8_t)value;
        return 0;
}

static int parse_kind(const char *text, uint32_t *ret) {
        LeaseKind kind;

        if (lease_kind_from_string(text, &kind) < 0)
                return -EBADMSG;
        *ret = kind;
        return 0;
}

/* What follows key where text begins with it, or NULL. */
static char *text_after(char *text, const char *key) {
        const size_t n = strlen(key);

        return strncmp(text, key, n) == 0 ? text + n : NULL;
}

/* ADDRESS/WHY. Sets nothing where the text is not understood. */
static void parse_refused(char *text, IpcLease *ret) {
        const char *address = strsep(&text, "/");
        MacAddress mac;

        if (!text || mac_parse(address, &mac) < 0 || (mac.octet[0] & 1) || mac_is_zero(&mac))
                return;
        for (uint8_t why = LEARN_REFUSED_PREFIX; why < ARRAY_SIZE(refused_words); why++) {
                if (strcmp(text, refused_words[why]) == 0) {
                        ret->refused_mac = mac;
                        ret->refused_why = why;
                }
        }
}

/* Of version 2 on: takes what it understands of the words that follow the core. */
static void parse_words(char *rest, IpcLease *ret) {
        char *value, *word;
        uint32_t queues;

        while (rest) {
                value = text_after(rest, RECORD_NAME_KEY);
                if (value) {
                        if (text_is_printable_ascii(value))
                                (void)parse_text(value, ret->lease_name, sizeof(ret->lease_name));
                        return;
                }
                word = strsep(&rest, " ");
                value = text_after(word, RECORD_QUEUES_KEY);
                if (value && text_parse_u32(value, 1, UINT32_MAX, &queues) == 0)
                        ret->queues = (uint8_t)MIN_OF(queues, UINT8_MAX);
                value = text_after(word, RECORD_REFUSED_KEY);
                if (value && mac_is_zero(&ret->mac))
                        parse_refused(value, ret);
        }
}

/* rest: what follows the core, NULL for nothing. */
static int parse_first(char *const field[RECORD_FIELDS], const char *rest, IpcLease *ret) {
        if (parse_essentials(field, ret) < 0 || parse_kind(field[2], &ret->kind) < 0 ||
            parse_isolation(field[3], &ret->direct) < 0 ||
            parse_vnet_hdr(field[4], &ret->vnet_hdr) < 0 ||
            text_parse_u32(field[6], 0, UINT32_MAX, &ret->mtu) < 0 ||
            (strcmp(field[7], "-") != 0 && mac_parse(field[7], &ret->mac) < 0) ||
            text_parse_u64(field[8], 0, UINT64_MAX, &ret->since) < 0)
                return -EBADMSG;
        return rest ? parse_text(rest, ret->lease_name, sizeof(ret->lease_name)) : 0;
}

static int parse_second(const char *text, char *const field[RECORD_FIELDS], char *rest,
                        IpcLease *ret) {
        char again[LINK_ALIAS_SIZE];

        if (parse_first(field, NULL, ret) < 0)
                return -EBADMSG;
        parse_words(rest, ret);
        if (ret->queues > RAWNET_QUEUES_MAX)
                return -EBADMSG;
        record_format(ret, again);
        return strcmp(again, text) == 0 ? 0 : -EBADMSG;
}

static int parse_later(char *const field[RECORD_FIELDS], char *rest, IpcLease *ret) {
        if (parse_essentials(field, ret) < 0)
                return -EBADMSG;
        ret->later = 1;
        /* A field that is not understood stays zero. */
        if (parse_kind(field[2], &ret->kind) < 0)
                ret->kind = KIND_UNKNOWN;
        (void)parse_vnet_hdr(field[4], &ret->vnet_hdr);
        (void)text_parse_u32(field[6], 0, NETWORK_MTU_MAX, &ret->mtu);
        if (mac_parse(field[7], &ret->mac) < 0 || (ret->mac.octet[0] & 1))
                ret->mac = (MacAddress){};
        (void)text_parse_u64(field[8], 0, UINT64_MAX, &ret->since);
        parse_words(rest, ret);
        return 0;
}

int record_parse(const char *text, IpcLease *ret) {
        char copy[LINK_ALIAS_SIZE], *field[RECORD_FIELDS], *rest = copy;
        IpcLease lease = {.id = ret->id, .gone = ret->gone};
        uint32_t version;
        int r;

        if (parse_text(text, copy, sizeof(copy)) < 0)
                return -EBADMSG;
        field[0] = strsep(&rest, " ");
        version = parse_version(field[0]);
        if (version == 0)
                return -EBADMSG;
        for (size_t i = 1; i < RECORD_FIELDS; i++) {
                if (!rest)
                        return version > RECORD_VERSION ? -EOPNOTSUPP : -EBADMSG;
                field[i] = strsep(&rest, " ");
        }
        r = version > RECORD_VERSION ? parse_later(field, rest, &lease)
            : version >= 2           ? parse_second(text, field, rest, &lease)
                                     : parse_first(field, rest, &lease);
        if (r == 0 && version == 1 && lease.kind == KIND_VETH)
                r = -EBADMSG;
        if (r < 0)
                return version > RECORD_VERSION ? -EOPNOTSUPP : r;
        *ret = lease;
        return 0;
}

const char *record_port_name(uint32_t id, char ret[static IFNAMSIZ]) {
        snprintf(ret, IFNAMSIZ, RAWNET_PORT_NAME_FORMAT, id);
        return ret;
}

const char *record_uplink_name(const IpcLease *lease, char ret[static IFNAMSIZ]) {
        if (lease->direct)
                return record_port_name(lease->id, ret);
        snprintf(ret, IFNAMSIZ, "%s", LINK_NAME_UPLINK);
        return ret;
}

static int find_lower(Netlink *netlink, const IpcLease *lease, const LinkInfo *uplink,
                      LeaseLower *ret, Refusal *ret_refusal) {
        Refusal refusal = {};
        uint32_t index;
        LinkInfo link;
        int r;

        r = link_lower_here(netlink, uplink, &index, ret_refusal);
        if (r != 0)
                return r;
        *ret = (LeaseLower){.index = index};
        if (lease->direct) {
                ret->mtu = uplink->mtu;
                return 0;
        }
        if (index == 0)
                return 0;
        r = link_get_index(netlink, index, &link, &refusal);
        if (r == 0)
                ret->mtu = link.mtu;
        /* Deleted just now: the lease is gone, too. */
        if (link_is_missing(r, &refusal))
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}

int record_read(Netlink *netlink, uint32_t id, IpcLease *ret, LeaseLower *ret_lower,
                Refusal *ret_refusal) {
        IpcLease lease = {.id = id};
        char name[IFNAMSIZ];
        LinkInfo lo, port = {}, uplink;
        LeaseLower lower = {};
        bool says_queues;
        int r;

        if (id < RAWNET_ID_MIN || id > RAWNET_ID_MAX)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE,
                              "there is no lease " RAWNET_PORT_NAME_FORMAT, id);
        r = link_find(netlink, (int32_t)id, "lo", &lo, ret_refusal);
        if (r != 0)
                return r;
        r = lo.index != 0 ? record_parse(lo.alias, &lease) : -EBADMSG;
        says_queues = lease.queues > 0;
        lease.queues = MAX_OF(lease.queues, 1);
        /* A text that is nearly a record must not reach rawnetd. */
        if (r == 0 && ipc_lease_check(&lease) < 0)
                r = lease.later ? -EOPNOTSUPP : -EBADMSG;
        if (r == -EOPNOTSUPP)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "a later version of rawnet opened lease " RAWNET_PORT_NAME_FORMAT
                              ", and this version cannot read its record; install that version "
                              "again",
                              id);
        if (r < 0)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE,
                              "there is no lease " RAWNET_PORT_NAME_FORMAT, id);
        /* A lease that was once seen gone stays gone (registry.c), so only a link that is surely
         * missing counts. */
        r = link_find(netlink, (int32_t)id, record_port_name(id, name), &port, ret_refusal);
        uplink = port;
        if (r == 0 && !says_queues && port.queues > 0)
                lease.queues = (uint8_t)MIN_OF(port.queues, RAWNET_QUEUES_MAX);
        /* The port of a direct lease is its uplink. */
        if (r == 0 && port.index != 0 && !lease.later && !lease.direct)
                r = link_find(netlink, (int32_t)id, record_uplink_name(&lease, name), &uplink,
                              ret_refusal);
        if (r != 0)
                return r;
        lease.gone = uplink.index == 0;
        if (ret_lower && !lease.gone && !lease.later) {
                r = find_lower(netlink, &lease, &uplink, &lower, ret_refusal);
                if (r != 0)
                        return r;
        }
        *ret = lease;
        if (ret_lower)
                *ret_lower = lower;
        return 0;
}
