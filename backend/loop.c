/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/loop.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "backend/peer-event.h"
#include "common/log.h"

/* A link that is deleted goes down first, and that alone is announced (net/packet/af_packet.c,
 * packet_notifier()): so we look again. */
#define SUSPECT_MS 50
#define SUSPECT_LOOKS 40u
#define BUSY_ROUNDS 4u /* of several batches each: it will go on */
#define POLL_MS 1      /* between looks at a ring whose guest has no way to kick */

void loop_done(Loop *loop) {
        connection_done(&loop->connection);
        loop->device->epoll_fd = -1;
        port_io_free(loop->io);
        safe_close(loop->end_fd);
        safe_close(loop->epoll_fd);
}

static uint64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Edge: a frame is one event, however long the guest leaves it there. EPOLLOUT costs something for
 * every frame that has been sent, so it is asked for only when a socket is full. While the guest
 * has no buffers, frames that arrive are no news. */
static int control_socket(Loop *loop, int operation, unsigned i) {
        const Pair *pair = &loop->device->pairs[i];
        struct epoll_event event = {
                .events = EPOLLET | (pair->deaf ? 0 : (uint32_t)EPOLLIN) |
                          (pair->blocked ? (uint32_t)EPOLLOUT : 0),
                .data.u32 = EVENT_SOCKET + i,
        };

        return epoll_ctl(loop->epoll_fd, operation, pair->socket, &event) < 0 ? -errno : 0;
}

static int watch_socket(Loop *loop, unsigned i) {
        return loop->watching ? control_socket(loop, EPOLL_CTL_MOD, i) : 0;
}

/* A socket that is in an epoll costs a look into it for every frame that was sent or has arrived, a
 * tenth of all when frames are short (net/core/sock.c, sock_def_write_space()): so they are taken
 * out while the loop comes by anyway. */
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

static int listen_again(Loop *loop, unsigned i) {
        loop->device->pairs[i].deaf = false;
        return watch_socket(loop, i);
}

/* Everything that can go on without an event. *ret_more: there is more of it. */
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
                /* Only when there are none left: with a guest slower than the wire that is seldom,
                 * and each time would cost two calls. */
                if (pair->deaf && !pair->starved && !pair->readable) {
                        int error = listen_again(loop, i);

                        if (error < 0)
                                return error;
                }
                if (pair->down)
                        loop->suspect = SUSPECT_LOOKS;
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
                loop->suspect = SUSPECT_LOOKS;
                return port_check(pair, ret_refusal);
        }
        if ((events & EPOLLOUT) && pair->blocked) {
                pair->blocked = false;
                return watch_socket(loop, i);
        }
        if ((events & EPOLLIN) && pair->starved && !pair->deaf) {
                pair->deaf = true;
                return watch_socket(loop, i);
        }
        return 0;
}

/* More buffers: for every socket, since a ring may serve several. */
static void feed(Device *device) {
        for (unsigned i = 0; i < device->n_pairs; i++)
                device->pairs[i].starved = false;
}

/* The guest waits for ever, and only a word of ours says why. */
static void note_kick(Device *device, uint32_t number) {
        if (ring_kicked(device_ring(device, number)))
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
                        feed(loop->device);
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

/* Frames that went each way so far, lost ones among them. */
static void count_frames(const Device *device, uint64_t *ret_sent, uint64_t *ret_received) {
        *ret_sent = *ret_received = 0;
        for (unsigned i = 0; i < device->n_pairs; i++) {
                const PortCount *count = &device->pairs[i].count;

                *ret_sent += count->sent + count->send_dropped;
                *ret_received += count->received + count->receive_dropped;
        }
}

/* Meanwhile frames gather. Ends earlier for nothing: the front end and signals wait that long, too.
 */
static void pause_for(uint32_t microseconds) {
        const struct timespec t = {
                .tv_sec = microseconds / 1000000,
                .tv_nsec = (long)(microseconds % 1000000) * 1000,
        };

        clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static bool is_paced(Loop *loop) {
        uint64_t sent, received;

        if (loop->pace.longest == 0)
                return false;
        count_frames(loop->device, &sent, &received);
        return pace_note(&loop->pace, sent, received, now());
}

/* Looks by ourselves: at all rings, or only at those whose guest cannot kick. Returns whether there
 * are any. */
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

static int one_round(Loop *loop, bool *end, Refusal *ret_refusal) {
        bool polling = loop->busy_poll > 0 && now() < loop->busy_until, kickless, more;
        bool looking = polling || loop->pace.on, paced;
        struct epoll_event events[16];
        int n, r, timeout;

        /* Once more afterwards: that round arms the rings again. */
        kickless = look(loop->device, looking || loop->looked);
        loop->looked = looking;
        r = work(loop, !looking, &more, ret_refusal);
        if (r != 0)
                return r;
        loop->busy_rounds = more ? loop->busy_rounds + 1 : 0;
        paced = is_paced(loop);
        r = watch_sockets(loop, !paced && loop->busy_rounds < BUSY_ROUNDS);
        if (r != 0)
                return r;
        if (paced && !more && loop->pace.pause > 0 && !polling)
                pause_for(loop->pace.pause);
        if (loop->suspect > 0) {
                loop->suspect--;
                r = port_check(&loop->device->pairs[0], ret_refusal);
                if (r != 0)
                        return r;
        }
        /* Never to sleep with the sockets out of the epoll. */
        timeout = more || looking || !loop->watching ? 0
                  : kickless                         ? POLL_MS
                  : loop->suspect > 0                ? SUSPECT_MS
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

/* The front end hears of the end of its rings (SET_VRING_ERR). */
static void tell_end(Device *device) {
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
                tell_end(loop->device);
        return r;
}
