/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A network's host leg: one macvlan in the host's namespace on the same lower interface as the
 * leases' uplinks, so that the host and its guests reach each other with no bridge. The
 * administrator asks for it by HostInterface= and `rawnetctl host up`. It needs no daemon once it
 * is there: its alias says whose it is, and the kernel holds it.
 *
 * Its name comes from the network file. An interface that is not ours by alias, kind and lower is
 * never touched, and no leg is ever given an address here. Called by workers.
 */

#include "common/ipc.h"
#include "helper/doubt.h"
#include "helper/kernel/netlink.h"

/* How it stands with the network's leg: FINDING_HOST_*. Changes nothing. 0, a refusal or -errno. */
int host_leg_look(Netlink *netlink, const Network *network, FindingDetail *ret,
                  Refusal *ret_refusal);

/* Makes the network's leg, or finds it made, and brings it up. Returns 0; RAWNET_NETWORK_BUSY where
 * another interface has its name; RAWNET_ACCESS_DENIED where the file is no longer what polkit was
 * asked about; other refusals as for a lease; or -errno. owner_fd: vlan_guard_install(). */
int host_leg_up(int owner_fd, const IpcHost *request, Refusal *ret_refusal);

/* Removes whatever leg the network of that name has, file or no file. 0 also where there is none.
 */
int host_leg_down(const IpcHost *request, Refusal *ret_refusal);

/* Removes legs that no network file asks for any more, and what a killed worker left half made.
 * doubts: what earlier sweeps found; a leg that is not confirmed there is reported (REPORT_DOUBTED)
 * and stays. A file with a mistake keeps its leg, and so does a leg of which that cannot be found
 * out; the first such error is returned. Never while a leg is being made. */
int host_leg_sweep(Netlink *netlink, const Doubts *doubts, int report_fd, Refusal *ret_refusal);
