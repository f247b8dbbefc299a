/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The network objects: a view of the network files for those who look. No decision is made from it:
 * every open reads its file afresh. It follows the directories by inotify(7), also those that do
 * not exist yet. A file that is rewritten changes its object once, when it is finished: no object
 * is removed before its file has been away for a second.
 */

#include <systemd/sd-event.h>

#include "common/network.h"

/* Three search directories and the directories above each: etc, rawnet, networks. */
#define NETWORK_WATCHES_MAX 16u

typedef struct NetworkEntry {
        Network network;     /* of a bad file: its name and path only */
        char *error;         /* file:line and reason; NULL when good */
        uint64_t gone_since; /* CLOCK_MONOTONIC, µs: it has had no file since; 0: it has one */
} NetworkEntry;

/* Reports what changed. No callback may keep an entry. */
typedef struct NetworkEvents {
        void (*added)(void *data, const NetworkEntry *entry);
        void (*changed)(void *data, const NetworkEntry *before, const NetworkEntry *after);
        void (*removed)(void *data, const char *name);
        /* All files are finished. host: a network that is gone or changed may have had a
         * HostInterface=. */
        void (*settled)(void *data, bool host);
} NetworkEvents;

typedef struct NetworkTable {
        sd_event *event;
        const NetworkEvents *events;
        void *data;             /* for events */
        NetworkEntry **entries; /* sorted by name */
        size_t n_entries;
        sd_event_source *watches[NETWORK_WATCHES_MAX];
        size_t n_watches;
        sd_event_source *rescan_source;
        bool unsettled; /* something changed, or was unfinished, since the last settled() */
        bool host;      /* since the last settled(), which gets this */
} NetworkTable;

/* Reads all files and starts to watch. event, events and data are set. 0 or -errno. */
int network_table_start(NetworkTable *table);
void network_table_done(NetworkTable *table);

NetworkEntry *network_table_find(const NetworkTable *table, const char *name);
