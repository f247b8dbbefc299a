/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which user a unique bus name belongs to. The bus is asked once for each name, without waiting for
 * the answer: a call that waits (sd_bus_call()) makes sd-bus read everything that arrives in the
 * meantime into its own queue, without a limit. A unique name is never given to another connection
 * and a connection's uid never changes (D-Bus Specification, "Valid Names"), so an answer holds
 * until the name leaves the bus.
 */

#include <systemd/sd-bus.h>

#include "common/util.h"

typedef struct CallerTable CallerTable;

/* The answer for a name that caller_uid() had to ask for: error is NULL and uid the caller's, or
 * the bus knows no such name, or gives no answer. */
typedef void (*CallerAnswer)(void *userdata, const char *name, uint32_t uid,
                             const sd_bus_error *error);

int caller_table_new(sd_bus *bus, CallerAnswer answer, void *userdata, CallerTable **ret);
/* Answers to open questions are not reported any more. */
void caller_table_free(CallerTable *table);

/* 1 with *ret_uid; 0: the bus is asked, the answer comes later; -ENOBUFS: too many names are being
 * asked for; -errno. */
int caller_uid(CallerTable *table, const char *name, uint32_t *ret_uid);
/* The name has left the bus: it is forgotten, a question for it is withdrawn. */
void caller_gone(CallerTable *table, const char *name);
