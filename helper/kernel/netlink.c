/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/netlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

int netlink_open(Netlink *ret, int protocol) {
        struct mnl_socket *s;
        int on = 1;

        s = mnl_socket_open2(protocol, SOCK_CLOEXEC);
        if (!s)
                return -errno;
        if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
                int r = -errno;

                mnl_socket_close(s);
                return r;
        }
        /* A kernel without these options still answers, only not so well. */
        (void)mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
        (void)mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
        /* Keeps error replies small: they do not carry the request. */
        (void)mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
        *ret = (Netlink){.socket = s, .port_id = mnl_socket_get_portid(s)};
        return 0;
}

int netlink_take(Netlink *ret, int fd) {
        struct mnl_socket *s = mnl_socket_fdopen(fd);

        if (!s) {
                int r = -errno;

                safe_close(fd);
                return r;
        }
        *ret = (Netlink){.socket = s, .port_id = mnl_socket_get_portid(s)};
        return 0;
}

void netlink_close(Netlink *netlink) {
        if (netlink->socket)
                mnl_socket_close(netlink->socket);
        netlink->socket = NULL;
}

struct nlmsghdr *netlink_start(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags) {
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

        m->nlmsg_type = type;
        m->nlmsg_flags = NLM_F_REQUEST | flags;
        if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
                m->nlmsg_flags |= NLM_F_ACK;
        m->nlmsg_seq = ++netlink->sequence;
        return m;
}

/* The extack text of an error message, NULL where the kernel gave none. linux/netlink.h,
 * NLMSGERR_ATTR_MSG: the attributes follow the error and, unless NLM_F_CAPPED, the request's
 * payload. */
static const char *extack_text(const struct nlmsghdr *m) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);
        const struct nlattr *a;
        size_t skip = sizeof(*e);

        if (!(m->nlmsg_flags & NLM_F_ACK_TLVS) || m->nlmsg_type != NLMSG_ERROR)
                return NULL;
        if (!(m->nlmsg_flags & NLM_F_CAPPED))
                skip += MNL_ALIGN(e->msg.nlmsg_len - sizeof(struct nlmsghdr));
        if (skip >= mnl_nlmsg_get_payload_len(m))
                return NULL;
        mnl_attr_for_each(a, m, skip) {
                if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
                    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
                        return mnl_attr_get_str(a);
        }
        return NULL;
}

_printf_(4, 0) static int kernel_refused(Refusal *ret, int errnum, const char *extack,
                                         const char *what, va_list ap) {
        char sentence[512];

        vsnprintf(sentence, sizeof(sentence), what, ap);
        if (extack && extack[0])
                return refuse_errno(ret, errnum, "%s: %s", sentence, extack);
        return refuse_errno(ret, errnum, "%s", sentence);
}

/* What an NLMSG_ERROR or NLMSG_DONE says: both begin with the error, 0 for none. A dump that broke
 * off says so in its NLMSG_DONE (net/netlink/af_netlink.c, netlink_dump_done()). */
_printf_(3, 0) static int result_of(const struct nlmsghdr *m, Refusal *ret_refusal,
                                    const char *what, va_list ap) {
        const int *error = mnl_nlmsg_get_payload(m);

        if (mnl_nlmsg_get_payload_len(m) < sizeof(*error))
                return m->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
        return *error == 0 ? 0 : kernel_refused(ret_refusal, *error, extack_text(m), what, ap);
}

/* The answers to the n requests from sequence number `first` on, message by message. */
typedef struct Answers {
        NETLINK_BUFFER(buffer);
        const struct nlmsghdr *next;
        int left; /* bytes from next on */
        uint32_t first, n;
} Answers;

static int ask(Netlink *netlink, const void *requests, size_t size, uint32_t n, Answers *answers) {
        netlink->interrupted = false;
        netlink->n_received = 0;
        answers->left = 0;
        answers->first = ((const struct nlmsghdr *)requests)->nlmsg_seq;
        answers->n = n;
        return mnl_socket_sendto(netlink->socket, requests, size) < 0 ? -errno : 0;
}

static int next_answer(Netlink *netlink, Answers *a, const struct nlmsghdr **ret) {
        for (;;) {
                ssize_t n;

                while (a->left > 0 && mnl_nlmsg_ok(a->next, a->left)) {
                        const struct nlmsghdr *m = a->next;

                        a->next = mnl_nlmsg_next(m, &a->left);
                        if (m->nlmsg_seq - a->first >= a->n)
                                continue;
                        *ret = m;
                        return 0;
                }
                n = mnl_socket_recvfrom(netlink->socket, a->buffer, sizeof(a->buffer));
                if (n < 0)
                        return -errno;
                netlink->n_received++;
                a->next = (const void *)a->buffer;
                a->left = (int)n;
        }
}

int netlink_talk(Netlink *netlink, const struct nlmsghdr *message, mnl_cb_t callback, void *data,
                 Refusal *ret_refusal, const char *what, ...) {
        const struct nlmsghdr *m = NULL;
        Answers answers;
        va_list ap;
        int r;

        r = ask(netlink, message, message->nlmsg_len, 1, &answers);
        while (r == 0) {
                r = next_answer(netlink, &answers, &m);
                if (r < 0)
                        break;
                if (m->nlmsg_flags & NLM_F_DUMP_INTR)
                        netlink->interrupted = true;
                if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
                        va_start(ap, what);
                        r = result_of(m, ret_refusal, what, ap);
                        va_end(ap);
                        break;
                }
                if (callback && callback(m, data) < 0)
                        r = errno > 0 ? -errno : -EBADMSG;
        }
        return r;
}

int netlink_talk_batch(Netlink *netlink, const void *batch, size_t size, Refusal *ret_refusal,
                       const char *what, ...) {
        const struct nlmsghdr *m = NULL;
        Answers answers;
        va_list ap;
        int r;

        r = ask(netlink, batch, size, UINT32_MAX / 2, &answers);
        while (r == 0 && !(m && m->nlmsg_type == NLMSG_ERROR))
                r = next_answer(netlink, &answers, &m);
        if (r < 0)
                return r;
        va_start(ap, what);
        r = result_of(m, ret_refusal, what, ap);
        va_end(ap);
        return r;
}

int netlink_ask(Netlink *netlink, const void *batch, size_t size, unsigned n, mnl_cb_t callback,
                void *data) {
        const struct nlmsghdr *m = NULL;
        Answers answers;
        int r;

        r = ask(netlink, batch, size, n, &answers);
        for (unsigned i = 0; r == 0 && i < n; i++) {
                r = next_answer(netlink, &answers, &m);
                if (r == 0 && callback(m, data) < 0)
                        r = -errno;
        }
        return r;
}
