/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One thread, one epoll: the front end's messages, kicks, frames. It sleeps when nobody wants
 * anything.
 */

#include "backend/connection.h"
#include "backend/pace.h"
#include "backend/port-rx.h"
#include "backend/port-tx.h"

typedef struct Loop {
        Device *device;
        PortIo *io;
        Connection connection;
        int epoll_fd;
        int end_fd;          /* an eventfd, readable: end */
        uint32_t busy_poll;  /* µs to look by ourselves before sleeping */
        uint64_t busy_until; /* CLOCK_MONOTONIC, µs */
        Pace pace;
        bool watching;        /* the sockets are in the epoll */
        unsigned busy_rounds; /* in a row that did not come to an end of the work */
        bool looked;          /* the last round looked by itself, and had no ring armed */
        unsigned suspect; /* looks that are left at whether the lease's interface is still there */
} Loop;

/* epoll and the descriptors that are there from the beginning. 0 or -errno. */
int loop_init(Loop *loop, Device *device);
void loop_done(Loop *loop);
/* Runs until asked to end (0), or the reason in ret_refusal, or -errno. */
int loop_run(Loop *loop, Refusal *ret_refusal);
