/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The network objects: a view of the network files for those who look. No decision is made from it:
 * every open reads its file afresh. It follows the directories by inotify(7), also those that do
 * not exist yet. A file that is rewritten changes its object once, when it is finished: no object
 * is removed before its file has been away for a second.
 */

#include <systemd/sd-event.h>

#include "common/network-file.h"

typedef struct Service Service;

/* Three search directories and the directories above each: etc, rawnet, networks. */
#define NETWORK_WATCHES_MAX 16u

typedef struct NetworkEntry {
        Network network;     /* of a bad file: its name and path only */
        char *error;         /* file:line and reason; NULL when good */
        uint64_t gone_since; /* CLOCK_MONOTONIC, µs: it has had no file since; 0: it has one */
} NetworkEntry;

typedef struct NetworkTable {
        NetworkEntry **entries; /* sorted by name */
        size_t n_entries;
        sd_event_source *watches[NETWORK_WATCHES_MAX];
        size_t n_watches;
        sd_event_source *rescan_source;
        bool sweep_wanted; /* once all files are finished */
} NetworkTable;

/* Reads all files and starts to watch. 0 or -errno. */
int network_table_start(Service *service);
void network_table_done(NetworkTable *table);

NetworkEntry *network_table_find(const NetworkTable *table, const char *name);

/* network-object.c: org.rawnet1.Network on the bus. 0 or -errno. */
int network_object_register(Service *service);
void network_object_added(Service *service, const NetworkEntry *entry);
void network_object_removed(Service *service, const char *name);
/* PropertiesChanged for what differs. */
void network_object_changed(Service *service, const NetworkEntry *before,
                            const NetworkEntry *after);
