/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Numbers for people. Each function returns buffer.
 */

#include "common/util.h"

#define UNITS_SIZE 32u

/* "0 B", "1023 B", "1.5 KiB", "640 KiB", "16.0 EiB" at most; rounded down. */
const char *units_bytes(uint64_t bytes, char buffer[static UNITS_SIZE]);

/* Things, or bits, with decimal prefixes: "999", "1.2k", "98.7k", "123M", "18.4E" at most; rounded
 * down. */
const char *units_count(uint64_t n, char buffer[static UNITS_SIZE]);

/* "12s", "59min", "47h", "120d"; a time of less than nothing (a clock that was set back) is "0s".
 */
const char *units_age(uint64_t since, uint64_t now, char buffer[static UNITS_SIZE]);

/* "2026-11-26 13:23:40", local time; "" for 0. Without the day where day is false. */
const char *units_time(uint64_t usec, bool day, char buffer[static UNITS_SIZE]);

/* "2026-11-26T13:23:40", local time, for fields in a pipe. */
const char *units_stamp(uint64_t usec, char buffer[static UNITS_SIZE]);

/* n things in elapsed µs: things per second, rounded. 0 where no time has passed. */
uint64_t units_rate(uint64_t n, uint64_t elapsed);
