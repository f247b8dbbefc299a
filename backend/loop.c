/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/loop.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/log.h"

/* A link that is deleted goes down first, and that alone is announced (net/packet/af_packet.c, packet_notifier()): so we look again. */
#define SUSPECT_MS 50
#define SUSPECT_LOOKS 40u
#define POLL_MS 1 /* between looks at a ring whose guest has no way to kick */

int loop_init(Loop *loop, Device *device) {
        *loop = (Loop){.device = device, .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .signal_fd = -1};
        connection_init(&loop->connection);
        if (loop->epoll_fd < 0)
                return -errno;
        loop->connection.epoll_fd = device->epoll_fd = loop->epoll_fd;
        loop->io = port_io_new();
        if (!loop->io)
                return -ENOMEM;
        for (unsigned i = 0; i < device->n_pairs; i++) {
                struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = EVENT_SOCKET + i};

                if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, device->pairs[i].socket, &event) < 0)
                        return -errno;
        }
        return 0;
}

void loop_done(Loop *loop) {
        connection_done(&loop->connection);
        loop->device->epoll_fd = -1;
        port_io_free(loop->io);
        safe_close(loop->signal_fd);
        safe_close(loop->epoll_fd);
}

static uint64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Edge: a frame is one event, however long the guest leaves it there. EPOLLOUT costs something for every frame that has been sent, so
 * it is asked for only when a socket is full. */
static int watch_socket(Loop *loop, unsigned pair, bool room) {
        struct epoll_event event = {
                .events = EPOLLIN | EPOLLET | (room ? (uint32_t)EPOLLOUT : 0),
                .data.u32 = EVENT_SOCKET + pair,
        };

        return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->device->pairs[pair].socket, &event) < 0 ? -errno : 0;
}

/* Everything that can go on without an event. *ret_more: there is more of it. */
static int work(Loop *loop, bool rearm, bool *ret_more, Refusal *ret_refusal) {
        *ret_more = false;
        for (unsigned i = 0; i < loop->device->n_pairs; i++) {
                Pair *pair = &loop->device->pairs[i];
                PortResult r = PORT_WAITS;

                if (pair->kicked && !pair->blocked) {
                        r = port_transmit(loop->io, loop->device, i, rearm, ret_refusal);
                        *ret_more = *ret_more || r == PORT_MORE;
                        if (r != PORT_BROKEN && pair->blocked) {
                                int error = watch_socket(loop, i, true);

                                if (error < 0)
                                        return error;
                        }
                }
                if (r != PORT_BROKEN && pair->readable && !pair->starved) {
                        r = port_receive(loop->io, loop->device, i, ret_refusal);
                        *ret_more = *ret_more || r == PORT_MORE;
                }
                if (r == PORT_BROKEN)
                        return (int)ret_refusal->error;
        }
        return 0;
}

static int seek(Loop *loop, bool *ret_retry) {
        int r = connection_seek(&loop->connection, ret_retry);

        if (r == 0 && loop->connection.front.fd >= 0)
                port_discard(loop->device);
        return r;
}

static int on_front_end(Loop *loop, bool *ret_retry, bool *ret_end, Refusal *ret_refusal) {
        int r = vhost_user_serve(&loop->connection.front, loop->device, ret_refusal);

        if (r != -ENOTCONN)
                return r;
        device_reset(loop->device);
        *ret_end = !connection_lost(&loop->connection);
        if (*ret_end)
                return 0;
        log_info("the front end has gone; waiting for the next");
        return seek(loop, ret_retry);
}

static int on_socket(Loop *loop, unsigned i, uint32_t events, Refusal *ret_refusal) {
        Pair *pair = &loop->device->pairs[i];

        pair->readable = true;
        if (events & EPOLLERR) {
                loop->suspect = SUSPECT_LOOKS;
                return port_check(pair, ret_refusal);
        }
        if ((events & EPOLLOUT) && pair->blocked) {
                pair->blocked = false;
                return watch_socket(loop, i, false);
        }
        return 0;
}

/* More buffers: for every socket, since a ring may serve several. */
static void feed(Device *device) {
        for (unsigned i = 0; i < device->n_pairs; i++)
                device->pairs[i].starved = false;
}

static int on_event(Loop *loop, const struct epoll_event *event, bool *ret_retry, bool *ret_end,
                    Refusal *ret_refusal) {
        uint32_t what = event->data.u32;

        if (what >= EVENT_KICK) {
                if ((what - EVENT_KICK) % 2 == 0)
                        feed(loop->device);
                else
                        loop->device->pairs[(what - EVENT_KICK) / 2].kicked = true;
                return 0;
        }
        if (what >= EVENT_SOCKET)
                return on_socket(loop, what - EVENT_SOCKET, event->events, ret_refusal);
        switch (what) {
        case EVENT_SIGNAL:
                *ret_end = true;
                return 0;
        case EVENT_LISTEN:
                port_discard(loop->device);
                return connection_accept(&loop->connection);
        default:
                return on_front_end(loop, ret_retry, ret_end, ret_refusal);
        }
}

/* Looks by ourselves: at all rings, or only at those whose guest cannot kick. Returns whether there are any. */
static bool look(Device *device, bool all) {
        bool any = false;

        for (unsigned i = 0; i < device->n_pairs; i++) {
                Pair *pair = &device->pairs[i];

                if (pair->transmit.started && (all || pair->transmit.kick_fd < 0))
                        any = pair->kicked = true;
                if (pair->receive.started && (all || pair->receive.kick_fd < 0)) {
                        any = true;
                        feed(device);
                }
        }
        return any;
}

static int one_round(Loop *loop, bool *retry, bool *end, Refusal *ret_refusal) {
        bool polling = loop->busy_poll > 0 && now() < loop->busy_until, kickless, more;
        struct epoll_event events[16];
        int n, r, timeout;

        kickless = look(loop->device, polling);
        r = work(loop, !polling, &more, ret_refusal);
        if (r != 0)
                return r;
        if (loop->suspect > 0) {
                loop->suspect--;
                r = port_check(&loop->device->pairs[0], ret_refusal);
                if (r != 0)
                        return r;
        }
        timeout = more || polling     ? 0
                  : kickless          ? POLL_MS
                  : loop->suspect > 0 ? SUSPECT_MS
                  : *retry            ? CONNECTION_RETRY_MS
                                      : -1;
        n = epoll_wait(loop->epoll_fd, events, ARRAY_SIZE(events), timeout);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        if (loop->busy_poll > 0 && (more || n > 0))
                loop->busy_until = now() + loop->busy_poll;
        if (n == 0 && *retry)
                return seek(loop, retry);
        for (int i = 0; i < n && r == 0 && !*end; i++)
                r = on_event(loop, &events[i], retry, end, ret_refusal);
        return r;
}

/* The front end hears of the end of its rings (SET_VRING_ERR). */
static void tell_end(Device *device) {
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++) {
                const Ring *ring = device_ring(device, i);

                if (ring->started && ring->error_fd >= 0)
                        eventfd_write(ring->error_fd, 1);
        }
}

int loop_run(Loop *loop, Refusal *ret_refusal) {
        bool retry = false, end = false;
        int r = 0;

        if (loop->connection.front.fd < 0)
                r = seek(loop, &retry);
        else
                port_discard(loop->device);
        while (r == 0 && !end)
                r = one_round(loop, &retry, &end, ret_refusal);
        if (r != 0)
                tell_end(loop->device);
        return r;
}
