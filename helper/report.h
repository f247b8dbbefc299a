/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a worker and its child report to the daemon's loop, over a socket pair: messages of fixed
 * size, without descriptors.
 */

#include "common/ipc.h"

typedef enum ReportType {
        REPORT_LEASE =
                1,       /* a lease that is alive: opened, read by a scan, or its MAC was learned */
        REPORT_CLOSED,   /* a lease whose links IPC_CLOSE deleted */
        REPORT_ANSWERED, /* the request's final reply was sent to its connection */
        REPORT_SCANNED,  /* a scan is complete: a known lease that was not reported is gone. value:
                             SCAN_* */
        REPORT_PROBED,   /* value: IPC_FEATURE_* of this kernel */
        REPORT_NAMESPACE, /* a rehearsal has made a namespace */
        REPORT_SWEPT,     /* a sweep of shared VLAN interfaces is complete. value: SWEEP_* */
        REPORT_DOUBTED, /* no network file asks for this host interface (doubt.h). value: ifindex */
} ReportType;

/* Of REPORT_SCANNED. */
#define SCAN_WHOLE 1u /* no lease can be alive that was not reported */

/* Of REPORT_SWEPT. */
#define SWEEP_LEFT 1u /* there is such an interface, or an open may be making one */

typedef struct Report {
        uint32_t type;
        uint32_t value;   /* REPORT_LEASE: ifindex below the uplink; else see above */
        uint64_t file;    /* REPORT_DOUBTED: network_file_state() */
        uint32_t carries; /* REPORT_LEASE: LeaseLower.mtu (record.h), in bytes; 0: not known */
        IpcLease lease;   /* REPORT_LEASE, REPORT_CLOSED */
} Report;

/* fd: the worker's end, which stays the caller's. 0 or -errno. */
int report_send(int fd, Report report);
/* Has the daemon closed its end of fd, the worker's? It does so when it ends. */
bool report_is_unheard(int fd);
/* Reads one report at the daemon's end, without waiting. 1; 0: all writers are gone; or -errno
 * (-EAGAIN: none is there). */
int report_receive(int fd, Report *ret);
