/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The one place that writes messages of a program. To stderr with an sd-daemon(3) "<N>" priority
 * prefix when stderr is the journal's stream (JOURNAL_STREAM matches), plain "program: text"
 * otherwise. Events of a lease go to the journal as structured entries by log_event(), where there
 * is a journal.
 */

#include <syslog.h>

#include "common/util.h"

/* program must outlive the process (argv[0]'s last part, a literal). */
void log_open(const char *program);

/* level as in syslog(3), LOG_ERR … LOG_DEBUG; debug only where RAWNET_DEBUG is set when log_open()
 * ran. */
void log_at(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* For a line that somebody else can cause as often as he likes: the first is written, then at most
 * one in LOG_LIMIT_USEC, with the number of lines that were left out. Zero-initialized. One limit
 * for each kind of line. */
#define LOG_LIMIT_USEC (10 * UINT64_C(1000000))
typedef struct LogLimit {
        uint64_t until; /* µs, CLOCK_MONOTONIC */
        unsigned n_left_out;
} LogLimit;

/* May a line be written? If so, *ret_left_out is the number of lines that were left out since the
 * last one. */
bool log_limit_pass(LogLimit *limit, unsigned *ret_left_out);
void log_limited(LogLimit *limit, int level, const char *format, ...) _printf_(3, 4);

/* The subject of the journal entry; NULL and 0 leave a field out. */
typedef struct LogEvent {
        int level;
        const char *message_id; /* 32 hex digits, names.h */
        const char *network;
        const char *vlan;   /* "none" or the VID */
        const char *parent; /* the interface below */
        const char *kind;
        const char *name; /* of the lease; "": it has none, which leaves the field out */
        const char *mac;
        const char *error;  /* D-Bus error name */
        const char *reason; /* drop_name(), or why a lease ended */
        const char *source; /* the source address of a dropped frame */
        uint32_t lease;
        uint64_t since;     /* µs, CLOCK_REALTIME: when the lease was opened */
        int64_t uid;        /* -1: none */
        const char *closer; /* the uid of another user, who closed the lease */
} LogEvent;

/* One line as log_at() writes it and, where systemd's journal runs, one entry with MESSAGE_ID= and
 * RAWNET_* fields; where stderr is the journal itself, the entry only: not the same twice. */
void log_event(const LogEvent *event, const char *format, ...) _printf_(2, 3);
