/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard as the helper holds it: eBPF programs (guard/guard.bpf.c), which are the same for all
 * leases, and maps, in which each lease has an entry (guard/guard-entry.h). main loads them once,
 * with CAP_BPF, before the first message is read; afterwards nothing can load another program.
 *
 * A lease keeps its programs, and these keep their maps, whatever happens to the helper. A helper
 * that starts again loads its programs anew and takes the maps of the last one back from systemd's
 * descriptor store, if they are as its programs expect them: then entries and counters of leases
 * that live stay readable. If they are not, it makes new maps, and leaves leases with an older
 * program alone.
 */

#include "common/refusal.h"
#include "helper/guard/guard-entry.h"

/* What workers and children get descriptors of. */
typedef enum GuardHandle {
        GUARD_FROM_WIRE, /* programs */
        GUARD_FROM_GUEST,
        GUARD_TO_CHECK,
        GUARD_DEAD_END,
        GUARD_COUNTERS, /* maps */
        GUARD_ENTRIES,
        GUARD_LOCKS,
        GUARD_HANDLES /* how many */
} GuardHandle;

/* Workers and children use this struct as it is, with descriptors of their own. */
typedef struct GuardProgram {
        int fd[GUARD_HANDLES];
        int events_fd; /* the daemon's alone: guard_program_watch() */
        /* n_entries entries from number `first` on, in memory that all processes share: in the daemon
         * all of them. No fork() inherits them, since it would copy the page tables of 2 MiB at each
         * open; so a worker or a child sets entries to NULL, and maps what it needs. */
        GuardEntry *entries;
        uint32_t first, n_entries;
        char missing[256]; /* why there is none; "": it is loaded */
} GuardProgram;

/* What systemd kept for the last helper: sd_listen_fds_with_names(3). */
typedef struct GuardStored {
        const char *name;
        int fd;
} GuardStored;

/* Loads programs and maps, uses the maps of stored where they fit, and gives new ones to systemd.
 * Takes the descriptors of stored. That the kernel has or allows no eBPF is no error:
 * ret->missing. */
void guard_program_load(GuardProgram *ret, const GuardStored *stored, size_t n_stored);

/* Maps the page of memory in which the lease's entry is. 0 or -errno. */
int guard_program_map(GuardProgram *program, uint32_t id);
/* Takes the entries out of this process. */
void guard_program_forget(GuardProgram *program);

/* No function below waits. All but guard_program_remove() need the lease's entry mapped, if they are
 * about an entry. id: of a new lease, or RAWNET_ID_PROBE or RAWNET_ID_REHEARSAL. */

/* Makes entry the lease's, at once and as a whole where it was not active. */
void guard_program_set(const GuardProgram *program, uint32_t id, const GuardEntry *entry);
/* Makes lock the lease's, for an entry with GUARD_LOCKED: before that is set. 0 or -errno. */
int guard_program_lock(const GuardProgram *program, uint32_t id, const GuardLock *lock);
/* The lease's lock, all zero where it has none. 0 or -errno. */
int guard_program_read_lock(const GuardProgram *program, uint32_t id, GuardLock *ret);
/* Erases the lease's entry, at once, its lock and its counters. 0 or -errno. */
int guard_program_remove(const GuardProgram *program, uint32_t id);

/* Does any frame of this lease pass? */
bool guard_program_active(const GuardProgram *program, uint32_t id);
/* The lease with counters that follows *id, or with 0 the first one. 1, 0: there are no more, or
 * -errno. A removal meanwhile may begin the walk anew. */
int guard_program_next(const GuardProgram *program, uint32_t *id);
/* How many frames of the lease were dropped, by GuardReason. 0 or -errno. */
int guard_program_drops(const GuardProgram *program, uint32_t id,
                        uint64_t ret[static GUARD_REASONS]);

/* The first drop of each guest and reason. *ret_fd, which is ring's, is readable while there is one.
 * 0 or -errno. */
struct ring_buffer;
typedef void (*GuardDropped)(void *data, const GuardEvent *event);
typedef struct GuardWatch {
        GuardDropped dropped;
        void *data;
        struct ring_buffer *ring;
} GuardWatch;
int guard_program_watch(const GuardProgram *program, GuardWatch *watch, int *ret_fd);
/* Calls watch->dropped for each one that is there. 0 or -errno. */
int guard_watch_read(GuardWatch *watch);
void guard_watch_close(GuardWatch *watch);
