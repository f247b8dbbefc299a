/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Host interfaces that a sweep found no network file asking for. A file that is being replaced is
 * away for a moment, so a sweep deletes only what an earlier one found the same way, DOUBT_USEC
 * before, with the file unchanged since. The daemon keeps the list, each sweep's worker has a copy
 * of it. Pure memory: lost with the daemon, which costs another look.
 */

#include <stddef.h>

#include "common/util.h"

#define DOUBT_USEC UINT64_C(1000000)
/* What does not fit is looked at again when there is room. */
#define DOUBTS_MAX 64u

typedef struct Doubt {
        uint32_t index; /* ifindex */
        uint64_t file;  /* network_file_state() */
        uint64_t since; /* µs, CLOCK_MONOTONIC */
        bool renewed;   /* by the sweep that is in progress */
} Doubt;

typedef struct Doubts {
        Doubt entries[DOUBTS_MAX];
        size_t n;
} Doubts;

/* May the interface be deleted now? */
bool doubts_confirm(const Doubts *doubts, uint32_t index, uint64_t file, uint64_t now);

/* Around the reports of one sweep. doubts_end() drops what this sweep did not report; returns
 * whether another sweep is due. */
void doubts_begin(Doubts *doubts);
void doubts_note(Doubts *doubts, uint32_t index, uint64_t file, uint64_t now);
bool doubts_end(Doubts *doubts);
