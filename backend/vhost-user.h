/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The front end's socket: receives messages of the vhost-user protocol (QEMU's
 * docs/interop/vhost-user.rst), has request.c check and serve them, and answers. A message that
 * breaks the protocol ends the port.
 */

#include "backend/device.h"
#include "backend/message.h"

void vhost_user_init(VhostUser *front);
/* Closes the connection. */
void vhost_user_done(VhostUser *front);

/* Receives and serves the messages that have arrived. Returns 0 when no whole message is left,
 * -ENOTCONN when the front end has closed the connection, a RawnetError when it broke the protocol,
 * or another negative errno. */
int vhost_user_serve(VhostUser *front, Device *device, Refusal *ret_refusal);
