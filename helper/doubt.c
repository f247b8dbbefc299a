/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/doubt.h"

static const Doubt *find(const Doubts *doubts, uint32_t index) {
        for (size_t i = 0; i < doubts->n; i++)
                if (doubts->entries[i].index == index)
                        return &doubts->entries[i];
        return NULL;
}

bool doubts_confirm(const Doubts *doubts, uint32_t index, uint64_t file, uint64_t now) {
        const Doubt *doubt = find(doubts, index);

        return doubt && doubt->file == file && now >= doubt->since &&
               now - doubt->since >= DOUBT_USEC;
}

void doubts_begin(Doubts *doubts) {
        for (size_t i = 0; i < doubts->n; i++)
                doubts->entries[i].renewed = false;
}

void doubts_note(Doubts *doubts, uint32_t index, uint64_t file, uint64_t now) {
        Doubt *doubt = (Doubt *)find(doubts, index);

        if (!doubt) {
                if (doubts->n == DOUBTS_MAX)
                        return;
                doubt = &doubts->entries[doubts->n++];
                *doubt = (Doubt){.index = index, .file = file, .since = now};
        }
        if (doubt->file != file) {
                doubt->file = file;
                doubt->since = now;
        }
        doubt->renewed = true;
}

bool doubts_end(Doubts *doubts) {
        size_t kept = 0;

        for (size_t i = 0; i < doubts->n; i++)
                if (doubts->entries[i].renewed)
                        doubts->entries[kept++] = doubts->entries[i];
        doubts->n = kept;
        return kept > 0;
}
