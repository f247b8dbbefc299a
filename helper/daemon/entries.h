/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard's entries of leases that have ended. A child writes the entry of its lease; the daemon
 * removes it when the lease has ended, and after a restart all that no living lease has. An id may
 * be taken again by an open that is under way, so nothing is removed while there is one.
 */

#include "helper/guard-program.h"
#include "helper/registry.h"

#define ENTRIES_IDS 65536u /* of new leases, common/names.h */

typedef struct Entries {
        const GuardProgram *program;
        const Registry *registry;
        uint64_t ended[ENTRIES_IDS /
                       64]; /* bit: the lease with these low bits of the id has ended */
        bool any_ended;
        bool all_due; /* every entry is looked at */
} Entries;

/* The lease with this id has ended. */
void entries_ended(Entries *entries, uint32_t id);
/* A scan has found every lease that lives. */
void entries_scanned(Entries *entries);
/* Removes what is due. To be called only while no open is in progress. */
void entries_clean(Entries *entries);
