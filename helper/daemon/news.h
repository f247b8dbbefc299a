/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Stores in the registry what is reported about leases, and publishes to rawnetd what is new.
 * Starts no job.
 */

#include "helper/daemon/connection.h"
#include "helper/registry.h"

typedef struct News {
        Registry *registry;
        Connections *connections;
} News;

/* A worker or child reports a lease. quiet: nothing is published, since the open that made the
 * lease is not answered yet and rawnetd would count both the lease and the open. Returns 0 or
 * -ENOMEM: the lease is not in the registry. */
int news_lease(const News *news, const Report *report, bool quiet);
/* The same of a job that has not found the lease by itself, but looked at a known one. While it
 * reports, the lease may have ended: then nothing happens, and the lease stays forgotten. */
int news_changed(const News *news, const Report *report);
/* The open that made the lease is answered: publishes the lease as it is now. Its MAC may have been
 * learned, its parent may be gone. */
void news_opened(const News *news, uint32_t id);
/* A scan is complete: leases that it did not report have ended. whole: no lease can be alive that
 * it did not report. */
void news_scanned(const News *news, bool whole);
/* The namespace with this id is gone. closing: a close of that lease is in progress, whose report
 * comes too late; for rawnetd the close has ended the lease. Returns whether that ended a lease on a
 * VLAN. */
bool news_ended(const News *news, uint32_t id, bool closing);
/* The guard has dropped a frame of the lease for the first time for this reason (DropReason). */
void news_dropped(const News *news, uint32_t id, uint32_t reason, const MacAddress *source,
                  const AddressPrefix *address);
/* An interface of the host has this MTU now: a lease carries what the interface below its uplink
 * carries, and never more than its port's own MTU. */
void news_mtu(const News *news, uint32_t index, const char *name, uint32_t mtu);
