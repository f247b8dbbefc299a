/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mac=learn: in words, why a port does not take the address that its guest named. The port is open
 * and its holder may be any program, so nobody is there to be told: the sentence is for whoever
 * looks at the lease or the journal.
 */

#include "common/network.h"
#include "common/ipc.h"

/* network: the lease's as its file is now (of a bad file name and path); NULL: it has none. Returns
 * buffer, with "" where nothing was refused. */
const char *refused_text(const IpcLease *lease, const Network *network,
                         char buffer[static REFUSAL_TEXT_MAX]);
