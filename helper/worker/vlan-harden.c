/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/vlan-harden.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "helper/kernel/sysctl.h"
#include "helper/worker/vlan-guard.h"

/* "rn", of earlier versions' filter among an administrator's. */
#define OLD_FILTER_PRIORITY 0x726eu

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

/* flags: those of flags_changed that are to be on. */
static struct nlmsghdr *link_message(Netlink *rtnl, void *buffer, uint16_t type, uint32_t index,
                                     unsigned flags, unsigned flags_changed) {
        struct nlmsghdr *m = netlink_start(rtnl, buffer, type, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));

        info->ifi_index = (int)index;
        info->ifi_flags = flags;
        info->ifi_change = flags_changed;
        return m;
}

static int look(Netlink *rtnl, const char *name, uint32_t index, HostState *ret,
                Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = link_message(rtnl, buffer, RTM_GETLINK, index, 0, 0);

        mnl_attr_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return netlink_talk(rtnl, m, see_link, ret, ret_refusal, "reading interface %s", name);
}

static int put_ipv4(Netlink *rtnl, const char *name, uint32_t index, bool no_arp,
                    uint32_t rp_filter, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m =
                link_message(rtnl, buffer, RTM_NEWLINK, index, no_arp ? IFF_NOARP : 0, IFF_NOARP);
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);
        struct nlattr *inet = mnl_attr_nest_start(m, AF_INET);
        struct nlattr *conf = mnl_attr_nest_start(m, IFLA_INET_CONF);

        mnl_attr_put_u32(m, IPV4_DEVCONF_RP_FILTER, rp_filter);
        mnl_attr_nest_end(m, conf);
        mnl_attr_nest_end(m, inet);
        mnl_attr_nest_end(m, spec);
        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal,
                            "setting ARP and rp_filter of interface %s", name);
}

/* mode: IN6_ADDR_GEN_MODE_* */
static int put_addresses(Netlink *rtnl, const char *name, uint32_t index, uint8_t mode,
                         Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = link_message(rtnl, buffer, RTM_NEWLINK, index, 0, 0);
        struct nlattr *spec = mnl_attr_nest_start(m, IFLA_AF_SPEC);
        struct nlattr *inet6 = mnl_attr_nest_start(m, AF_INET6);

        mnl_attr_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, mode);
        mnl_attr_nest_end(m, inet6);
        mnl_attr_nest_end(m, spec);
        return netlink_talk(rtnl, m, NULL, NULL, ret_refusal,
                            "setting how interface %s gets IPv6 addresses", name);
}

int host_harden(Netlink *rtnl, int owner_fd, const char *name, uint32_t index,
                Refusal *ret_refusal) {
        HostState state = {};
        int r;

        r = look(rtnl, name, index, &state, ret_refusal);
        if (r == 0 && !(state.no_arp && state.rp_filter))
                r = put_ipv4(rtnl, name, index, true, 1, ret_refusal);
        if (r == 0 && state.has_ipv6 && !state.no_address)
                r = put_addresses(rtnl, name, index, IN6_ADDR_GEN_MODE_NONE, ret_refusal);
        if (r != 0)
                return r;
        if (state.has_ipv6 && !state.ipv6_disabled)
                /* nftables drops what this would keep away, so a failure is no error. */
                (void)sysctl_write_ipv6(name, "disable_ipv6", 1);
        return vlan_guard_install(owner_fd, ret_refusal);
}

/* By /proc/sys an interface that is up gets its link-local address at once, by netlink not
 * (net/ipv6/addrconf.c, addrconf_sysctl_addr_gen_mode(), inet6_set_link_af()). The mode
 * "stable-privacy" is refused where the host has no secret (check_stable_privacy()). */
static int put_default_addresses(Netlink *rtnl, const char *name, uint32_t index,
                                 Refusal *ret_refusal) {
        if (sysctl_write_ipv6(name, "addr_gen_mode", sysctl_default("ipv6", "addr_gen_mode")) ==
                    0 ||
            sysctl_write_ipv6(name, "addr_gen_mode", IN6_ADDR_GEN_MODE_EUI64) == 0)
                return 0;
        return put_addresses(rtnl, name, index, IN6_ADDR_GEN_MODE_EUI64, ret_refusal);
}

/* Earlier versions had tc drop what arrived for the interface's own address. EOPNOTSUPP: the kernel
 * has no tc filters. EINVAL, ENOENT: by kernel, the interface has none (net/sched/cls_api.c,
 * tc_del_tfilter()). */
static int remove_filter(Netlink *rtnl, const char *name, uint32_t index, Refusal *ret_refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = netlink_start(rtnl, buffer, RTM_DELTFILTER, 0);
        struct tcmsg *tc = mnl_nlmsg_put_extra_header(m, sizeof(*tc));
        Refusal refusal = {};
        int r;

        tc->tcm_ifindex = (int)index;
        tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
        tc->tcm_info = TC_H_MAKE(OLD_FILTER_PRIORITY << 16, htons(ETH_P_ALL));
        r = netlink_talk(rtnl, m, NULL, NULL, &refusal, "removing the tc filter of interface %s",
                         name);
        if (r > 0 && (refusal.kernel_errno == EOPNOTSUPP || refusal.kernel_errno == EINVAL ||
                      refusal.kernel_errno == ENOENT))
                return 0;
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}

int host_open(Netlink *rtnl, const char *name, uint32_t index, Refusal *ret_refusal) {
        HostState state = {};
        int r;

        r = remove_filter(rtnl, name, index, ret_refusal);
        if (r == 0)
                r = look(rtnl, name, index, &state, ret_refusal);
        /* What the administrator's tools have set meanwhile stays. */
        if (r == 0 && state.no_arp)
                r = put_ipv4(rtnl, name, index, false, sysctl_default("ipv4", "rp_filter"),
                             ret_refusal);
        if (r == 0 && state.no_address)
                r = put_default_addresses(rtnl, name, index, ret_refusal);
        if (r == 0 && state.ipv6_disabled && sysctl_default("ipv6", "disable_ipv6") == 0)
                (void)sysctl_write_ipv6(name, "disable_ipv6", 0);
        return r;
}
