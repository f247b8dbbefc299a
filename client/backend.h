/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnet-vhost for a packet port: its command line, and starting it beside what rawnetctl becomes.
 */

#include "client/port.h"

/* rawnet-vhost's arguments for a port that is open, with the descriptors at their present numbers:
 * front is its --socket=, --connect= or --socket-fd=, extra more arguments, up to a NULL. The
 * caller frees *ret with argv_free(). 0 or -ENOMEM. */
int backend_arguments(const Port *port, const char *front, char *const *extra, char ***ret);

/* Starts what becomes rawnet-vhost on the port's sockets: in a session of its own and nobody's
 * child, so that whoever this process becomes need not know of it. It waits at port->socket (a path
 * in a directory of the caller's own that is gone again after the connection) for this process,
 * under whatever program it runs then, or for another one that has that path on its command line.
 * It ends when that has closed the connection, or when no such process is left. Of the caller's
 * streams it keeps stderr, for its reasons; quiet: not even that. The sockets are its own: port has
 * none any more. 0, a RawnetError or -errno; a rawnet-vhost that cannot be run says so itself and
 * closes the connection. */
int backend_spawn(Port *port, bool quiet, Refusal *ret_refusal);
