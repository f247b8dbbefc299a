/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ids (nsids) that this namespace has for others: RTM_NEWNSID, RTM_GETNSID, RTM_DELNSID of
 * linux/net_namespace.h. An nsid keeps nothing alive. Workers only: the kernel may take RTNL to
 * answer.
 */

#include <sys/types.h>

#include "helper/kernel/netlink.h"

/* All return 0; RAWNET_KERNEL_REFUSED with the kernel's words and kernel_errno; or -errno. */

/* Gives the network namespace of process pid the id nsid in this namespace. kernel_errno EEXIST:
 * taken. */
int nsid_set(Netlink *netlink, pid_t pid, uint32_t nsid, Refusal *ret_refusal);

/* *ret: the id of this namespace in itself, or -1 where it has none yet. An id is stored in
 * netlink->nsid, too. */
int nsid_own(Netlink *netlink, int32_t *ret, Refusal *ret_refusal);

/* How much of the kernel's list a dump was. */
typedef enum NsidList {
        NSID_LIST_WHOLE,   /* one message with room for more: all ids of one moment */
        NSID_LIST_LONG,    /* several messages: an id may be left out for each that came or went
                            meanwhile */
        NSID_LIST_CUT_OFF, /* one full message: higher ids may be left out, no lower one is */
} NsidList;

typedef void (*NsidEach)(uint32_t nsid, void *data);

/* Calls each(nsid, data) for the ids of the kernel's list, in ascending order. */
int nsid_dump(Netlink *netlink, NsidEach each, void *data, NsidList *ret_list,
              Refusal *ret_refusal);

/* Calls each(nsid, data) for every id from first to last that is in use, in ascending order. Asks
 * the kernel for each id: about 1 µs an id. Returns 0 or -errno. */
int nsid_ask(Netlink *netlink, uint32_t first, uint32_t last, NsidEach each, void *data);

/* The nsid in an RTM_NEWNSID or RTM_DELNSID message, or -1. Does not block. */
int32_t nsid_of_message(const struct nlmsghdr *message);
