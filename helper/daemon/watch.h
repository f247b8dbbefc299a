/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The kernel's word that a lease ended (RTM_DELNSID) or may have lost what it stood on (RTM_DELLINK
 * in the host's namespace). Messages lost in a burst (ENOBUFS) lead to a scan.
 */

#include "helper/daemon/server.h"

/* 0 or -errno. */
int watch_start(Server *server);
void watch_stop(Server *server);
