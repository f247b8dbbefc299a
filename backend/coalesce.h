/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Notification coalescing: when the loop pauses and polls instead of waiting for events.
 *
 * A guest that sends single frames kicks for each of them, and each kick wakes a process. Frames
 * that arrive one by one wake it as often. When many such frames in a millisecond go in one
 * direction only, the loop turns events off, pauses, and polls. A pause grows or shrinks until it
 * collects a good batch, as network cards moderate their interrupts. Where frames come faster than
 * that, the pause is 0. Request-reply traffic alternates, so it never turns coalescing on and is
 * never delayed.
 */

#include <stdbool.h>
#include <stdint.h>

/* Rounds in one direction before coalescing begins. */
#define COALESCE_STREAK 8u
/* The first pause. Coalescing begins where two frames come in this time. */
#define COALESCE_FIRST_USEC 200u
#define COALESCE_MIN_USEC 50u
/* A pause with fewer frames makes the next one longer, a pause with more makes it shorter. A
 * guest's ring has 256 entries as a rule, and a socket holds about as many frames. */
#define COALESCE_FRAMES_LOW 24u
#define COALESCE_FRAMES_HIGH 64u

typedef struct Coalesce {
        uint32_t max_usec;       /* the longest pause; 0: coalescing is off */
        uint32_t pause;          /* µs, while on */
        bool on;                 /* the loop pauses, then polls */
        bool sending;            /* the direction of the current streak */
        unsigned streak;         /* rounds in that direction */
        unsigned idle;           /* pauses in a row without a frame */
        uint64_t began;          /* when the streak began, µs */
        uint64_t sent, received; /* frames so far */
} Coalesce;

/* Call after each round: the frames sent and received so far, and the time (µs). Returns
 * coalesce->on. */
bool coalesce_note(Coalesce *coalesce, uint64_t sent, uint64_t received, uint64_t now);
