/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/refusal-log.h"

#include <inttypes.h>
#include <time.h>

#include "common/clock.h"
#include "common/drop.h"
#include "common/log.h"
#include "common/names.h"
#include "common/text.h"

#define INTERVAL_USEC (10 * UINT64_C(1000000))
/* Users at a time; refusals of further users are counted together. */
#define USERS_MAX 256u

/* Of drops each lease has one line for each reason. */
static const struct {
        const char *message_id;
        int level;
        unsigned n_logged; /* the number that are logged before the others are counted */
} kinds[LOGGED_KINDS] = {
        [LOGGED_REFUSAL] = {RAWNET_EVENT_REFUSED, LOG_INFO, 1},
        [LOGGED_KERNEL_REFUSAL] = {RAWNET_EVENT_KERNEL_REFUSED, LOG_WARNING, 1},
        [LOGGED_DROP] = {RAWNET_EVENT_DROPPED, LOG_NOTICE, 2 * DROP_REASONS},
};

typedef struct Entry {
        uint32_t uid;
        LoggedKind kind;
        uint64_t until; /* µs, CLOCK_MONOTONIC: when its interval ends */
        unsigned n_logged;
        unsigned n; /* refusals that were not logged */
} Entry;

struct RefusalLog {
        sd_event_source *timer;
        Entry entries[USERS_MAX];
        size_t n_entries;
        Entry others[LOGGED_KINDS]; /* the entry is unused */
};

static void log_count(const Entry *entry, bool others) {
        LogEvent event = {
                .level = kinds[entry->kind].level,
                .message_id = kinds[entry->kind].message_id,
                .uid = others ? -1 : (int64_t)entry->uid,
        };
        char user[32] = "other users";

        if (!others)
                snprintf(user, sizeof(user), "user %" PRIu32, entry->uid);
        if (entry->kind == LOGGED_DROP)
                log_event(
                        &event,
                        "left out %u more %s about frames that the guard dropped on leases of %s; "
                        "rawnetctl stat shows what it dropped on a lease",
                        entry->n, text_plural(entry->n, "entry", "entries"), user);
        else
                log_event(&event, "refused %u more %s by %s", entry->n,
                          text_plural(entry->n, "request", "requests"), user);
}

static int arm(RefusalLog *log) {
        uint64_t next = UINT64_MAX;
        int r;

        for (size_t i = 0; i < log->n_entries; i++)
                next = MIN_OF(next, log->entries[i].until);
        for (size_t i = 0; i < LOGGED_KINDS; i++)
                if (log->others[i].n > 0)
                        next = MIN_OF(next, log->others[i].until);
        if (next == UINT64_MAX)
                return sd_event_source_set_enabled(log->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(log->timer, next);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(log->timer, SD_EVENT_ONESHOT);
}

/* An interval is over: its count is logged, and another interval begins; one without a refusal ends
 * the entry. */
static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        RefusalLog *log = userdata;
        size_t n = 0;

        for (size_t i = 0; i < log->n_entries; i++) {
                Entry *entry = &log->entries[i];

                if (entry->until <= now) {
                        if (entry->n == 0)
                                continue;
                        log_count(entry, false);
                        entry->n = 0;
                        entry->until = now + INTERVAL_USEC;
                }
                log->entries[n++] = *entry;
        }
        log->n_entries = n;
        for (size_t i = 0; i < LOGGED_KINDS; i++) {
                if (log->others[i].n == 0 || log->others[i].until > now)
                        continue;
                log_count(&log->others[i], true);
                log->others[i].n = 0;
        }
        return arm(log);
}

static Entry *find(RefusalLog *log, uint32_t uid, LoggedKind kind) {
        for (size_t i = 0; i < log->n_entries; i++)
                if (log->entries[i].uid == uid && log->entries[i].kind == kind)
                        return &log->entries[i];
        return NULL;
}

bool refusal_log_wants(RefusalLog *log, uint32_t uid, LoggedKind kind) {
        uint64_t until = clock_usec(CLOCK_MONOTONIC) + INTERVAL_USEC;
        Entry *entry = find(log, uid, kind);

        if (entry && entry->n_logged < kinds[kind].n_logged) {
                entry->n_logged++;
                return true;
        }
        if (entry) {
                entry->n++;
                return false;
        }
        if (log->n_entries == USERS_MAX) {
                Entry *others = &log->others[kind];

                if (others->n++ == 0)
                        others->until = until;
                others->kind = kind;
                (void)arm(log);
                return false;
        }
        log->entries[log->n_entries++] =
                (Entry){.uid = uid, .kind = kind, .until = until, .n_logged = 1};
        (void)arm(log);
        return true;
}

int refusal_log_new(sd_event *event, RefusalLog **ret) {
        RefusalLog *log = calloc(1, sizeof(*log));
        int r;

        if (!log)
                return -ENOMEM;
        r = sd_event_add_time(event, &log->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_time, log);
        if (r < 0) {
                free(log);
                return r;
        }
        *ret = log;
        return 0;
}

void refusal_log_free(RefusalLog *log) {
        if (!log)
                return;
        for (size_t i = 0; i < log->n_entries; i++)
                if (log->entries[i].n > 0)
                        log_count(&log->entries[i], false);
        for (size_t i = 0; i < LOGGED_KINDS; i++)
                if (log->others[i].n > 0)
                        log_count(&log->others[i], true);
        sd_event_source_disable_unref(log->timer);
        free(log);
}
