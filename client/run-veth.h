/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `rawnetctl run` does for ports of kind veth, in order: run_veth_open() before anything is
 * opened, run_veth_enter() when all ports are.
 */

#include "client/dhcp-client.h"
#include "client/run-namespace.h"
#include "client/run-options.h"

typedef struct RunVeth {
        RunNamespace namespace;
        const DhcpClient *dhcp; /* NULL: without --dhcp */
} RunVeth;

#define RUN_VETH_INIT ((RunVeth){.namespace = RUN_NAMESPACE_INIT})

/* Makes the namespaces and tells the ports. Nothing to do where no port is of kind veth. 0, a
 * RawnetError, or -errno. */
int run_veth_open(RunOptions *options, RunVeth *ret, Refusal *ret_refusal);

/* This process enters the namespaces; the interfaces are up, with an address where --dhcp asks for
 * it. Port.interface is the name that CMD opens. */
int run_veth_enter(RunVeth *veth, RunOptions *options, Refusal *ret_refusal);

void run_veth_done(RunVeth *veth);
