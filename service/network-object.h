/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* org.rawnet1.Network on the bus: one object for each network. */

#include "service/context.h"

/* 0 or -errno. */
int network_object_register(Service *service);
void network_object_added(Service *service, const NetworkEntry *entry);
void network_object_removed(Service *service, const char *name);
/* PropertiesChanged for what differs. */
void network_object_changed(Service *service, const NetworkEntry *before,
                            const NetworkEntry *after);
