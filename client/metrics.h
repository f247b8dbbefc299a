/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>
#include <systemd/sd-bus.h>

/* Prints GetMetrics()'s reply, ta(sa{ss}t) at m's position, as OpenMetrics text. Nothing is printed
 * of a reply that cannot be read. 0 or -errno. */
int metrics_print(sd_bus_message *m, FILE *out);
