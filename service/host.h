/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A network's host interface (HostInterface=): HostUp() and HostDown(), for administrators only,
 * and telling the helper when a file may have ceased to ask for one. What is made and removed, and
 * under which name, is the helper's to decide from the network file.
 */

#include <systemd/sd-bus.h>

#include "service/context.h"

int host_method_up(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int host_method_down(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* Has the helper remove the host interfaces that no file asks for. Nobody waits for it: what fails
 * is logged. */
void host_sweep(Service *service);
