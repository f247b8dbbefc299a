/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* From the guest's transmit ring to the wire. */

#include "backend/port.h"

/* Some batches from the guest's transmit ring. rearm: when the ring is empty have the guest kick.
 */
PortResult port_transmit(PortIo *io, Device *device, unsigned pair, bool rearm,
                         Refusal *ret_refusal);
