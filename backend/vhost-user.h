/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the front end says on its socket: messages of the vhost-user protocol (QEMU's
 * docs/interop/vhost-user.rst), received, checked against a closed table, acted on and answered. A
 * message that breaks the protocol ends the port.
 */

#include "backend/device.h"
#include "backend/message.h"

void vhost_user_init(VhostUser *front);
/* Closes the connection. */
void vhost_user_done(VhostUser *front);

/* Receives and serves what has arrived. Returns 0 when there is no more for now, -ENOTCONN when the
 * front end has closed the connection, a RawnetError when it broke the protocol, or another
 * negative errno. */
int vhost_user_serve(VhostUser *front, Device *device, Refusal *ret_refusal);
