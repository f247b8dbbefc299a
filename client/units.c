/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/units.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000) /* µs */

/* One decimal below 100: three or four digits in all. */
const char *units_bytes(uint64_t bytes, char buffer[static UNITS_SIZE]) {
        static const char prefixes[] = "KMGTPE"; /* IEC 80000-13: Ki, Mi … */
        unsigned shift = 0;

        while (shift < 60 && bytes >> shift >= 1024)
                shift += 10;
        if (shift == 0)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 " B", bytes);
        else if (bytes >> shift >= 100)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 " %ciB", bytes >> shift,
                         prefixes[shift / 10 - 1]);
        else
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 ".%" PRIu64 " %ciB", bytes >> shift,
                         (bytes & ((UINT64_C(1) << shift) - 1)) * 10 >> shift,
                         prefixes[shift / 10 - 1]);
        return buffer;
}

const char *units_count(uint64_t n, char buffer[static UNITS_SIZE]) {
        static const char prefixes[] = "kMGTPE";
        uint64_t unit = 1;
        int power = -1;

        while (n / unit >= 1000) {
                unit *= 1000;
                power++;
        }
        if (power < 0)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64, n);
        else if (n / unit >= 100)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 "%c", n / unit, prefixes[power]);
        else
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 ".%" PRIu64 "%c", n / unit,
                         n % unit / (unit / 10), prefixes[power]);
        return buffer;
}

const char *units_age(uint64_t since, uint64_t now, char buffer[static UNITS_SIZE]) {
        uint64_t seconds = now > since ? (now - since) / SECOND : 0;

        if (seconds < 60)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 "s", seconds);
        else if (seconds < 3600)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 "min", seconds / 60);
        else if (seconds < UINT64_C(48) * 3600)
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 "h", seconds / 3600);
        else
                snprintf(buffer, UNITS_SIZE, "%" PRIu64 "d", seconds / (UINT64_C(24) * 3600));
        return buffer;
}

const char *units_time(uint64_t usec, bool day, char buffer[static UNITS_SIZE]) {
        time_t seconds = (time_t)(usec / SECOND);
        struct tm tm;

        if (usec == 0 || !localtime_r(&seconds, &tm) ||
            strftime(buffer, UNITS_SIZE, day ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &tm) == 0)
                buffer[0] = '\0';
        return buffer;
}

const char *units_stamp(uint64_t usec, char buffer[static UNITS_SIZE]) {
        char *blank;

        units_time(usec, true, buffer);
        blank = strchr(buffer, ' ');
        if (blank)
                *blank = 'T';
        return buffer;
}

uint64_t units_rate(uint64_t n, uint64_t elapsed) {
        /* In double: n times a million may be more than 64 bits hold, and so may the result. */
        double rate = elapsed > 0 ? (double)n * (double)SECOND / (double)elapsed + 0.5 : 0;

        return rate < 0x1p64 ? (uint64_t)rate : UINT64_MAX;
}
