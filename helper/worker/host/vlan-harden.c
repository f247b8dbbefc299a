/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/host/vlan-harden.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "helper/kernel/link.h"
#include "helper/kernel/sysctl.h"
#include "helper/worker/host/vlan-guard.h"

/* "rn": the priority of earlier versions' tc filter, among those of an administrator. */
#define OLD_FILTER_PRIORITY 0x726eu

int vlan_harden(Netlink *netlink, int owner_fd, uint32_t index, Refusal *ret_refusal) {
        static const uint32_t strict = 1;
        LinkInfo now;
        int r;

        r = link_get_index(netlink, index, &now, ret_refusal);
        if (r == 0 &&
            !((now.flags & IFF_NOARP) && now.rp_filter && (now.no_ipv6_address || !now.has_ipv6)))
                r = link_change(netlink, index,
                                &(LinkChange){.link = now.name,
                                              .flags_on = IFF_NOARP,
                                              .rp_filter = &strict,
                                              .no_ipv6_address = now.has_ipv6},
                                ret_refusal);
        if (r != 0)
                return r;
        /* nftables drops what this keeps away, so a failure is no error. */
        if (now.has_ipv6 && !now.ipv6_disabled)
                (void)sysctl_write_ipv6(now.name, "disable_ipv6", 1);
        return vlan_guard_install(owner_fd, ret_refusal);
}

/* Preferably by /proc/sys: then an interface that is up gets its link-local address at once, and
 * with netlink it does not (net/ipv6/addrconf.c, addrconf_sysctl_addr_gen_mode(),
 * inet6_set_link_af()). The kernel refuses the mode "stable-privacy" where the host has no secret
 * (check_stable_privacy()). */
static int put_default_addresses(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        const uint32_t mode = sysctl_default("ipv6", "addr_gen_mode");

        if (sysctl_write_ipv6(link->name, "addr_gen_mode", mode) == 0 ||
            sysctl_write_ipv6(link->name, "addr_gen_mode", IN6_ADDR_GEN_MODE_EUI64) == 0)
                return 0;
        return link_change(netlink, link->index,
                           &(LinkChange){.link = link->name, .ipv6_address = true}, ret_refusal);
}

/* Of earlier versions, which had tc drop what arrived for the interface's own address. EOPNOTSUPP:
 * the kernel has no tc filters. EINVAL or ENOENT, depending on the kernel: the interface has none
 * (net/sched/cls_api.c, tc_del_tfilter()). */
static int remove_filter(Netlink *netlink, const LinkInfo *link, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = netlink_start(netlink, buffer, RTM_DELTFILTER, 0);
        struct tcmsg *tc = mnl_nlmsg_put_extra_header(m, sizeof(*tc));
        Refusal refusal = {};
        int r;

        tc->tcm_ifindex = (int)link->index;
        tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
        tc->tcm_info = TC_H_MAKE(OLD_FILTER_PRIORITY << 16, htons(ETH_P_ALL));
        r = netlink_talk(netlink, m, NULL, NULL, &refusal, "removing the tc filter of interface %s",
                         link->name);
        if (r > 0 && (refusal.kernel_errno == EOPNOTSUPP || refusal.kernel_errno == EINVAL ||
                      refusal.kernel_errno == ENOENT))
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}

int vlan_harden_undo(Netlink *netlink, uint32_t index, Refusal *ret_refusal) {
        const uint32_t rp_filter = sysctl_default("ipv4", "rp_filter");
        LinkInfo now;
        int r;

        r = link_get_index(netlink, index, &now, ret_refusal);
        if (r == 0)
                r = remove_filter(netlink, &now, ret_refusal);
        /* What the administrator's tools have set meanwhile stays. */
        if (r == 0 && now.flags & IFF_NOARP)
                r = link_change(netlink, index,
                                &(LinkChange){.link = now.name,
                                              .flags_off = IFF_NOARP,
                                              .rp_filter = &rp_filter},
                                ret_refusal);
        if (r == 0 && now.no_ipv6_address)
                r = put_default_addresses(netlink, &now, ret_refusal);
        if (r == 0 && now.ipv6_disabled && sysctl_default("ipv6", "disable_ipv6") == 0)
                (void)sysctl_write_ipv6(now.name, "disable_ipv6", 0);
        return r;
}
