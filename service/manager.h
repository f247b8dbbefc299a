/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * org.rawnet1.Manager and the object tree around it.
 */

#include "service/context.h"

/* Puts all objects on service->bus. 0 or -errno. */
int manager_register(Service *service);

/* The helper's features have changed. */
void manager_features_changed(Service *service);
