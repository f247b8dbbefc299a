/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Microseconds, clock_gettime(2).
 */

#include <time.h>

#include "common/util.h"

static inline uint64_t clock_usec(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline void clock_pause(uint64_t usec) {
        struct timespec t = {.tv_sec = (time_t)(usec / 1000000),
                             .tv_nsec = (long)(usec % 1000000) * 1000};

        while (nanosleep(&t, &t) < 0 && errno == EINTR)
                ;
}
