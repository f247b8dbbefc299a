/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A child made ahead. A process and a namespace of its own are a third of what an open costs, and need nothing of the request; so they
 * are made while polkit thinks: rawnetd says that an open may follow (WIRE_PREPARE). Owns one child at most, in an empty namespace
 * that has no nsid and no name; the next open takes it for good; unused, it goes after SPARE_USEC. It is never a lease, is never
 * used twice, and nothing depends on it: an open that finds none forks its own.
 */

#include "helper/child.h"

#define SPARE_USEC UINT64_C(1000000)

typedef struct Server Server;

/* There is a spare child for the next SPARE_USEC, unless one cannot be had. */
void spare_prepare(Server *server);

/* The spare child, now the caller's, or one with socket_fd -1. */
Child spare_take(Server *server);

/* The loop ends: lets go of what is left. Children that are somebody's go on. */
void spare_stop(Server *server);
