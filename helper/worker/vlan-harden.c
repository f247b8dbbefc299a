/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/vlan-harden.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "helper/worker/vlan-guard.h"

/* What the kernel says of the interface. */
typedef struct HostState {
        bool no_arp;
        bool rp_filter;
        bool has_ipv6; /* the kernel has IPv6 at all */
        bool no_address;
        bool ipv6_disabled;
} HostState;

/* An array of 32-bit settings in an attribute; 0 where the kernel's is shorter. */
static uint32_t setting(const struct nlattr *array, size_t i) {
        uint32_t value = 0;

        if (mnl_attr_get_payload_len(array) >= (i + 1) * sizeof(value))
                memcpy(&value, (const char *)mnl_attr_get_payload(array) + i * sizeof(value),
                       sizeof(value));
        return value;
}

static void see_inet(const struct nlattr *inet, HostState *state) {
        const struct nlattr *a;

        mnl_attr_for_each_nested(a, inet) {
                /* net/ipv4/devinet.c, inet_fill_link_af(): numbered from 1, sent from 0 */
                if (mnl_attr_get_type(a) == IFLA_INET_CONF)
                        state->rp_filter = setting(a, IPV4_DEVCONF_RP_FILTER - 1) == 1;
        }
}

static void see_inet6(const struct nlattr *inet6, HostState *state) {
        const struct nlattr *a;

        state->has_ipv6 = true;
        mnl_attr_for_each_nested(a, inet6) {
                if (mnl_attr_get_type(a) == IFLA_INET6_CONF)
                        state->ipv6_disabled = setting(a, DEVCONF_DISABLE_IPV6) != 0;
                if (mnl_attr_get_type(a) == IFLA_INET6_ADDR_GEN_MODE &&
                    mnl_attr_validate(a, MNL_TYPE_U8) >= 0)
                        state->no_address = mnl_attr_get_u8(a) == IN6_ADDR_GEN_MODE_NONE;
        }
}

static int see_link(const struct nlmsghdr *m, void *data) {
        const struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
        const struct nlattr *a, *family;
        HostState *state = data;

        if (m->nlmsg_type != RTM_NEWLINK)
                return MNL_CB_OK;
        state->no_arp = info->ifi_flags & IFF_NOARP;
        mnl_attr_for_each(a, m, sizeof(*info)) {
                if (mnl_attr_get_type(a) != IFLA_AF_SPEC)
                        continue;
                mnl_attr_for_each_nested(family, a) {
                        if (mnl_attr_get_type(family) == AF_INET)
                                see_inet(family, state);
                        if (mnl_attr_get_type(family) == AF_INET6)
                                see_inet6(family, state);
                }
        }
        return MNL_CB_OK;
}

static struct nlmsghdr *link_message(Netlink *rtnl, void *buffer, uint16_t type, uint32_t index,
                                     unsigned flags_on) {
        struct nlmsghdr *m = netlink_start(rtnl, buffer, type, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));

        info->ifi_index = (int)index;
        info->ifi_flags = flags_on;
        info->ifi_change = flags_on;
        return m;
}

static int look(Netlink *rtnl, const char *name, uint32_t index, HostState *ret,
                Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = link_message(rtnl, buffer, RTM_GETLINK, index, 0);

        mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_talk(rtnl, m, see_link, ret, ret_refusal, "reading interface %s", name);
}

static int put_ipv4(Netlink *rtnl, const char *name, uint32_t index, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = link_message(rtnl, buffer, RTM_NEWLINK, index, IFF_NOARP);
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);
        struct nlattr *inet = mnl_attr_nest_start(m, AF_INET);
        struct nlattr *conf = mnl_attr_nest_start(m, IFLA_INET_CONF);

        mnl_attr_put_u32(m, IPV4_DEVCONF_RP_FILTER, 1);
        mnl_attr_nest_end(m, conf);
        mnl_attr_nest_end(m, inet);
        mnl_attr_nest_end(m, spec);
        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal,
                            "keeping the host's ARP and IPv4 off interface %s", name);
}

static int put_no_address(Netlink *rtnl, const char *name, uint32_t index, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = link_message(rtnl, buffer, RTM_NEWLINK, index, 0);
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);
        struct nlattr *inet6 = mnl_attr_nest_start(m, AF_INET6);

        mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
        mnl_attr_nest_end(m, inet6);
        mnl_attr_nest_end(m, spec);
        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal,
                            "keeping IPv6 addresses off interface %s", name);
}

/* CAP_NET_ADMIN may write there (net/sysctl_net.c, net_ctl_permissions()), unless /proc/sys is
 * read-only for the daemon or not there at all. The nftables drop closes the same door, so that
 * failure is no error. */
static void disable_ipv6(const char *name) {
        _cleanup_close_ int fd = -1;
        char path[sizeof("/proc/sys/net/ipv6/conf//disable_ipv6") + IFNAMSIZ];

        /* Interface names hold no '/' (net/core/dev.c, dev_valid_name()) and are shorter than
         * IFNAMSIZ. */
        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && write(fd, "1", 1) < 0)
                return;
}

int host_harden(Netlink *rtnl, const char *name, uint32_t index, const MacAddress *own_mac,
                Refusal *ret_refusal) {
        HostState state = {};
        int r;

        r = look(rtnl, name, index, &state, ret_refusal);
        if (r == 0 && !(state.no_arp && state.rp_filter))
                r = put_ipv4(rtnl, name, index, ret_refusal);
        if (r == 0 && state.has_ipv6 && !state.no_address)
                r = put_no_address(rtnl, name, index, ret_refusal);
        if (r != 0)
                return r;
        if (state.has_ipv6 && !state.ipv6_disabled)
                disable_ipv6(name);
        r = host_filter_own_address(rtnl, name, index, own_mac, ret_refusal);
        if (r != 0)
                return r;
        return guard_host_install(ret_refusal);
}
