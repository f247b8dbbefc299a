/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What workers and children tell the daemon's loop, over a socket pair of their own: fixed-size,
 * never a descriptor.
 */

#include "common/ipc.h"

typedef enum ReportType {
        REPORT_LEASE = 1, /* a lease that lives (opened, read by a scan, or its MAC was learnt) */
        REPORT_CLOSED,    /* its links were deleted by IPC_CLOSE */
        REPORT_ANSWERED,  /* the request's final reply was sent to its connection */
        REPORT_SCANNED,   /* a scan is complete: what is known and was not reported is gone. value:
                             SCAN_* */
        REPORT_PROBED,    /* value: IPC_FEATURE_* of this kernel */
        REPORT_NAMESPACE, /* a rehearsal has made a namespace */
        REPORT_SWEPT,     /* a sweep of shared VLAN interfaces is complete. value: SWEEP_* */
        REPORT_DOUBTED, /* no network file asks for this host interface (doubt.h). value: ifindex */
} ReportType;

/* Of REPORT_SCANNED. */
#define SCAN_WHOLE 1u /* no lease can be alive that was not reported */

/* Of REPORT_SWEPT. */
#define SWEEP_LEFT 1u /* there is one, or an open may be making one */

typedef struct Report {
        uint32_t type;
        uint32_t value;   /* REPORT_LEASE: ifindex below the uplink */
        uint64_t file;    /* REPORT_DOUBTED: network_file_state() */
        uint32_t carries; /* REPORT_LEASE: LeaseLower.mtu (record.h) */
        IpcLease lease;
} Report;

/* lease may be NULL; value: by type, see above. 0 or -errno. */
int report_send(int fd, ReportType type, const IpcLease *lease, uint32_t value);
/* REPORT_LEASE. lower: the ifindex below the uplink, carries: the longest packets that go out
 * there; 0: not known. */
int report_lease(int fd, const IpcLease *lease, uint32_t lower, uint32_t carries);
int report_doubt(int fd, uint32_t index, uint64_t file);
/* Reads one report without waiting. 1, 0 at the end (all writers are gone), or -errno (-EAGAIN:
 * none there). */
int report_receive(int fd, Report *ret);
