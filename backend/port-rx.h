/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From the wire into the guest's receive ring. */

#include "backend/port.h"

/* Some batches from the pair's socket into the receive ring that is there for it. rearm: when that
 * has no buffers have the guest kick. */
PortResult port_receive(PortIo *io, Device *device, unsigned pair, bool rearm,
                        Refusal *ret_refusal);
