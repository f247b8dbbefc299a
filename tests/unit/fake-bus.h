/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asynchronous calls on a bus that does not exist: the test answers them. For tests that wrap the
 * functions of fake-bus.c (tests/unit/meson.build).
 */

#include <systemd/sd-bus.h>

typedef struct FakeCall {
        sd_bus_message_handler_t answer;
        void *userdata;
} FakeCall;

typedef struct FakeBus {
        FakeCall calls[16]; /* not yet answered, oldest first */
        size_t n_open, n_open_max, n_made;
        int send_error;     /* what making a message returns: 0 or -errno */
        const char *member; /* the last method */
} FakeBus;
extern FakeBus fake_bus;

void fake_bus_reset(void);
/* Takes the oldest call and has its caller read an answer. Returns what its handler returns. */
int fake_bus_answer(void);
