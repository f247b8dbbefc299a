/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One thread and one epoll, for the front end's messages, kicks and frames. The loop sleeps while
 * it has no event.
 */

#include "backend/connection.h"
#include "backend/coalesce.h"
#include "backend/port-rx.h"
#include "backend/port-tx.h"

typedef struct Loop {
        Device *device;
        PortIo *io;
        Connection connection;
        int epoll_fd;
        int end_fd;          /* an eventfd; readable: the loop ends */
        uint32_t busy_poll;  /* µs to poll before sleeping */
        uint64_t busy_until; /* CLOCK_MONOTONIC, µs */
        Coalesce coalesce;
        bool watching;        /* the sockets are in the epoll */
        unsigned busy_rounds; /* rounds in a row that left work */
        bool polled;          /* the last round polled, and enabled no ring's notifications */
        unsigned checks_left; /* checks of the lease's interface */
} Loop;

/* Creates the epoll and adds the sockets. 0 or -errno. */
int loop_init(Loop *loop, Device *device);
void loop_done(Loop *loop);
/* Runs until end_fd is readable or the front end is gone for good (0). Otherwise a RawnetError,
 * with the reason in ret_refusal, or -errno. */
int loop_run(Loop *loop, Refusal *ret_refusal);
