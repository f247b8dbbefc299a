/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/gate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "common/refusal.h"
#include "service/caller.h"
#include "service/event-clock.h"
#include "service/gate-queue.h"
#include "service/message-size.h"

/* Calls of one user that wait or are being worked on. */
#define CALLS_MAX 64u
/* Refusals of one user that wait for their turn: as many as dbus-daemon lets 8 connections have
 * calls open (dbus-daemon(1), max_replies_per_connection). Of a name whose user is not known yet,
 * 256. */
#define REFUSALS_MAX 1024u
#define REFUSALS_OF_NAME_MAX 256u
/* Bytes of a call's arguments; the longest valid ones have less than 1,000. */
#define CALL_SIZE_MAX 4096u
/* Longer calls of one user that wait for their refusal. It takes time in proportion to find out how
 * long a call is. With this many waiting, the user's next calls are refused unread. */
#define TOO_LONG_MAX 4u
/* Bytes that wait: of a name whose user is not known yet, and of everybody. A user may have 256
 * connections (dbus-daemon(1), max_connections_per_user). */
#define SIZE_OF_NAME_MAX (96u * 1024)
#define SIZE_MAX_OF_ALL (256u * SIZE_OF_NAME_MAX)
/* Bytes; the kernel doubles the value for its own overhead (socket(7)), and a unix socket counts as
 * writable while at most a quarter of that is in use (net/unix/af_unix.c, unix_writable()): about
 * eight short replies. dbus-daemon reads 2 to 4 KiB of a connection before it looks at the next, so
 * this much keeps it busy. */
#define SEND_BUFFER 16384
/* While messages arrive faster than they are read, a turn is taken after this many. Taking a call
 * costs less than the bus's work for it; answering it may cost more. */
#define ARRIVALS_PER_TURN 8u
/* The pause between two turns of a user who has refusals waiting. His connections then run into the
 * bus's limit of open calls, and the bus, which everybody uses, has less to do for them. */
#define FLOODER_PAUSE_USEC UINT64_C(2000)
/* The same pause, after the refusal of a call that is too long. */
#define TOO_LONG_PAUSE_USEC UINT64_C(100000)

struct Gate {
        sd_bus *bus;
        GateEvents events;
        void *userdata;
        CallerTable *callers;
        int room_fd; /* the bus's socket once more, for an event source of our own */
        sd_event_source *room_source;
        sd_event_source *pause_source; /* the timer at the end of the pause of users who flood */
        GateQueue *turns;              /* users: the next one comes first; none is empty */
        GateQueue *asking;             /* names whose uid the bus is asked for; none is empty */
        size_t size;                   /* bytes that wait, of all */
        unsigned n_arrivals;           /* messages since the last turn */
        sd_bus_message *released;      /* is in sd-bus's queue: passes when it comes here again */
        uint32_t released_uid;
        bool released_gone;            /* its caller has left since */
        const sd_bus_message *passing; /* is being dispatched; for comparison only */
        uint32_t passing_uid;
};

bool gate_is_empty(const Gate *gate) {
        return !gate->turns && !gate->asking && !gate->released;
}

/* May one more call wait in queue? */
static bool check_count(Gate *gate, const GateQueue *queue, const char *member, Refusal *ret) {
        unsigned n = queue->n_calls;

        if (!queue->name)
                n += gate->events.running(gate->userdata, queue->uid);
        if (n < CALLS_MAX && queue->n_too_long < TOO_LONG_MAX)
                return true;
        if (queue->name || n < CALLS_MAX)
                (void)refuse(ret, RAWNET_LIMITS_EXCEEDED,
                             "%s: too many calls at once; wait for one of them to end", member);
        else
                (void)refuse(
                        ret, RAWNET_LIMITS_EXCEEDED,
                        "%s: you have %u requests in progress already; wait for one of them to end",
                        member, n);
        return false;
}

/* Is item, a call, short enough, and is there memory for it? */
static bool check_size(const Gate *gate, const GateQueue *queue, GateItem *item, Refusal *ret) {
        const char *member = sd_bus_message_get_member(item->message);
        int r = 0;

        if (item->size == 0) {
                r = message_size(item->message, CALL_SIZE_MAX, &item->size);
                item->size += GATE_MESSAGE_COST;
        }
        if (r < 0) {
                item->too_long = true;
                (void)refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "%s: the arguments cannot be read or have more than %u bytes, which is more than any "
                        "valid call has; org.rawnet1(5) lists the options",
                        member, CALL_SIZE_MAX);
                return false;
        }
        if (gate->size + item->size <= SIZE_MAX_OF_ALL &&
            (!queue->name || queue->size + item->size <= SIZE_OF_NAME_MAX))
                return true;
        (void)refuse(ret, RAWNET_LIMITS_EXCEEDED,
                     "%s: too many calls at once; wait for one of them to end", member);
        return false;
}

static bool has_room_for_refusal(const Gate *gate, const GateQueue *queue) {
        return queue->n_refusals < (queue->name ? REFUSALS_OF_NAME_MAX : REFUSALS_MAX) &&
               gate->size + GATE_MESSAGE_COST <= SIZE_MAX_OF_ALL;
}

/* Puts item, which is the gate's from then on, into queue. Where there are too many it turns item
 * into a refusal, or drops it. */
static void take_in(Gate *gate, GateQueue *queue, GateItem *item) {
        bool room = has_room_for_refusal(gate, queue);
        Refusal refusal = {};

        if (!item->refusal) {
                bool passes = check_count(gate, queue, sd_bus_message_get_member(item->message),
                                          &refusal) &&
                              check_size(gate, queue, item, &refusal);

                if (!passes && !queue->name)
                        gate->events.refused(gate->userdata, queue->uid, &refusal);
                room = passes || (room && gate_item_refuse(item, &refusal) >= 0);
        }
        if (!room) {
                gate_item_free(item);
                return;
        }
        gate_queue_append(queue, item);
        gate->size += item->size;
}

static GateItem *take_out(Gate *gate, GateQueue *queue) {
        GateItem *item = gate_queue_take(queue);

        if (item)
                gate->size -= item->size;
        return item;
}

/* Puts item into the queue of uid. */
static void take_in_of_uid(Gate *gate, uint32_t uid, GateItem *item) {
        GateQueue **p = gate_queue_of_uid(&gate->turns, uid), *queue = gate_queue_at(p, uid, NULL);

        if (!queue) {
                gate_item_free(item);
                return;
        }
        take_in(gate, queue, item);
        if (!queue->first)
                gate_queue_free(gate_queue_unlink(p));
}

/* Lets a call pass, or sends a refusal. */
static void item_release(Gate *gate, uint32_t uid, GateItem *item) {
        int r;

        if (item->refusal)
                r = sd_bus_send(gate->bus, item->message, NULL);
        else {
                r = sd_bus_enqueue_for_read(gate->bus, item->message);
                if (r >= 0) {
                        gate->released = sd_bus_message_ref(item->message);
                        gate->released_uid = uid;
                        gate->released_gone = false;
                } else
                        (void)sd_bus_reply_method_errno(item->message, r, NULL);
        }
        if (r < 0)
                log_debug("a call of user %" PRIu32 " is lost: %s", uid, strerror(-r));
        gate_item_free(item);
}

/* Is the socket (almost) empty, and sd-bus's queue as well? */
static bool bus_has_room(const Gate *gate) {
        struct pollfd p = {.fd = gate->room_fd, .events = POLLOUT};
        uint64_t n_unsent = 0;

        return sd_bus_get_n_queued_write(gate->bus, &n_unsent) >= 0 && n_unsent == 0 &&
               poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static uint64_t now_usec(const Gate *gate) {
        return event_usec(sd_event_source_get_event(gate->room_source));
}

/* The place of the queue whose turn it is now; else the list's end, and *ret_next is the time of
 * the next turn. */
static GateQueue **queue_due(Gate *gate, uint64_t now, uint64_t *ret_next) {
        GateQueue **p = &gate->turns;

        *ret_next = UINT64_MAX;
        while (*p && (*p)->not_before > now) {
                *ret_next = MIN_OF(*ret_next, (*p)->not_before);
                p = &(*p)->next;
        }
        return p;
}

/* Starts the timer: nothing is due before that time. */
static int pause_until(Gate *gate, uint64_t usec) {
        int r;

        r = sd_event_source_set_enabled(gate->room_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_source_set_time(gate->pause_source, usec);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(gate->pause_source, SD_EVENT_ONESHOT);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Gate *gate = userdata;

        return sd_event_source_set_enabled(gate->room_source, SD_EVENT_ON);
}

/* Gives the next user a turn, one message, if the bus has room. Only one call at a time: the socket
 * shows the reply only after the call. */
static int next_turn(Gate *gate) {
        uint64_t now = now_usec(gate), next;
        GateQueue **p, *queue;
        GateItem *item;
        int r;

        gate->n_arrivals = 0;
        if (!gate->turns || gate->released || !bus_has_room(gate))
                return 0;
        p = queue_due(gate, now, &next);
        if (!*p)
                return pause_until(gate, next);
        r = gate->events.may_pass(gate->userdata, gate_item_caller((*p)->first), now);
        if (r == 0) {
                (*p)->not_before = UINT64_MAX;
                return 0;
        }
        queue = gate_queue_unlink(p);
        item = take_out(gate, queue);
        queue->not_before = item->too_long          ? now + TOO_LONG_PAUSE_USEC
                            : queue->n_refusals > 0 ? now + FLOODER_PAUSE_USEC
                                                    : 0;
        if (r > 0)
                item_release(gate, queue->uid, item);
        else
                gate_item_free(item);
        if (queue->first)
                *gate_queue_end(&gate->turns) = queue;
        else
                gate_queue_free(queue);
        return 0;
}

/* Messages wait, or wait no longer: on_room() looks at the socket. */
static void look_again(Gate *gate) {
        /* This can fail for want of memory in the kernel only; the next call tries again. */
        (void)sd_event_source_set_enabled(gate->room_source, SD_EVENT_ON);
}

void gate_resume(Gate *gate) {
        for (GateQueue *queue = gate->turns; queue; queue = queue->next)
                if (queue->not_before == UINT64_MAX)
                        queue->not_before = 0;
        look_again(gate);
}

static int on_room(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Gate *gate = userdata;

        if (!gate->turns && !gate->released) {
                gate->events.idle(gate->userdata);
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        }
        /* sd-bus notices a broken connection. This source would report it for ever. */
        if (!(revents & EPOLLOUT))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return next_turn(gate);
}

/* The bus has answered whose the waiting calls are. */
static void on_uid(void *userdata, const char *name, uint32_t uid, const sd_bus_error *error) {
        Gate *gate = userdata;
        GateQueue **p = gate_queue_of_name(&gate->asking, name), *queue;
        GateItem *item;

        if (!*p)
                return;
        queue = gate_queue_unlink(p);
        while ((item = take_out(gate, queue)))
                if (!error)
                        take_in_of_uid(gate, uid, item);
                else {
                        if (!item->refusal)
                                (void)sd_bus_reply_method_error(item->message, error);
                        gate_item_free(item);
                }
        gate_queue_free(queue);
        look_again(gate);
}

/* Puts item, a new call or its refusal, into its queue. 0 or -errno: item is still the caller's. */
static int queue_up(Gate *gate, GateItem *item) {
        const char *name = gate_item_caller(item);
        GateQueue *queue;
        uint32_t uid;
        int r;

        r = caller_uid(gate->callers, name, &uid);
        if (r < 0)
                return r;
        if (r > 0) {
                take_in_of_uid(gate, uid, item);
                return 0;
        }
        queue = gate_queue_at(gate_queue_of_name(&gate->asking, name), 0, name);
        if (!queue)
                return -ENOMEM;
        take_in(gate, queue, item);
        return 0;
}

static int arrive_first(Gate *gate, sd_bus_message *m) {
        GateItem *item;
        int r;

        if (!sd_bus_message_get_sender(m) || !gate_call_is_of_use(m))
                return 1;
        item = gate_item_new(m);
        if (!item)
                return -ENOMEM;
        r = queue_up(gate, item);
        if (r < 0) {
                gate_item_free(item);
                return sd_bus_message_get_expect_reply(m) > 0 ? r : 1;
        }
        look_again(gate);
        if (++gate->n_arrivals >= ARRIVALS_PER_TURN)
                (void)next_turn(gate);
        return 1;
}

int gate_arrive(Gate *gate, sd_bus_message *m) {
        bool gone = gate->released_gone;

        gate->passing = NULL;
        if (m != gate->released)
                return gate->events.passed(gate->userdata, m) ? 0 : arrive_first(gate, m);
        gate->released = sd_bus_message_unref(gate->released);
        gate->passing = m;
        gate->passing_uid = gate->released_uid;
        return gone ? 1 : 0;
}

int gate_uid(const Gate *gate, const sd_bus_message *m, uint32_t *ret_uid) {
        if (m != gate->passing)
                return -ENXIO;
        *ret_uid = gate->passing_uid;
        return 0;
}

/* Drops the messages of name in the queue at *p. Returns whether the queue is still there. */
static bool queue_drop(Gate *gate, GateQueue **p, const char *name) {
        GateQueue *queue = *p;

        gate->size -= queue->size;
        gate_queue_drop(queue, name);
        gate->size += queue->size;
        if (queue->first)
                return true;
        gate_queue_free(gate_queue_unlink(p));
        return false;
}

void gate_caller_gone(Gate *gate, const char *name) {
        GateQueue **p = gate_queue_of_name(&gate->asking, name);
        const char *released = gate->released ? sd_bus_message_get_sender(gate->released) : NULL;

        caller_gone(gate->callers, name);
        if (*p)
                (void)queue_drop(gate, p, name);
        p = &gate->turns;
        while (*p)
                if (queue_drop(gate, p, name))
                        p = &(*p)->next;
        if (released && strcmp(released, name) == 0)
                gate->released_gone = true;
        look_again(gate);
}

static int watch_room(Gate *gate, sd_event *event) {
        int fd, r;

        fd = sd_bus_get_fd(gate->bus);
        if (fd < 0)
                return fd;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BUFFER}, sizeof(int)) < 0)
                return -errno;
        /* sd-bus has the descriptor itself in the same epoll already. */
        gate->room_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (gate->room_fd < 0)
                return -errno;
        r = sd_event_add_io(event, &gate->room_source, gate->room_fd, EPOLLOUT, on_room, gate);
        if (r < 0)
                return r;
        /* After sd-bus's own sources, which it would otherwise starve: sd-bus dispatches its queue
         * by a timer that it sets anew in each round. */
        r = sd_event_source_set_priority(gate->room_source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(gate->room_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &gate->pause_source, CLOCK_MONOTONIC, 0, 1, on_pause_over,
                              gate);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(gate->pause_source, SD_EVENT_OFF);
}

int gate_new(sd_event *event, sd_bus *bus, const GateEvents *events, void *userdata, Gate **ret) {
        Gate *gate = malloc(sizeof(*gate));
        int r;

        if (!gate)
                return -ENOMEM;
        *gate = (Gate){.bus = bus, .events = *events, .userdata = userdata, .room_fd = -1};
        r = caller_table_new(bus, on_uid, gate, &gate->callers);
        if (r >= 0)
                r = watch_room(gate, event);
        if (r < 0) {
                gate_free(gate);
                return r;
        }
        *ret = gate;
        return 0;
}

void gate_free(Gate *gate) {
        if (!gate)
                return;
        sd_event_source_disable_unref(gate->room_source);
        sd_event_source_disable_unref(gate->pause_source);
        safe_close(gate->room_fd);
        while (gate->turns)
                gate_queue_free(gate_queue_unlink(&gate->turns));
        while (gate->asking)
                gate_queue_free(gate_queue_unlink(&gate->asking));
        caller_table_free(gate->callers);
        sd_bus_message_unref(gate->released);
        free(gate);
}
