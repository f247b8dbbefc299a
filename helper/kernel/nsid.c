/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/nsid.h"

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct nlmsghdr *start_nsid(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags) {
        struct nlmsghdr *m = netlink_start(netlink, buffer, type, flags);
        struct rtgenmsg *g = mnl_nlmsg_put_extra_header(m, sizeof(*g));

        g->rtgen_family = AF_UNSPEC;
        return m;
}

int nsid_set(Netlink *netlink, pid_t pid, uint32_t nsid, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_nsid(netlink, buffer, RTM_NEWNSID, 0);

        mnl_attr_put_u32(m, NETNSA_PID, (uint32_t)pid);
        mnl_attr_put_u32(m, NETNSA_NSID, nsid);
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal, "naming the lease's namespace");
}

static int got_nsid(const struct nlmsghdr *m, void *data) {
        int32_t *nsid = data;

        if (m->nlmsg_type == RTM_NEWNSID)
                *nsid = nsid_of_message(m);
        return MNL_CB_OK;
}

/* The kernel gives this namespace an id when somebody first looks at a link elsewhere that is on
 * one of here (net/core/rtnetlink.c, rtnl_fill_link_netnsid()). The id stays. */
int nsid_own(Netlink *netlink, int32_t *ret, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_nsid(netlink, buffer, RTM_GETNSID, 0);
        int32_t nsid = -1;
        int r;

        mnl_attr_put_u32(m, NETNSA_PID, (uint32_t)getpid());
        r = netlink_talk(netlink, m, got_nsid, &nsid, ret_refusal, "looking up this namespace");
        if (r != 0)
                return r;
        netlink->knows_nsid = nsid >= 0;
        netlink->nsid = *ret = nsid;
        return 0;
}

int32_t nsid_of_message(const struct nlmsghdr *message) {
        const struct nlattr *a;

        if (mnl_nlmsg_get_payload_len(message) < sizeof(struct rtgenmsg))
                return -1;
        mnl_attr_for_each(a, message, sizeof(struct rtgenmsg)) {
                if (mnl_attr_get_type(a) == NETNSA_NSID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
                        return (int32_t)mnl_attr_get_u32(a);
        }
        return -1;
}

/* --- the kernel's list --- */

/* Newer kernels (seen on 6.18, not on 6.1) give up an nsid dump after its first message:
 * rtnl_net_dumpid() returns 0, which means the end, also when more is to come. The kernel makes a
 * message as long as the longest receive buffer that it has seen on the socket, at most 32 KiB
 * (net/netlink/af_netlink.c, netlink_recvmsg()): that is 1,158 ids. On a new socket, or where it
 * has not that much memory in one piece, a message is as long as a page: 134 ids where pages have 4
 * KiB. */

/* Less than the shortest message holds, and more than the longest does without one id more. */
#define SURELY_NOT_FULL 3072u
#define SURELY_FULL 32000u

typedef struct Walk {
        const Netlink *netlink;
        NsidEach each; /* NULL: counted only */
        void *data;
        size_t n, bytes;        /* ids and their bytes */
        size_t n_first_message; /* ids in the first message */
} Walk;

static int walk_nsid(const struct nlmsghdr *m, void *data) {
        int32_t nsid = nsid_of_message(m);
        Walk *walk = data;

        if (m->nlmsg_type != RTM_NEWNSID)
                return MNL_CB_OK;
        walk->n++;
        walk->bytes += MNL_ALIGN(m->nlmsg_len);
        if (walk->netlink->n_received == 1)
                walk->n_first_message++;
        if (walk->each && nsid >= 0)
                walk->each((uint32_t)nsid, walk->data);
        return MNL_CB_OK;
}

static int dump(Netlink *netlink, Walk *walk, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);

        walk->netlink = netlink;
        return netlink_talk(netlink, start_nsid(netlink, buffer, RTM_GETNSID, NLM_F_DUMP),
                            walk_nsid, walk, ret_refusal, "listing namespaces");
}

/* The kernel learns the length of the buffer from the reading of any answer. */
static int show_buffer(Netlink *netlink, Refusal *ret_refusal) {
        NETLINK_BUFFER(buffer);
        struct nlmsghdr *m = start_nsid(netlink, buffer, RTM_GETNSID, 0);

        mnl_attr_put_u32(m, NETNSA_PID, (uint32_t)getpid());
        return netlink_talk(netlink, m, NULL, NULL, ret_refusal, "listing namespaces");
}

/* All ids fit into a page, so the kernel may have made the message no longer than that. If so, it
 * was full if the message on a new socket, which is as long as a page, holds as many. */
static int is_full_page(const Walk *walk, bool *ret, Refusal *ret_refusal) {
        _cleanup_netlink_ Netlink fresh = {};
        Walk page = {};
        int r;

        r = netlink_open(&fresh, NETLINK_ROUTE);
        if (r == 0)
                r = dump(&fresh, &page, ret_refusal);
        if (r == 0)
                *ret = walk->n <= page.n_first_message;
        return r;
}

int nsid_dump(Netlink *netlink, NsidEach each, void *data, NsidList *ret_list,
              Refusal *ret_refusal) {
        Walk walk = {.each = each, .data = data};
        bool full = false;
        int r;

        r = show_buffer(netlink, ret_refusal);
        if (r == 0)
                r = dump(netlink, &walk, ret_refusal);
        if (r != 0)
                return r;
        if (walk.n > walk.n_first_message) {
                *ret_list = NSID_LIST_LONG;
                return 0;
        }
        if (walk.bytes >= SURELY_FULL)
                full = true;
        else if (walk.bytes >= SURELY_NOT_FULL)
                r = is_full_page(&walk, &full, ret_refusal);
        if (r == 0)
                *ret_list = full ? NSID_LIST_CUT_OFF : NSID_LIST_WHOLE;
        return r;
}

/* --- one by one --- */

/* Each answer waits in the socket as a message of its own, some 800 bytes as the kernel counts
 * them: this many fit, whatever its buffer. */
#define QUESTIONS_AT_ONCE 64u

typedef struct Questions {
        uint32_t first_id, first_sequence;
        unsigned n;
        NsidEach each;
        void *data;
} Questions;

static int take_answer(const struct nlmsghdr *m, void *data) {
        const Questions *questions = data;
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

        if (m->nlmsg_type == RTM_NEWNSID) {
                questions->each(questions->first_id + (m->nlmsg_seq - questions->first_sequence),
                                questions->data);
                return MNL_CB_OK;
        }
        /* net/core/net_namespace.c, rtnl_net_getid(): ENOENT where there is no such id. */
        if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof(e->error) &&
            e->error == -ENOENT)
                return MNL_CB_OK;
        errno = EBADMSG;
        if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof(e->error) &&
            e->error < 0)
                errno = -e->error;
        return MNL_CB_ERROR;
}

static int ask(Netlink *netlink, const Questions *questions) {
        _Alignas(struct nlmsghdr) char batch[QUESTIONS_AT_ONCE * 32];
        size_t size = 0;

        for (unsigned i = 0; i < questions->n; i++) {
                struct nlmsghdr *m = start_nsid(netlink, batch + size, RTM_GETNSID, 0);

                /* The kernel answers each question once: by the id or by an error. */
                m->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
                mnl_attr_put_u32(m, NETNSA_NSID, questions->first_id + i);
                size += MNL_ALIGN(m->nlmsg_len);
        }
        return netlink_ask(netlink, batch, size, questions->n, take_answer, (void *)questions);
}

int nsid_ask(Netlink *netlink, uint32_t first, uint32_t last, NsidEach each, void *data) {
        Questions questions = {.first_id = first, .each = each, .data = data};

        for (uint64_t left = (uint64_t)last - first + 1; left > 0; left -= questions.n) {
                int r;

                questions.n = (unsigned)MIN_OF(left, (uint64_t)QUESTIONS_AT_ONCE);
                questions.first_sequence = netlink->sequence + 1;
                r = ask(netlink, &questions);
                if (r < 0)
                        return r;
                questions.first_id += questions.n;
        }
        return 0;
}
