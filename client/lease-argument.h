/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The argument ID of rawnetctl's verbs, which names a lease: rnHEX, the number that D-Bus has for
 * it, or the lease's name.
 */

#include <systemd/sd-bus.h>

#include "common/refusal.h"

/* rnHEX and a number name the lease of that ID, which may not exist. Any other text is a lease's
 * name: of one of the caller's own leases or, where the caller has none of that name, of the only
 * lease that has it. 0 with *ret; the exit status after one line on stderr. */
int lease_argument(sd_bus *bus, const char *text, uint32_t *ret);

/* As say_failure(), for a request about the lease that text names. Puts text in front where the
 * sentence does not contain it. */
int say_lease_failure(const char *text, int r, const Refusal *refusal);
