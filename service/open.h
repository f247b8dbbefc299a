/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The way to a lease: read, validate, network, quota, polkit, network and quota again, helper,
 * signal, reply.
 */

#include <systemd/sd-bus.h>

int open_method_tap(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int open_method_packet(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
int open_method_attach(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
