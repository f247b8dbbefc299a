/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/loop.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "backend/peer-event.h"
#include "common/clock.h"
#include "common/log.h"

/* A link that is deleted goes down first, and only that is reported to a packet socket
 * (net/packet/af_packet.c, packet_notifier()). So the loop checks the interface some times
 * afterwards. */
#define CHECK_MS 50
#define CHECKS 40u
#define BUSY_ROUNDS 4u /* of several batches each: a stream */
#define POLL_MS 1      /* between polls of a ring without a kick descriptor */

void loop_done(Loop *loop) {
        connection_done(&loop->connection);
        loop->device->epoll_fd = -1;
        port_io_free(loop->io);
        safe_close(loop->end_fd);
        safe_close(loop->epoll_fd);
}

static uint64_t now(void) {
        return clock_usec(CLOCK_MONOTONIC);
}

/* Edge-triggered: a frame is one event, however long it waits for a buffer. EPOLLOUT costs
 * processor time for every frame that is sent, so it is requested only when a socket is full.
 * EPOLLIN is off while the guest has no buffers. */
static int control_socket(Loop *loop, int operation, unsigned i) {
        const Pair *pair = &loop->device->pairs[i];
        struct epoll_event event = {
                .events = EPOLLET | (pair->epollin_off ? 0 : (uint32_t)EPOLLIN) |
                          (pair->blocked ? (uint32_t)EPOLLOUT : 0),
                .data.u32 = EVENT_SOCKET + i,
        };

        return epoll_ctl(loop->epoll_fd, operation, pair->socket, &event) < 0 ? -errno : 0;
}

static int watch_socket(Loop *loop, unsigned i) {
        return loop->watching ? control_socket(loop, EPOLL_CTL_MOD, i) : 0;
}

/* The kernel looks into the epoll for every frame of a socket in it, which takes a tenth of the
 * time when frames are short (net/core/sock.c, sock_def_write_space()). So the sockets are taken
 * out of the epoll while the loop polls anyway. */
static int watch_sockets(Loop *loop, bool watch) {
        int r = 0;

        if (loop->watching == watch)
                return 0;
        for (unsigned i = 0; i < loop->device->n_pairs && r == 0; i++)
                r = control_socket(loop, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, i);
        loop->watching = watch;
        return r;
}

int loop_init(Loop *loop, Device *device) {
        *loop = (Loop){.device = device, .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .end_fd = -1};
        connection_init(&loop->connection);
        if (loop->epoll_fd < 0)
                return -errno;
        loop->connection.epoll_fd = device->epoll_fd = loop->epoll_fd;
        loop->io = port_io_new();
        if (!loop->io)
                return -ENOMEM;
        return watch_sockets(loop, true);
}

static int restore_epollin(Loop *loop, unsigned i) {
        loop->device->pairs[i].epollin_off = false;
        return watch_socket(loop, i);
}

/* Does everything that needs no event. *ret_more: some of it is left. */
static int work(Loop *loop, bool rearm, bool *ret_more, Refusal *ret_refusal) {
        *ret_more = false;
        for (unsigned i = 0; i < loop->device->n_pairs; i++) {
                Pair *pair = &loop->device->pairs[i];
                PortResult r = PORT_WAITS;

                if (!loop->watching) {
                        pair->readable = true;
                        pair->blocked = false;
                }
                if (pair->kicked && !pair->blocked) {
                        r = port_transmit(loop->io, loop->device, i, rearm, ret_refusal);
                        *ret_more = *ret_more || r == PORT_MORE;
                        if (r != PORT_BROKEN && pair->blocked) {
                                int error = watch_socket(loop, i);

                                if (error < 0)
                                        return error;
                        }
                }
                if (r != PORT_BROKEN && pair->readable && !pair->starved) {
                        r = port_receive(loop->io, loop->device, i, rearm, ret_refusal);
                        *ret_more = *ret_more || r == PORT_MORE;
                }
                if (r == PORT_BROKEN)
                        return (int)ret_refusal->error;
                /* Only when the socket is empty. With a guest slower than the wire that is seldom,
                 * and each change is a system call. */
                if (pair->epollin_off && !pair->starved && !pair->readable) {
                        int error = restore_epollin(loop, i);

                        if (error < 0)
                                return error;
                }
                if (pair->down)
                        loop->checks_left = CHECKS;
                pair->down = false;
        }
        return 0;
}

static int on_front_end(Loop *loop, bool *ret_end, Refusal *ret_refusal) {
        int r = vhost_user_serve(&loop->connection.front, loop->device, ret_refusal);

        if (r != -ENOTCONN)
                return r;
        device_reset(loop->device);
        *ret_end = !connection_lost(&loop->connection);
        if (*ret_end)
                return 0;
        log_info("the front end has disconnected; waiting for the next");
        return connection_seek(&loop->connection);
}

static int on_socket(Loop *loop, unsigned i, uint32_t events, Refusal *ret_refusal) {
        Pair *pair = &loop->device->pairs[i];

        pair->readable = true;
        if (events & EPOLLERR) {
                loop->checks_left = CHECKS;
                return port_check(pair, ret_refusal);
        }
        if ((events & EPOLLOUT) && pair->blocked) {
                pair->blocked = false;
                return watch_socket(loop, i);
        }
        if ((events & EPOLLIN) && pair->starved && !pair->epollin_off) {
                pair->epollin_off = true;
                return watch_socket(loop, i);
        }
        return 0;
}

/* The guest made buffers available. One ring may serve several sockets. */
static void wake_starved(Device *device) {
        for (unsigned i = 0; i < device->n_pairs; i++)
                device->pairs[i].starved = false;
}

/* Such a guest waits for ever. This warning is the only place that reports the reason. */
static void note_kick(Device *device, uint32_t number) {
        if (ring_note_kick(device_ring(device, number)))
                log_warning("ring %" PRIu32 " is empty although the guest kicks it (" MEMORY_REMEDY
                            ")",
                            number);
}

static int on_event(Loop *loop, const struct epoll_event *event, bool *ret_end,
                    Refusal *ret_refusal) {
        uint32_t what = event->data.u32;

        if (what >= EVENT_KICK) {
                note_kick(loop->device, what - EVENT_KICK);
                if ((what - EVENT_KICK) % 2 == 0)
                        wake_starved(loop->device);
                else
                        loop->device->pairs[(what - EVENT_KICK) / 2].kicked = true;
                return 0;
        }
        if (what >= EVENT_SOCKET)
                return on_socket(loop, what - EVENT_SOCKET, event->events, ret_refusal);
        switch (what) {
        case EVENT_END:
                *ret_end = true;
                return 0;
        case EVENT_LISTEN:
                port_discard(loop->device);
                return connection_accept(&loop->connection);
        case EVENT_CONNECTOR:
                port_discard(loop->device);
                return connection_receive(&loop->connection, ret_refusal);
        default:
                return on_front_end(loop, ret_end, ret_refusal);
        }
}

/* Frames in each direction so far, dropped ones included. */
static void count_frames(const Device *device, uint64_t *ret_sent, uint64_t *ret_received) {
        *ret_sent = *ret_received = 0;
        for (unsigned i = 0; i < device->n_pairs; i++) {
                const PortCount *count = &device->pairs[i].count;

                *ret_sent += count->sent + count->send_dropped;
                *ret_received += count->received + count->receive_dropped;
        }
}

/* Frames gather meanwhile. The front end's messages wait until the end of the pause, too. */
static void pause_for(uint32_t microseconds) {
        const struct timespec t = {
                .tv_sec = microseconds / 1000000,
                .tv_nsec = (long)(microseconds % 1000000) * 1000,
        };

        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static bool is_coalescing(Loop *loop) {
        uint64_t sent, received;

        if (loop->coalesce.max_usec == 0)
                return false;
        count_frames(loop->device, &sent, &received);
        return coalesce_note(&loop->coalesce, sent, received, now());
}

/* Marks rings as if they had been kicked: all, or only those without a kick descriptor. Returns
 * whether there are any. */
static bool poll_rings(Device *device, bool all) {
        bool any = false;

        for (unsigned i = 0; i < device->n_pairs; i++) {
                Pair *pair = &device->pairs[i];

                if (pair->transmit.started && (all || pair->transmit.kick_fd < 0))
                        any = pair->kicked = true;
                if (pair->receive.started && (all || pair->receive.kick_fd < 0)) {
                        any = true;
                        wake_starved(device);
                }
        }
        return any;
}

static int one_round(Loop *loop, bool *end, Refusal *ret_refusal) {
        bool busy = loop->busy_poll > 0 && now() < loop->busy_until, kickless, more;
        bool polling = busy || loop->coalesce.on, coalescing;
        struct epoll_event events[16];
        int n, r, timeout;

        /* One more poll after the last polling round: this round enables notifications again. */
        kickless = poll_rings(loop->device, polling || loop->polled);
        loop->polled = polling;
        r = work(loop, !polling, &more, ret_refusal);
        if (r != 0)
                return r;
        loop->busy_rounds = more ? loop->busy_rounds + 1 : 0;
        coalescing = is_coalescing(loop);
        r = watch_sockets(loop, !coalescing && loop->busy_rounds < BUSY_ROUNDS);
        if (r != 0)
                return r;
        if (coalescing && !more && loop->coalesce.pause > 0 && !busy)
                pause_for(loop->coalesce.pause);
        if (loop->checks_left > 0) {
                loop->checks_left--;
                r = port_check(&loop->device->pairs[0], ret_refusal);
                if (r != 0)
                        return r;
        }
        /* The loop must not sleep while the sockets are out of the epoll. */
        timeout = more || polling || !loop->watching ? 0
                  : kickless                         ? POLL_MS
                  : loop->checks_left > 0            ? CHECK_MS
                                                     : -1;
        n = epoll_wait(loop->epoll_fd, events, ARRAY_SIZE(events), timeout);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        if (loop->busy_poll > 0 && (more || n > 0))
                loop->busy_until = now() + loop->busy_poll;
        for (int i = 0; i < n && r == 0 && !*end; i++)
                r = on_event(loop, &events[i], end, ret_refusal);
        return r;
}

/* Reports the end of the rings to the front end (SET_VRING_ERR). */
static void signal_errors(Device *device) {
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++) {
                const Ring *ring = device_ring(device, i);

                if (ring->started && ring->error_fd >= 0)
                        (void)peer_event_signal(ring->error_fd, NULL);
        }
}

int loop_run(Loop *loop, Refusal *ret_refusal) {
        bool end = false;
        int r = 0;

        if (loop->connection.front.fd < 0)
                r = connection_seek(&loop->connection);
        else
                port_discard(loop->device);
        while (r == 0 && !end)
                r = one_round(loop, &end, ret_refusal);
        if (r != 0)
                signal_errors(loop->device);
        return r;
}
