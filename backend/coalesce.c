/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/coalesce.h"

#define IDLE_PAUSES 2u /* one pause without a frame is not the end of a stream */

static uint32_t first_pause(const Coalesce *c) {
        return c->max_usec < COALESCE_FIRST_USEC ? c->max_usec : COALESCE_FIRST_USEC;
}

static void begin(Coalesce *c, bool sending, uint64_t now) {
        c->on = false;
        c->sending = sending;
        c->streak = 0;
        c->began = now;
        c->pause = first_pause(c);
}

/* moved: the frames of the last pause. */
static void adjust(Coalesce *c, uint64_t moved) {
        if (moved > COALESCE_FRAMES_HIGH)
                c->pause = c->pause > COALESCE_MIN_USEC ? c->pause / 2 : 0;
        else if (moved < COALESCE_FRAMES_LOW)
                c->pause = c->pause >= COALESCE_MIN_USEC ? 2 * c->pause : COALESCE_MIN_USEC;
        if (c->pause > c->max_usec)
                c->pause = c->max_usec;
}

bool coalesce_note(Coalesce *c, uint64_t sent, uint64_t received, uint64_t now) {
        bool sends = sent != c->sent, receives = received != c->received;
        uint64_t moved = (sent - c->sent) + (received - c->received);

        c->sent = sent;
        c->received = received;
        if (c->max_usec == 0)
                return false;
        if (!sends && !receives) {
                if (c->on && ++c->idle >= IDLE_PAUSES)
                        begin(c, c->sending, now);
                return c->on;
        }
        c->idle = 0;
        if (sends == receives || sends != c->sending)
                begin(c, sends, now);
        else if (c->on)
                adjust(c, moved);
        else if (++c->streak >= COALESCE_STREAK) {
                /* A pause that collects fewer than two frames only delays. */
                bool often = now - c->began < (uint64_t)COALESCE_STREAK * first_pause(c) / 2;

                begin(c, sends, now);
                c->on = often;
        }
        return c->on;
}
