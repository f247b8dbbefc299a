/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/entries.h"

#include <string.h>

#include "common/log.h"

#define ID_BASE (RAWNET_ID_MAX - ENTRIES_IDS + 1)

void entries_ended(Entries *entries, uint32_t id) {
        if (id < RAWNET_ID_FIRST)
                return;
        entries->ended[(id - ID_BASE) / 64] |= UINT64_C(1) << (id - ID_BASE) % 64;
        entries->any_ended = true;
}

void entries_scanned(Entries *entries) {
        entries->all_due = true;
}

static void mark_unknown(Entries *entries) {
        uint32_t id = 0;
        int r;

        for (uint32_t i = RAWNET_ID_FIRST; i - 1 < RAWNET_ID_MAX; i++)
                if (guard_program_active(entries->program, i) &&
                    !registry_find(entries->registry, i))
                        entries_ended(entries, i);
        /* Marked first and removed afterwards: a removal would begin the walk anew. */
        while ((r = guard_program_next(entries->program, &id)) > 0)
                if (!registry_find(entries->registry, id))
                        entries_ended(entries, id);
        if (r < 0)
                log_warning("cannot read the guard's counters: %s", strerror(-r));
}

static void remove_marked(Entries *entries) {
        for (uint32_t word = 0; word < ARRAY_SIZE(entries->ended); word++) {
                while (entries->ended[word] != 0) {
                        const uint32_t bit = (uint32_t)__builtin_ctzll(entries->ended[word]);
                        const uint32_t id = ID_BASE + word * 64 + bit;

                        entries->ended[word] &= entries->ended[word] - 1;
                        if (registry_find(entries->registry, id))
                                continue;
                        if (guard_program_remove(entries->program, id) < 0)
                                log_warning(
                                        "cannot remove the guard's counters of lease " RAWNET_PORT_NAME_FORMAT,
                                        id);
                }
        }
}

void entries_clean(Entries *entries) {
        if (entries->program->missing[0])
                return;
        if (entries->all_due && entries->registry->whole)
                mark_unknown(entries);
        entries->all_due = false;
        if (entries->any_ended)
                remove_marked(entries);
        entries->any_ended = false;
}
