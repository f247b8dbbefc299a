/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Host interfaces that no network file asked for when a sweep looked. A file that is being replaced
 * is away for a moment. So a sweep deletes such an interface only if an earlier sweep doubted it
 * too, DOUBT_USEC before, and the file is unchanged since. The daemon keeps the list in memory, and
 * each sweep's worker has a copy of it. A daemon that starts has none, which costs one more sweep.
 */

#include <stddef.h>

#include "common/util.h"

#define DOUBT_USEC UINT64_C(1000000)
/* Where the list is full, a later sweep doubts the interface. */
#define DOUBTS_MAX 64u

typedef struct Doubt {
        uint32_t index; /* ifindex */
        uint64_t file;  /* network_file_state() */
        uint64_t since; /* µs, CLOCK_MONOTONIC */
        bool renewed;   /* reported by the sweep in progress */
} Doubt;

typedef struct Doubts {
        Doubt entries[DOUBTS_MAX];
        size_t n;
} Doubts;

/* May the interface be deleted now? index: ifindex; file: network_file_state(); now: µs,
 * CLOCK_MONOTONIC. */
bool doubts_confirm(const Doubts *doubts, uint32_t index, uint64_t file, uint64_t now);

/* Begin and end of one sweep, and a report of that in between. doubts_end() drops what the sweep
 * did not report, and returns whether another sweep is due. */
void doubts_begin(Doubts *doubts);
void doubts_note(Doubts *doubts, uint32_t index, uint64_t file, uint64_t now);
bool doubts_end(Doubts *doubts);
