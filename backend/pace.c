/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/pace.h"

#define IDLE_PERIODS 2u /* a gap in a stream is not its end */

static void begin(Pace *pace, bool sending, uint64_t now) {
        pace->on = false;
        pace->sending = sending;
        pace->streak = 0;
        pace->began = now;
}

bool pace_note(Pace *pace, uint64_t sent, uint64_t received, uint64_t now) {
        bool sends = sent != pace->sent, receives = received != pace->received;

        pace->moved = (sent - pace->sent) + (received - pace->received);
        pace->sent = sent;
        pace->received = received;
        if (pace->period == 0)
                return false;
        if (!sends && !receives) {
                if (pace->on && ++pace->idle >= IDLE_PERIODS)
                        begin(pace, pace->sending, now);
                return pace->on;
        }
        pace->idle = 0;
        if (sends == receives || sends != pace->sending)
                begin(pace, sends, now);
        else if (!pace->on && ++pace->streak >= PACE_STREAK) {
                /* A pause has to bring two frames at least, or it only delays. */
                bool often = now - pace->began < (uint64_t)PACE_STREAK * pace->period / 2;

                begin(pace, sends, now);
                pace->on = often;
        }
        return pace->on;
}
