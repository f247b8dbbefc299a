/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/obstacle.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define VLANS 4096u
/* The longest message that the kernel makes of a dump (net/netlink/af_netlink.c, netlink_dump()).
 */
#define MESSAGE_MAX 32768u

static void closesocketp(struct mnl_socket **socket) {
        if (*socket)
                mnl_socket_close(*socket);
}

/* Calls each for every link of this namespace, or with AF_BRIDGE for every bridge and bridge port
 * with its VLANs. 0 or -errno. */
static int dump(uint8_t family, mnl_cb_t each, void *data) {
        _cleanup_(closesocketp) struct mnl_socket *socket =
                mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        _Alignas(struct nlmsghdr) char buffer[MESSAGE_MAX];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *i;
        int r = MNL_CB_OK;

        if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
                return -errno;
        m->nlmsg_type = RTM_GETLINK;
        m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        m->nlmsg_seq = 1;
        i = mnl_nlmsg_put_extra_header(m, sizeof(*i));
        i->ifi_family = family;
        mnl_attr_put_u32(m, IFLA_EXT_MASK,
                         family == AF_BRIDGE ? RTEXT_FILTER_BRVLAN_COMPRESSED
                                             : RTEXT_FILTER_SKIP_STATS);
        if (mnl_socket_sendto(socket, m, m->nlmsg_len) < 0)
                return -errno;
        while (r > MNL_CB_STOP) {
                ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

                if (n < 0)
                        return -errno;
                r = mnl_cb_run(buffer, (size_t)n, 1, mnl_socket_get_portid(socket), each, data);
                /* Links came or went meanwhile: what is not found now is found at the next look. */
                if (r < 0)
                        return errno == EINTR ? 0 : -errno;
        }
        return 0;
}

typedef struct Link {
        uint32_t index, lower;
        uint32_t mode;                /* of kind "macvlan" and "macvtap": MACVLAN_MODE_* */
        uint16_t vlan, vlan_protocol; /* of kind "vlan" */
        bool filtering;               /* of kind "bridge": it is VLAN-aware */
        uint16_t bridge_protocol;     /* of kind "bridge": which tags it is aware of */
        char name[IFNAMSIZ];
        char kind[32];
} Link;

static void copy_text(const struct nlattr *a, char *ret, size_t size) {
        if (mnl_attr_get_payload_len(a) <= size && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                memcpy(ret, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
}

static bool has_size(const struct nlattr *a, size_t size) {
        return mnl_attr_get_payload_len(a) == size;
}

static void parse_kind_data(const struct nlattr *data, Link *link) {
        const bool vlan = strcmp(link->kind, "vlan") == 0,
                   bridge = strcmp(link->kind, "bridge") == 0;
        const bool macvlan =
                strcmp(link->kind, "macvlan") == 0 || strcmp(link->kind, "macvtap") == 0;
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, data) {
                uint16_t type = mnl_attr_get_type(a);

                if (vlan && type == IFLA_VLAN_ID && has_size(a, sizeof(uint16_t)))
                        link->vlan = mnl_attr_get_u16(a);
                if (vlan && type == IFLA_VLAN_PROTOCOL && has_size(a, sizeof(uint16_t)))
                        link->vlan_protocol = ntohs(mnl_attr_get_u16(a));
                if (bridge && type == IFLA_BR_VLAN_FILTERING && has_size(a, sizeof(uint8_t)))
                        link->filtering = mnl_attr_get_u8(a) != 0;
                if (bridge && type == IFLA_BR_VLAN_PROTOCOL && has_size(a, sizeof(uint16_t)))
                        link->bridge_protocol = ntohs(mnl_attr_get_u16(a));
                if (macvlan && type == IFLA_MACVLAN_MODE && has_size(a, sizeof(uint32_t)))
                        link->mode = mnl_attr_get_u32(a);
        }
}

/* False: not a link that can be read. */
static bool parse_link(const struct nlmsghdr *m, Link *ret) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        const struct nlattr *a, *o, *data = NULL;
        bool elsewhere = false;
        Link link = {};

        if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i) ||
            i->ifi_index <= 0)
                return false;
        link.index = (uint32_t)i->ifi_index;
        mnl_attr_for_each(a, m, sizeof(*i)) {
                switch (mnl_attr_get_type(a)) {
                case IFLA_IFNAME:
                        copy_text(a, link.name, sizeof(link.name));
                        break;
                case IFLA_LINK:
                        if (has_size(a, sizeof(uint32_t)))
                                link.lower = mnl_attr_get_u32(a);
                        break;
                case IFLA_LINK_NETNSID: /* IFLA_LINK is an index of another namespace */
                        elsewhere = true;
                        break;
                case IFLA_LINKINFO:
                        mnl_attr_for_each_nested(o, a) {
                                if (mnl_attr_get_type(o) == IFLA_INFO_KIND)
                                        copy_text(o, link.kind, sizeof(link.kind));
                                if (mnl_attr_get_type(o) == IFLA_INFO_DATA)
                                        data = o;
                        }
                        break;
                }
        }
        if (data)
                parse_kind_data(data, &link);
        if (elsewhere)
                link.lower = 0;
        *ret = link;
        return true;
}

/* What is looked for in a dump, and what was found. */
typedef struct Search {
        uint32_t index; /* the link itself (match_self), or the one below (match_vlan, match_upper)
                         */
        uint16_t vlan, protocol;
        Link found; /* index 0: none */
} Search;

static int match_self(const struct nlmsghdr *m, void *data) {
        Search *search = data;
        Link link;

        if (parse_link(m, &link) && link.index == search->index)
                search->found = link;
        return MNL_CB_OK;
}

static int match_vlan(const struct nlmsghdr *m, void *data) {
        Search *search = data;
        Link link;

        if (parse_link(m, &link) && strcmp(link.kind, "vlan") == 0 && link.lower == search->index &&
            link.vlan == search->vlan && link.vlan_protocol == search->protocol)
                search->found = link;
        return MNL_CB_OK;
}

/* These take a handler of the lower interface that only one can have (net/core/dev.c,
 * netdev_rx_handler_register()), or refuse to share it. */
static bool takes_all(const Link *link) {
        static const char *const kinds[] = {"ipvlan", "ipvtap", "macsec"};

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (strcmp(link->kind, kinds[i]) == 0)
                        return true;
        return link->mode & MACVLAN_MODE_PASSTHRU;
}

static int match_upper(const struct nlmsghdr *m, void *data) {
        Search *search = data;
        Link link;

        if (parse_link(m, &link) && link.lower == search->index && takes_all(&link))
                search->found = link;
        return MNL_CB_OK;
}

int obstacle_upper(uint32_t index, uint16_t vlan, uint16_t protocol, Refusal *ret_refusal) {
        Search lower = {.index = index, .vlan = vlan, .protocol = protocol}, upper = {};
        int r;

        r = dump(AF_UNSPEC, vlan == 0 ? match_self : match_vlan, &lower);
        if (r < 0 || lower.found.index == 0)
                return r;
        upper.index = lower.found.index;
        r = dump(AF_UNSPEC, match_upper, &upper);
        if (r < 0 || upper.found.index == 0)
                return r;
        return refuse(
                ret_refusal, RAWNET_NOT_SUPPORTED,
                "%s carries %s (%s%s), and the kernel lets nothing else be on an interface with that: delete it (ip link "
                "delete %s), or name another interface in Parent=",
                lower.found.name, upper.found.name, upper.found.kind,
                upper.found.mode & MACVLAN_MODE_PASSTHRU ? " in mode passthru" : "",
                upper.found.name);
}

/* The VLANs that a bridge passes to its own interface. */
typedef struct BridgeVlans {
        uint32_t index;
        bool found;
        uint8_t tagged[VLANS / 8]; /* a bit each */
        uint16_t begin;            /* of a range whose end comes next */
        bool passes_untagged;
} BridgeVlans;

static void add_entry(BridgeVlans *vlans, const struct bridge_vlan_info *entry) {
        uint16_t first = entry->vid;

        if (entry->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
                vlans->begin = entry->vid;
                return;
        }
        if (entry->flags & BRIDGE_VLAN_INFO_RANGE_END)
                first = vlans->begin;
        /* Without the tag its VLAN interface does not see a frame. */
        for (uint32_t v = first;
             v <= entry->vid && v < VLANS && !(entry->flags & BRIDGE_VLAN_INFO_UNTAGGED); v++)
                vlans->tagged[v / 8] |= (uint8_t)(1u << v % 8);
        if ((entry->flags & BRIDGE_VLAN_INFO_PVID) && (entry->flags & BRIDGE_VLAN_INFO_UNTAGGED))
                vlans->passes_untagged = true;
}

/* A bridge's own entries come with the bridge's index, a port's with the port's
 * (net/bridge/br_netlink.c, br_fill_info()). */
static int match_bridge(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        BridgeVlans *vlans = data;
        const struct nlattr *a, *o;

        if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i) ||
            (uint32_t)i->ifi_index != vlans->index)
                return MNL_CB_OK;
        vlans->found = true;
        mnl_attr_for_each(a, m, sizeof(*i)) {
                if (mnl_attr_get_type(a) != IFLA_AF_SPEC)
                        continue;
                mnl_attr_for_each_nested(o, a) {
                        if (mnl_attr_get_type(o) == IFLA_BRIDGE_VLAN_INFO &&
                            has_size(o, sizeof(struct bridge_vlan_info)))
                                add_entry(vlans, mnl_attr_get_payload(o));
                }
        }
        return MNL_CB_OK;
}

int obstacle_bridge(const char *name, uint32_t index, uint16_t first, uint16_t last,
                    uint16_t protocol, Refusal *ret_refusal) {
        Search bridge = {.index = index};
        BridgeVlans vlans = {.index = index};
        int r;

        r = dump(AF_UNSPEC, match_self, &bridge);
        if (r < 0 || !bridge.found.filtering)
                return r;
        r = dump(AF_BRIDGE, match_bridge, &vlans);
        if (r < 0 || !vlans.found)
                return r;
        /* Frames with a tag of another protocol are untagged ones for it (net/bridge/br_vlan.c,
         * __allowed_ingress()). */
        if (first == 0 || protocol != bridge.found.bridge_protocol) {
                if (vlans.passes_untagged)
                        return 0;
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "the VLAN-aware bridge %s passes no untagged frames to its own interface: name their VLAN "
                        "(bridge vlan add vid VID dev %s self pvid untagged), or set VLAN= to one that it passes",
                        name, name);
        }
        for (uint32_t v = first; v <= last && v < VLANS; v++)
                if (!(vlans.tagged[v / 8] & 1u << v % 8))
                        return refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "the VLAN-aware bridge %s does not pass VLAN %u to its own interface with the tag: "
                                "bridge vlan add vid %u dev %s self",
                                name, v, v, name);
        return 0;
}
