/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The journal entry of a lease. Every entry about a lease has the same fields, so that a search by
 * any of them finds the lease's whole life: lease, name, user, network, VLAN, parent, kind, MAC and
 * the time of its opening. The journal adds the time of the entry.
 */

#include "common/ipc.h"
#include "common/log.h"

typedef struct LeaseEvent {
        LogEvent log; /* points into the lease and into what follows */
        char mac[MAC_TEXT_SIZE];
        char vlan[8];
} LeaseEvent;

/* For log_event(). message_id: names.h. lease must outlive ret, and ret must not be copied. The MAC
 * is left out while the lease learns it. */
void lease_event(const IpcLease *lease, int level, const char *message_id, LeaseEvent *ret);

/* The same of a port that is asked for, with what is known of it: the parts that are zero or empty
 * are left out. */
void lease_event_asked(const IpcOpen *open, LeaseEvent *ret);

/* " with MAC 52:54:00:12:34:56", or "" while the lease learns it: for messages. */
#define LEASE_EVENT_MAC_SIZE (sizeof(" with MAC ") + MAC_TEXT_SIZE)
const char *lease_event_mac(const IpcLease *lease, char buffer[static LEASE_EVENT_MAC_SIZE]);
