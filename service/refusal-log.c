/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/refusal-log.h"

#include <inttypes.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/names.h"
#include "common/text.h"

#define INTERVAL_USEC (10 * UINT64_C(1000000))
/* Users at a time; the refusals of more are counted together. */
#define USERS_MAX 256u

typedef struct Entry {
        uint32_t uid;
        bool kernel;
        uint64_t until; /* µs, CLOCK_MONOTONIC: when its interval ends */
        unsigned n;     /* refusals that were not logged */
} Entry;

struct RefusalLog {
        sd_event_source *timer;
        Entry entries[USERS_MAX];
        size_t n_entries;
        Entry others; /* uid is nobody's */
};

static void log_count(const Entry *entry, bool others) {
        const char *requests = text_plural(entry->n, "request", "requests");
        LogEvent event = {
                .level = entry->kernel ? LOG_WARNING : LOG_INFO,
                .message_id = entry->kernel ? RAWNET_EVENT_KERNEL_REFUSED : RAWNET_EVENT_REFUSED,
                .uid = others ? -1 : (int64_t)entry->uid,
        };

        if (others)
                log_event(&event, "refused %u more %s by other users", entry->n, requests);
        else
                log_event(&event, "refused %u more %s by user %" PRIu32, entry->n, requests,
                          entry->uid);
}

static int arm(RefusalLog *log) {
        uint64_t next = log->others.n > 0 ? log->others.until : UINT64_MAX;
        int r;

        for (size_t i = 0; i < log->n_entries; i++)
                next = MIN_OF(next, log->entries[i].until);
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
        if (log->others.n > 0 && log->others.until <= now) {
                log_count(&log->others, true);
                log->others.n = 0;
        }
        return arm(log);
}

static Entry *find(RefusalLog *log, uint32_t uid, bool kernel) {
        for (size_t i = 0; i < log->n_entries; i++)
                if (log->entries[i].uid == uid && log->entries[i].kernel == kernel)
                        return &log->entries[i];
        return NULL;
}

bool refusal_log_wants(RefusalLog *log, uint32_t uid, bool kernel) {
        uint64_t until = clock_usec(CLOCK_MONOTONIC) + INTERVAL_USEC;
        Entry *entry = find(log, uid, kernel);

        if (entry) {
                entry->n++;
                return false;
        }
        if (log->n_entries == USERS_MAX) {
                if (log->others.n++ == 0)
                        log->others.until = until;
                (void)arm(log);
                return false;
        }
        log->entries[log->n_entries++] = (Entry){.uid = uid, .kernel = kernel, .until = until};
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
        if (log->others.n > 0)
                log_count(&log->others, true);
        sd_event_source_disable_unref(log->timer);
        free(log);
}
