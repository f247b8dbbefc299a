/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Leases with mac=learn, as the daemon sees them: each keeps a process (learn.c) and a descriptor
 * of the daemon until its guest has sent a frame. They are counted and bounded here, so that
 * workers, a close among them, always find room.
 */

#include "helper/daemon/server.h"

/* May one more open with mac=learn begin? 0 or RAWNET_LIMITS_EXCEEDED. */
int learning_check(const Server *server, const char *network, Refusal *ret_refusal);

/* A learning child that an earlier daemon started reports to nobody. While there is such a lease
 * its record is read again, after a second at first and then less and less often. Called whenever
 * one may have appeared. */
void learning_watch(Server *server);
