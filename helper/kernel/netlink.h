/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One netlink socket: a request and its answer, a batch and its acks, many questions at once. A
 * refusal has the kernel's extended-ack text (NETLINK_EXT_ACK, netlink(7)) for the person who reads
 * it.
 *
 * A request blocks as long as the kernel holds its locks (RTNL): called by workers and children
 * only, never by the daemon's loop.
 */

#include <libmnl/libmnl.h>

#include "common/refusal.h"

/* Room for one message or one nftables batch; and the longest message that the kernel makes of a
 * dump, see nsid_dump(). */
#define NETLINK_BUFFER_SIZE 32768u

/* Declares one. */
#define NETLINK_BUFFER(name) _Alignas(struct nlmsghdr) char name[NETLINK_BUFFER_SIZE]

typedef struct Netlink {
        struct mnl_socket *socket;
        uint32_t port_id;
        uint32_t sequence;
        unsigned n_received; /* datagrams of the last answer */
        bool knows_nsid;
        int32_t nsid;     /* with knows_nsid: the id of the socket's namespace in itself */
        bool interrupted; /* things changed while the kernel made the last answer, a dump, so it
                             may lack some (netlink(7), NLM_F_DUMP_INTR) */
} Netlink;

#define _cleanup_netlink_ _cleanup_(netlink_close)

/* protocol: NETLINK_ROUTE or NETLINK_NETFILTER. In the caller's network namespace, CLOEXEC, strict
 * checking on where the kernel has it. Returns 0 or -errno (-EPROTONOSUPPORT: no such netlink
 * family here). */
int netlink_open(Netlink *ret, int protocol);
/* The same for a socket that another process opened in its own namespace. Takes fd, on failure,
 * too. */
int netlink_take(Netlink *ret, int fd);
void netlink_close(Netlink *netlink);

/* Begins a message in buffer (NETLINK_BUFFER_SIZE bytes): type, flags (NLM_F_REQUEST and NLM_F_ACK
 * are added, but no NLM_F_ACK with NLM_F_DUMP), next sequence number. */
struct nlmsghdr *netlink_start(Netlink *netlink, void *buffer, uint16_t type, uint16_t flags);

/* Sends message and reads to the end of its answer. Each message of the answer that is not an ack
 * goes to callback (may be NULL; MNL_CB_OK to go on, MNL_CB_ERROR with errno set to stop). Returns
 * 0; RAWNET_KERNEL_REFUSED with "what: extack text: strerror" and ret_refusal->kernel_errno (branch
 * on that); or -errno where the socket itself failed. */
int netlink_talk(Netlink *netlink, const struct nlmsghdr *message, mnl_cb_t callback, void *data,
                 Refusal *ret_refusal, const char *what, ...) _printf_(6, 7);

/* Sends an nftables batch (size bytes from the first message to NFNL_MSG_BATCH_END), one message of
 * which carries NLM_F_ACK. The first error or that ack is the result, as of netlink_talk(). */
int netlink_talk_batch(Netlink *netlink, const void *batch, size_t size, Refusal *ret_refusal,
                       const char *what, ...) _printf_(5, 6);

/* Sends n requests (size bytes) without NLM_F_ACK, each of which the kernel answers by one message,
 * and calls callback for each answer, errors (NLMSG_ERROR) included; MNL_CB_ERROR with errno set
 * stops. All answers must fit into the socket's buffer. Returns 0 or -errno. */
int netlink_ask(Netlink *netlink, const void *batch, size_t size, unsigned n, mnl_cb_t callback,
                void *data);
