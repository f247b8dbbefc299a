/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When to look at a clock's pace instead of at every event. A slow guest that sends one frame after
 * the other kicks for each, and each kick wakes a process; frames that arrive one by one wake it as
 * often. When that goes on, all one way and many in a millisecond, the loop asks for no events,
 * pauses, and looks. A pause grows or shrinks until it brings a good batch, as network cards
 * moderate their interrupts; where frames come faster than that there is none. Questions and
 * answers, which alternate, never come to that: nothing delays them.
 */

#include <stdbool.h>
#include <stdint.h>

#define PACE_STREAK 8u       /* rounds of one direction before it begins */
#define PACE_FIRST_USEC 200u /* the first pause; it begins where two frames come in so long */
#define PACE_LEAST_USEC 50u
#define PACE_FEW 24u /* frames that a pause brought: the next may be longer */
#define PACE_MANY                                                                                  \
        64u /* shorter: a guest's ring has 256 entries as a rule, and a socket holds about as many \
               frames */

typedef struct Pace {
        uint32_t longest;        /* pause, µs; 0: never any */
        uint32_t pause;          /* µs, while on */
        bool on;                 /* pause, then look */
        bool sending;            /* the direction of late */
        unsigned streak;         /* rounds of it */
        unsigned idle;           /* pauses without a frame */
        uint64_t began;          /* of the streak, µs */
        uint64_t sent, received; /* so far */
} Pace;

/* After a round: the frames that went each way so far, and the time (µs). Returns pace->on. */
bool pace_note(Pace *pace, uint64_t sent, uint64_t received, uint64_t now);
