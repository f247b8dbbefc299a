/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * For LD_PRELOAD: the kernel lacks what WITHOUT= names. What asks for it is asked for by a name or
 * number that no kernel has, so the kernel's own answer comes back: "vlan" (another link kind),
 * "egress" (another netdev hook) or "inet" (another hook of that family), "clsact", "ingress",
 * "tbf" or "fq_codel" (another qdisc) or "cls_bpf" (another filter). "address": no interface's address can be changed. "gate": the
 * kernel takes the egress hook's chain, but it drops nothing. "parent": whoever asks for the
 * interface wire0 is refused, though it is there. "place": what the trial at the helper's start
 * sends with an unfinished checksum does not arrive, as where the kernel does not tell the guard
 * where that will be. "namespace": while /run/no-namespaces exists, none is made.
 */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/util.h"

#define NO_HOOK 7 /* beyond NF_NETDEV_EGRESS; nf_tables_api.c, nft_chain_parse_hook() */
#define EGRESS 1  /* NF_NETDEV_EGRESS of linux/netfilter.h, which older headers have not */

static struct nlattr *find(struct nlattr *first, const void *end, uint16_t type) {
        for (struct nlattr *a = first; mnl_attr_ok(a, (int)((const char *)end - (const char *)a));
             a = mnl_attr_next(a)) {
                if (mnl_attr_get_type(a) == type)
                        return a;
        }
        return NULL;
}

static struct nlattr *inside(struct nlattr *a, uint16_t type) {
        return a ? find(mnl_attr_get_payload(a),
                        (char *)mnl_attr_get_payload(a) + mnl_attr_get_payload_len(a), type)
                 : NULL;
}

/* The chain's hook, where it is one of this family and number. */
static void without_hook(struct nlmsghdr *m, uint8_t family, uint32_t number) {
        const struct nfgenmsg *g = mnl_nlmsg_get_payload(m);
        struct nlattr *hook, *a;

        if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
            g->nfgen_family != family)
                return;
        hook = find(mnl_nlmsg_get_payload_offset(m, sizeof(struct nfgenmsg)),
                    mnl_nlmsg_get_payload_tail(m), NFTA_CHAIN_HOOK);
        a = inside(hook, NFTA_HOOK_HOOKNUM);
        if (a && mnl_attr_get_u32(a) == htonl(number))
                *(uint32_t *)mnl_attr_get_payload(a) = htonl(NO_HOOK);
}

static void without_gate(struct nlmsghdr *m) {
        struct nlattr *policy;

        if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
                return;
        policy = find(mnl_nlmsg_get_payload_offset(m, sizeof(struct nfgenmsg)),
                      mnl_nlmsg_get_payload_tail(m), NFTA_CHAIN_POLICY);
        if (policy)
                *(uint32_t *)mnl_attr_get_payload(policy) = htonl(1); /* NF_ACCEPT */
}

/* kind: of the qdisc or filter, by the message's type. */
static void without_tc(struct nlmsghdr *m, uint16_t type, const char *kind) {
        struct nlattr *a;

        if (m->nlmsg_type != type)
                return;
        a = find(mnl_nlmsg_get_payload_offset(m, sizeof(struct tcmsg)),
                 mnl_nlmsg_get_payload_tail(m), TCA_KIND);
        if (a && strcmp(mnl_attr_get_str(a), kind) == 0)
                memcpy(mnl_attr_get_payload(a), "no", 2);
}

/* No interface may have a multicast address (net/ethernet/eth.c, eth_prepare_mac_addr_change()). */
static void without_address(struct nlmsghdr *m) {
        struct nlattr *a;

        if (m->nlmsg_type != RTM_NEWLINK || (m->nlmsg_flags & NLM_F_CREATE))
                return;
        a = find(mnl_nlmsg_get_payload_offset(m, sizeof(struct ifinfomsg)),
                 mnl_nlmsg_get_payload_tail(m), IFLA_ADDRESS);
        if (a)
                *(uint8_t *)mnl_attr_get_payload(a) |= 1;
}

static void without_vlan(struct nlmsghdr *m) {
        struct nlattr *info, *kind;

        if (m->nlmsg_type != RTM_NEWLINK)
                return;
        info = find(mnl_nlmsg_get_payload_offset(m, sizeof(struct ifinfomsg)),
                    mnl_nlmsg_get_payload_tail(m), IFLA_LINKINFO);
        kind = inside(info, IFLA_INFO_KIND);
        if (kind && strcmp(mnl_attr_get_str(kind), "vlan") == 0)
                memcpy(mnl_attr_get_payload(kind), "nada", 4);
}

/* A field that has to be 0 (net/core/rtnetlink.c, rtnl_valid_getlink_req()): EINVAL. */
static void without_parent(struct nlmsghdr *m) {
        struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        struct nlattr *name;

        if (m->nlmsg_type != RTM_GETLINK)
                return;
        name = find(mnl_nlmsg_get_payload_offset(m, sizeof(*i)), mnl_nlmsg_get_payload_tail(m),
                    IFLA_IFNAME);
        if (name && strcmp(mnl_attr_get_str(name), "wire0") == 0)
                i->ifi_type = 1;
}

int unshare(int flags) {
        int (*real)(int) = dlsym(RTLD_NEXT, "unshare");
        const char *without = getenv("WITHOUT");

        if (!without || strcmp(without, "namespace") != 0 || access("/run/no-namespaces", F_OK) < 0)
                return real(flags);
        errno = EPERM;
        return -1;
}

/* Of a frame: it begins with a virtio_net_hdr, which says so. */
static bool is_unfinished(const struct msghdr *message) {
        const struct sockaddr *to = message->msg_name;
        const struct virtio_net_hdr *header;

        if (!to || to->sa_family != AF_PACKET || message->msg_iovlen < 2 ||
            message->msg_iov[0].iov_len != sizeof(*header))
                return false;
        header = message->msg_iov[0].iov_base;
        return header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
        const char *without = getenv("WITHOUT");
        ssize_t size = 0;

        if (!without || strcmp(without, "place") != 0 || !is_unfinished(message))
                return real(fd, message, flags);
        for (size_t i = 0; i < message->msg_iovlen; i++)
                size += (ssize_t)message->msg_iov[i].iov_len;
        return size;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
               socklen_t to_size) {
        ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
                dlsym(RTLD_NEXT, "sendto");
        _cleanup_free_ char *copy = malloc(size);
        const char *without = getenv("WITHOUT");
        int left = (int)size;

        if (!copy || !without || !to || to->sa_family != AF_NETLINK)
                return real(fd, data, size, flags, to, to_size);
        memcpy(copy, data, size);
        for (struct nlmsghdr *m = (void *)copy; mnl_nlmsg_ok(m, left);
             m = mnl_nlmsg_next(m, &left)) {
                if (strcmp(without, "egress") == 0)
                        without_hook(m, NFPROTO_NETDEV, EGRESS);
                else if (strcmp(without, "inet") == 0)
                        without_hook(m, NFPROTO_INET, NF_INET_PRE_ROUTING);
                else if (strcmp(without, "address") == 0)
                        without_address(m);
                else if (strcmp(without, "gate") == 0)
                        without_gate(m);
                else if (strcmp(without, "clsact") == 0)
                        without_tc(m, RTM_NEWQDISC, "clsact");
                else if (strcmp(without, "ingress") == 0)
                        without_tc(m, RTM_NEWQDISC, "ingress");
                else if (strcmp(without, "tbf") == 0 || strcmp(without, "fq_codel") == 0)
                        without_tc(m, RTM_NEWQDISC, without);
                else if (strcmp(without, "cls_bpf") == 0)
                        without_tc(m, RTM_NEWTFILTER, "bpf");
                else if (strcmp(without, "parent") == 0)
                        without_parent(m);
                else if (strcmp(without, "vlan") == 0)
                        without_vlan(m);
        }
        return real(fd, copy, size, flags, to, to_size);
}
