/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A lease's record: a line of text that the child writes as the alias of the namespace's lo, which
 * nobody can delete. The helper reads it whenever it looks at the lease. The record is rawnet's
 * only state, and the kernel holds it. Helpers of other versions read it, too: record.c has the
 * rules.
 *
 *   rawnet1 UID KIND ISOLATION VNETHDR VLAN MTU MAC SINCE NETWORK PARENT [NAME]
 *   rawnet2 UID KIND ISOLATION VNETHDR VLAN MTU MAC SINCE NETWORK PARENT [queues=N]
 *           [refused=ADDRESS/WHY] [name=NAME]
 *
 * MAC is "-" while learning.
 */

#include "common/ipc.h"
#include "helper/kernel/link.h"

/* Writes the text of the record. It always fits, see the assertion in record.c. */
void record_format(const IpcLease *lease, char ret[static LINK_ALIAS_SIZE]);

/* Returns 0; -EBADMSG where text is not a record; or -EOPNOTSUPP where it is one of a later version
 * that cannot be understood. id and gone are not in the text: they stay as they are. queues is 0
 * where the text does not say it. */
int record_parse(const char *text, IpcLease *ret);

/* The interface below a lease's uplink, in the host's namespace. */
typedef struct LeaseLower {
        uint32_t index; /* 0: there is none any more */
        /* The longest packets, in bytes, that it carries for this lease; 0: not known. The uplink's
         * own MTU falls with that of the interface below it and never rises again
         * (drivers/net/macvlan.c, macvlan_device_event()), but the guard forwards to the uplink
         * whatever the interface below it takes. Only a direct lease's holder sends by the uplink,
         * and is bound by its MTU. */
        uint32_t mtu;
} LeaseLower;

/* Reads the lease with this nsid from outside: its record, whether its links are still there, and
 * the host's interface below its uplink (ret_lower may be NULL). Returns 0;
 * RAWNET_NO_SUCH_LEASE where the nsid is out of range or unknown, its namespace is ending, or lo
 * carries no record; RAWNET_NOT_SUPPORTED: a later version's that cannot be read; another refusal
 * or -errno where the kernel does not say. */
int record_read(Netlink *netlink, uint32_t id, IpcLease *ret, LeaseLower *ret_lower,
                Refusal *ret_refusal);

/* The names of the links in a lease's namespace. */
#define LINK_NAME_UPLINK "uplink" /* not for direct leases (ipc.h): there the uplink is the port */
#define LINK_NAME_INNER "inner"   /* packet: the port's veth peer, towards the guard */
#define LINK_NAME_CHECK "check"   /* tap, kernels with the checksum trick: frames go in here … */
#define LINK_NAME_CHECKED "checked" /* … and come out here, completed, to meet the guard */

/* The port's name, rnHEX. */
const char *record_port_name(uint32_t id, char ret[static IFNAMSIZ]);
/* The uplink's name: "uplink", or the port's for a direct lease. */
const char *record_uplink_name(const IpcLease *lease, char ret[static IFNAMSIZ]);
