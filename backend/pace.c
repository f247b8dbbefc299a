/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/pace.h"

#define IDLE_PAUSES 2u /* a gap in a stream is not its end */

static uint32_t first_pause(const Pace *pace) {
        return pace->longest < PACE_FIRST_USEC ? pace->longest : PACE_FIRST_USEC;
}

static void begin(Pace *pace, bool sending, uint64_t now) {
        pace->on = false;
        pace->sending = sending;
        pace->streak = 0;
        pace->began = now;
        pace->pause = first_pause(pace);
}

/* After a pause that brought so many frames. */
static void adjust(Pace *pace, uint64_t moved) {
        if (moved > PACE_MANY)
                pace->pause = pace->pause > PACE_LEAST_USEC ? pace->pause / 2 : 0;
        else if (moved < PACE_FEW)
                pace->pause = pace->pause >= PACE_LEAST_USEC ? 2 * pace->pause : PACE_LEAST_USEC;
        if (pace->pause > pace->longest)
                pace->pause = pace->longest;
}

bool pace_note(Pace *pace, uint64_t sent, uint64_t received, uint64_t now) {
        bool sends = sent != pace->sent, receives = received != pace->received;
        uint64_t moved = (sent - pace->sent) + (received - pace->received);

        pace->sent = sent;
        pace->received = received;
        if (pace->longest == 0)
                return false;
        if (!sends && !receives) {
                if (pace->on && ++pace->idle >= IDLE_PAUSES)
                        begin(pace, pace->sending, now);
                return pace->on;
        }
        pace->idle = 0;
        if (sends == receives || sends != pace->sending)
                begin(pace, sends, now);
        else if (pace->on)
                adjust(pace, moved);
        else if (++pace->streak >= PACE_STREAK) {
                /* A pause has to bring two frames at least, or it only delays. */
                bool often = now - pace->began < (uint64_t)PACE_STREAK * first_pause(pace) / 2;

                begin(pace, sends, now);
                pace->on = often;
        }
        return pace->on;
}
