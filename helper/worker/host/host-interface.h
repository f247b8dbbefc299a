/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A network's host interface: one macvlan in the host's namespace on the same lower interface as
 * the leases' uplinks, so that the host and its guests reach each other with no bridge. The
 * administrator asks for it by HostInterface= and `rawnetctl host up`. It needs no daemon once it
 * is there: its alias says which network it belongs to, and the kernel holds it.
 *
 * Its name comes from the network file. An interface that is not rawnet's by alias, kind and lower
 * interface is never touched, and no host interface is ever given an address here. Called by
 * workers.
 */

#include "helper/kernel/link-info.h"
#include "helper/worker/context.h"

/* The network that this link of the host's namespace is a host interface of, by its alias; NULL: it
 * is none. Points into link. */
const char *host_interface_network(const LinkInfo *link);

/* Is it an unfinished interface of a worker that was killed: never up, and of no network yet? */
bool host_interface_is_half_made(const LinkInfo *link);

/* Sets *ret to the state of the network's host interface, one of FINDING_HOST_*. Changes nothing.
 * Returns 0, a refusal of the kernel, or -errno. */
int host_interface_look(Netlink *netlink, const Network *network, FindingDetail *ret,
                        Refusal *ret_refusal);

/* Makes the host interface, or finds it made, and brings it up. Returns 0; RAWNET_NETWORK_BUSY
 * where another interface has its name; RAWNET_ACCESS_DENIED where the file is no longer what
 * polkit was asked about; other refusals as for a lease; or -errno. */
int host_interface_up(const JobContext *job, const IpcHost *request, Refusal *ret_refusal);

/* Removes whatever host interface the network of that name has, file or no file. Returns 0, also
 * where there is none; a refusal of the kernel; or -errno. */
int host_interface_down(const JobContext *job, const IpcHost *request, Refusal *ret_refusal);
