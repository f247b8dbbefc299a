/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/record.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "common/text.h"

#define RECORD_MAGIC "rawnet1"
#define RECORD_FIELDS 11u /* before the name */

/* 7 magic, 10 uid, 6 kind, 6 isolation, 1 vnet-hdr, 4 vlan, 10 mtu, 17 mac, 20 since, 37 network, 15 parent, 64 name, 11 blanks */
static_assert(7 + 10 + 6 + 6 + 1 + 4 + 10 + 17 + 20 + RAWNET_FULL_NAME_MAX + (IFNAMSIZ - 1) +
                                      RAWNET_LEASE_NAME_MAX + 11 <
                              LINK_ALIAS_SIZE,
              "a record fits into an alias");

void record_format(const WireLease *lease, char ret[static LINK_ALIAS_SIZE]) {
        char mac[MAC_TEXT_SIZE];
        int n;

        n = snprintf(ret, LINK_ALIAS_SIZE,
                     RECORD_MAGIC " %" PRIu32 " %s %s %u %u %" PRIu32 " %s %" PRIu64 " %s %s%s%s",
                     lease->uid, lease_kind_to_string((LeaseKind)lease->kind),
                     isolation_to_string((Isolation)lease->isolation), lease->vnet_hdr, lease->vlan,
                     lease->mtu, mac_is_zero(&lease->mac) ? "-" : mac_format(&lease->mac, mac),
                     lease->since, lease->network, lease->parent, lease->lease_name[0] ? " " : "",
                     lease->lease_name);
        assert(n > 0 && (size_t)n < LINK_ALIAS_SIZE);
}

static int parse_text(const char *text, char *ret, size_t size) {
        size_t n = strlen(text);

        if (n == 0 || n >= size)
                return -EBADMSG;
        memcpy(ret, text, n + 1);
        return 0;
}

static int parse_isolation(const char *text, uint32_t *ret) {
        for (Isolation i = ISOLATION_STRICT; i <= ISOLATION_DIRECT; i++) {
                if (strcmp(text, isolation_to_string(i)) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        return -EBADMSG;
}

static int parse_fields(char *const field[RECORD_FIELDS], WireLease *ret) {
        uint32_t vnet_hdr, vlan;
        LeaseKind kind;

        if (strcmp(field[0], RECORD_MAGIC) != 0 || text_parse_u32(field[1], 0, UINT32_MAX, &ret->uid) < 0 ||
            lease_kind_from_string(field[2], &kind) < 0 ||
            parse_isolation(field[3], &ret->isolation) < 0 ||
            text_parse_u32(field[4], 0, 1, &vnet_hdr) < 0 ||
            text_parse_u32(field[5], 0, 4094, &vlan) < 0 ||
            text_parse_u32(field[6], 0, UINT32_MAX, &ret->mtu) < 0 ||
            (strcmp(field[7], "-") != 0 && mac_parse(field[7], &ret->mac) < 0) ||
            text_parse_u64(field[8], 0, UINT64_MAX, &ret->since) < 0 ||
            parse_text(field[9], ret->network, sizeof(ret->network)) < 0 ||
            parse_text(field[10], ret->parent, sizeof(ret->parent)) < 0)
                return -EBADMSG;
        ret->kind = kind;
        ret->vnet_hdr = (uint8_t)vnet_hdr;
        ret->vlan = (uint16_t)vlan;
        return 0;
}

int record_parse(const char *text, WireLease *ret) {
        char copy[LINK_ALIAS_SIZE], *field[RECORD_FIELDS], *rest = copy;
        WireLease lease = {.id = ret->id, .gone = ret->gone};

        if (parse_text(text, copy, sizeof(copy)) < 0)
                return -EBADMSG;
        for (size_t i = 0; i < RECORD_FIELDS; i++) {
                if (!rest)
                        return -EBADMSG;
                field[i] = strsep(&rest, " ");
        }
        if (parse_fields(field, &lease) < 0)
                return -EBADMSG;
        if (rest && parse_text(rest, lease.lease_name, sizeof(lease.lease_name)) < 0)
                return -EBADMSG;
        *ret = lease;
        return 0;
}

const char *record_port_name(uint32_t id, char ret[static IFNAMSIZ]) {
        snprintf(ret, IFNAMSIZ, RAWNET_PORT_NAME_FORMAT, id);
        return ret;
}

const char *record_uplink_name(const WireLease *lease, char ret[static IFNAMSIZ]) {
        if (lease->isolation == ISOLATION_DIRECT)
                return record_port_name(lease->id, ret);
        snprintf(ret, IFNAMSIZ, "%s", LINK_NAME_UPLINK);
        return ret;
}

/* *ret: is the link there, and *ret_info if so. Any refusal but that it is missing is an error: a
 * lease that was once seen gone stays gone (registry.c). */
static int find_link(Netlink *netlink, uint32_t id, const char *name, bool *ret, LinkInfo *ret_info,
                     Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = link_get(netlink, (int32_t)id, name, ret_info, &refusal);

        if (r == 0 || link_is_missing_in_lease(r, &refusal)) {
                *ret = r == 0;
                return 0;
        }
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

int record_read(Netlink *netlink, uint32_t id, WireLease *ret, uint32_t *ret_lower,
                Refusal *ret_refusal) {
        WireLease lease = {.id = id};
        char name[IFNAMSIZ];
        LinkInfo lo, uplink;
        bool alive;
        int r;

        if (id < RAWNET_ID_MIN || id > RAWNET_ID_MAX)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE, "there is no lease %u", id);
        r = find_link(netlink, id, "lo", &alive, &lo, ret_refusal);
        if (r != 0)
                return r;
        /* A text that is nearly a record is none of ours: it must not get as far as rawnetd. */
        if (!alive || record_parse(lo.alias, &lease) < 0 || wire_lease_check(&lease) < 0)
                return refuse(ret_refusal, RAWNET_NO_SUCH_LEASE, "there is no lease %u", id);
        /* The port is the uplink of a direct lease. */
        r = find_link(netlink, id, record_port_name(id, name), &alive, &uplink, ret_refusal);
        if (r == 0 && alive && lease.isolation != ISOLATION_DIRECT)
                r = find_link(netlink, id, record_uplink_name(&lease, name), &alive, &uplink,
                              ret_refusal);
        if (r != 0)
                return r;
        lease.gone = !alive;
        *ret = lease;
        if (ret_lower)
                *ret_lower = alive ? uplink.lower : 0;
        return 0;
}
