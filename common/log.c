/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "common/clock.h"
#include "common/names.h"
#include "common/text.h"

/* The journal's native socket, sd_journal_send(3). Where it exists a journal runs. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Set once by log_open(), before there are threads. */
static const char *log_program = "rawnet";
static bool log_to_journal; /* stderr is the journal's stream */
static bool log_debugging;

/* systemd.exec(5), $JOURNAL_STREAM: "device:inode" of the stream that a service's stderr was
 * connected to. It is inherited, also by a program whose stderr went elsewhere since: hence the
 * comparison. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        char mine[2 * 20 + 2];
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        return strcmp(stream, mine) == 0;
}

void log_open(const char *program) {
        log_program = program;
        log_to_journal = stderr_is_journal();
        log_debugging = getenv("RAWNET_DEBUG") != NULL;
}

/* One line, one write: lines of several processes do not mix. */
static void write_line(int level, const char *text) {
        if (log_to_journal)
                fprintf(stderr, "<%d>%s\n", level, text);
        else
                fprintf(stderr, "%s: %s\n", log_program, text);
}

/* The formatted text, printable; NULL when there is no memory for it. The caller frees. */
_printf_(1, 0) static char *format_text(const char *format, va_list ap) {
        char *text;

        if (vasprintf(&text, format, ap) < 0)
                return NULL;
        text_make_printable(text);
        return text;
}

void log_at(int level, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        int saved = errno;
        va_list ap;

        if (level == LOG_DEBUG && !log_debugging)
                return;
        va_start(ap, format);
        text = format_text(format, ap);
        va_end(ap);
        /* Without memory the bare format still tells what happened. */
        write_line(level, text ? text : format);
        errno = saved;
}

bool log_limit_pass(LogLimit *limit, unsigned *ret_left_out) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);

        if (now < limit->until) {
                limit->n_left_out++;
                return false;
        }
        *ret_left_out = limit->n_left_out;
        *limit = (LogLimit){.until = now + LOG_LIMIT_USEC};
        return true;
}

void log_limited(LogLimit *limit, int level, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        int saved = errno;
        unsigned n;
        va_list ap;

        if (!log_limit_pass(limit, &n))
                return;
        va_start(ap, format);
        text = format_text(format, ap);
        va_end(ap);
        if (n > 0)
                log_at(level, "%s (and %u %s before)", text ? text : format, n,
                       text_plural(n, "time more", "times more"));
        else
                log_at(level, "%s", text ? text : format);
        errno = saved;
}

/* The entry of one event while it is built: fields in one buffer each, given to the journal
 * together. */
typedef struct Entry {
        struct iovec field[17];
        size_t count;
} Entry;

static void entry_free(Entry *entry) {
        while (entry->count > 0)
                free(entry->field[--entry->count].iov_base);
}

/* Without memory the field is left out: an entry with fewer fields beats none. */
_printf_(2, 3) static void entry_add(Entry *entry, const char *format, ...) {
        va_list ap;
        char *text;
        int n;

        if (entry->count == ARRAY_SIZE(entry->field))
                return;
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n >= 0)
                entry->field[entry->count++] =
                        (struct iovec){.iov_base = text, .iov_len = (size_t)n};
}

static int send_entry(const LogEvent *event, const char *text) {
        _cleanup_(entry_free) Entry entry = {0};

        /* libsystemd reports success where no journal runs. */
        if (access(JOURNAL_SOCKET, W_OK) < 0)
                return -errno;
        entry_add(&entry, "MESSAGE=%s", text);
        entry_add(&entry, "PRIORITY=%d", event->level);
        entry_add(&entry, "SYSLOG_IDENTIFIER=%s", log_program);
        if (event->message_id)
                entry_add(&entry, "MESSAGE_ID=%s", event->message_id);
        if (event->network)
                entry_add(&entry, "RAWNET_NETWORK=%s", event->network);
        if (event->vlan)
                entry_add(&entry, "RAWNET_VLAN=%s", event->vlan);
        if (event->parent)
                entry_add(&entry, "RAWNET_PARENT=%s", event->parent);
        if (event->kind)
                entry_add(&entry, "RAWNET_KIND=%s", event->kind);
        if (event->name && event->name[0])
                entry_add(&entry, "RAWNET_NAME=%s", event->name);
        if (event->mac)
                entry_add(&entry, "RAWNET_MAC=%s", event->mac);
        if (event->error)
                entry_add(&entry, "RAWNET_ERROR=%s", event->error);
        if (event->reason)
                entry_add(&entry, "RAWNET_REASON=%s", event->reason);
        if (event->source)
                entry_add(&entry, "RAWNET_SOURCE=%s", event->source);
        if (event->lease != 0)
                entry_add(&entry, "RAWNET_LEASE=" RAWNET_PORT_NAME_FORMAT, event->lease);
        if (event->since != 0)
                entry_add(&entry, "RAWNET_SINCE=%" PRIu64, event->since);
        if (event->uid >= 0)
                entry_add(&entry, "RAWNET_UID=%" PRId64, event->uid);
        if (event->closer)
                entry_add(&entry, "RAWNET_CLOSER_UID=%s", event->closer);
        if (entry.count == 0)
                return -ENOMEM;
        return sd_journal_sendv(entry.field, (int)entry.count);
}

void log_event(const LogEvent *event, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        int saved = errno, r;
        va_list ap;

        va_start(ap, format);
        text = format_text(format, ap);
        va_end(ap);
        r = send_entry(event, text ? text : format);
        /* Where stderr is the journal too, the entry replaces the line. */
        if (!log_to_journal || r < 0)
                write_line(event->level, text ? text : format);
        errno = saved;
}
