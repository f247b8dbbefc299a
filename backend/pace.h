/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When to look at a clock's pace instead of at every event. A slow guest that sends one frame after the other kicks for each, and each
 * kick wakes a process; frames that arrive one by one wake it as often. When that goes on, all one way and more than twice a period, the
 * loop asks for no events and looks once a period. Questions and answers, which alternate, never come to that: nothing delays them.
 */

#include <stdbool.h>
#include <stdint.h>

#define PACE_STREAK 8u /* rounds of one direction before it begins */

typedef struct Pace {
        uint32_t period; /* µs; 0: never */
        bool on;         /* pause for a period, then look */
        bool sending;    /* the direction of late */
        unsigned streak; /* rounds of it */
        unsigned idle;   /* periods without a frame */
        uint64_t began;  /* of the streak, µs */
        uint64_t sent, received, moved; /* so far, and in the last round */
} Pace;

/* After a round: the frames that went each way so far, and the time (µs). Returns pace->on. */
bool pace_note(Pace *pace, uint64_t sent, uint64_t received, uint64_t now);
