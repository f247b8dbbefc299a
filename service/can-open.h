/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * CanOpen(): may the caller have a port of that kind? polkit answers without asking anybody. The
 * answer is no, too, where the helper finds that the network cannot serve. Opens nothing.
 */

#include <systemd/sd-bus.h>

int can_open_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
