/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The MAC address of a port that is asked for: given, derived, random or to be learned, and whether
 * another user may have a right to it.
 */

#include "service/context.h"
#include "service/option.h"

/* Sets mac_mode and mac of ipc, of which the network's part is set. 0, a refusal, or -errno. */
int open_mac_plan(const Service *service, const Network *network, const OpenOptions *options,
                  uint32_t uid, IpcOpen *ipc, Refusal *ret_refusal);

/* polkit's detail "mac-class". */
const char *open_mac_class(const IpcOpen *ipc);
