/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/delivery.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/names.h"
#include "service/bus-stats.h"
#include "service/event-clock.h"
#include "service/known-names.h"

/* dbus-daemon(1): max_incoming_unix_fds is 64, and at that number dbus-daemon stops reading. Probes
 * have a share of their own, since polkit has not yet said yes to their users. */
#define REPLY_FDS_MAX 48u
#define PROBE_FDS_MAX 15u
/* After this time without being read, a message makes rawnetd give up other messages of its user.
 */
#define PATIENCE_USEC (5 * UINT64_C(1000000))
/* The interval at which the bus is asked about messages that were not taken. */
#define AGAIN_USEC (100 * UINT64_C(1000))

_Static_assert(REPLY_FDS_MAX + PROBE_FDS_MAX < 64, "dbus-daemon reads on below 64");
_Static_assert(RAWNET_FDS_MAX <= REPLY_FDS_MAX, "the largest reply fits");

typedef enum DeliveryKind {
        DELIVER_PROBE,
        DELIVER_REPLY,
        DELIVERY_KINDS
} DeliveryKind;

static const unsigned kind_fds_max[DELIVERY_KINDS] = {PROBE_FDS_MAX, REPLY_FDS_MAX};

struct Delivery {
        Delivery *next;
        DeliveryTable *table;
        DeliveryKind kind;
        uint32_t uid;
        sd_bus_message *call;    /* whose sender is the receiver */
        sd_bus_message *message; /* of a reply, until it is sent */
        uint64_t cookie;         /* of the message, once it is sent; else 0 */
        uint64_t since;          /* µs, CLOCK_MONOTONIC: when it began to wait, or was sent */
        bool unread;             /* sent; the bus said that it was not taken */
        sd_bus_slot *question;   /* is it taken? */
        DeliveryDone done;       /* NULL: it was called, or the caller has lost interest */
        void *userdata;
        size_t n_fds;
        int fds[RAWNET_FDS_MAX]; /* rawnetd's copies, of a reply only */
};

struct DeliveryTable {
        sd_event *event;
        sd_bus *bus;
        Closer *closer;
        Delivery *first; /* the oldest */
        sd_event_source *timer;
        sd_bus_slot *filter;
        KnownNames able, unable;
        bool no_stats; /* the journal has a line that the bus cannot say what it holds */
};

static uint64_t now_usec(const DeliveryTable *table) {
        return event_usec(table->event);
}

static const char *receiver(const Delivery *d) {
        return sd_bus_message_get_sender(d->call);
}

static void delivery_say(Delivery *d, DeliveryResult result) {
        DeliveryDone done = d->done;

        d->done = NULL;
        if (done)
                done(d->userdata, result);
}

static void delivery_free(Delivery *d) {
        sd_bus_slot_unref(d->question);
        /* Closes the message's duplicates, which are never the last ones. */
        sd_bus_message_unref(d->message);
        sd_bus_message_unref(d->call);
        if (d->kind == DELIVER_REPLY)
                closer_close(d->table->closer, d->fds, d->n_fds);
        free(d);
}

static void delivery_unlink(Delivery *d) {
        Delivery **p = &d->table->first;

        while (*p != d)
                p = &(*p)->next;
        *p = d->next;
}

static void send_waiting(DeliveryTable *table);

/* Finished: neither the bus nor rawnetd needs the delivery. */
static void delivery_end(Delivery *d, DeliveryResult result) {
        DeliveryTable *table = d->table;

        delivery_unlink(d);
        delivery_say(d, result);
        delivery_free(d);
        send_waiting(table);
}

/* Descriptors of a kind that dbus-daemon may hold, and whether one of uid's is among them. */
static unsigned fds_under_way(const DeliveryTable *table, DeliveryKind kind, uint32_t uid,
                              bool *ret_has_uid) {
        unsigned n = 0;

        *ret_has_uid = false;
        for (const Delivery *d = table->first; d; d = d->next)
                if (d->cookie != 0 && d->kind == kind) {
                        n += (unsigned)d->n_fds;
                        *ret_has_uid |= d->uid == uid;
                }
        return n;
}

static bool may_send(const Delivery *d) {
        bool has_uid;
        unsigned n = fds_under_way(d->table, d->kind, d->uid, &has_uid);

        return !has_uid && n + d->n_fds <= kind_fds_max[d->kind];
}

static int timer_arm(DeliveryTable *table) {
        int enabled = SD_EVENT_OFF, r;

        r = sd_event_source_get_enabled(table->timer, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return r;
        r = sd_event_source_set_time(table->timer, now_usec(table) + AGAIN_USEC);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(table->timer, SD_EVENT_ONESHOT);
}

static int on_stats(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Delivery *d = userdata;
        DeliveryTable *table = d->table;
        uint32_t waiting = 0;
        int r;

        d->question = sd_bus_slot_unref(d->question);
        /* delivery_gone() reports a receiver that has left, too. */
        r = bus_stats_read(reply, BUS_STATS_OUTGOING_FDS, &waiting);
        if (r < 0 && !table->no_stats) {
                log_info(
                        "the bus does not report unread messages (%s): a message counts as read once the bus has "
                        "answered the question about it",
                        strerror(-r));
                table->no_stats = true;
        }
        if (waiting > 0) {
                d->unread = true;
                (void)timer_arm(table);
                return 1;
        }
        known_names_add(&table->able, receiver(d));
        delivery_end(d, DELIVERY_ABLE);
        return 1;
}

static int ask_stats(Delivery *d) {
        return bus_stats_ask(d->table->bus, receiver(d), on_stats, d, &d->question);
}

/* Each descriptor has an open file of its own, so that no receiver notices what another one does
 * with it. */
static int probe_message(sd_bus *bus, const char *name, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        r = sd_bus_message_new_signal(bus, &m, RAWNET_PATH, RAWNET_IFACE_MANAGER,
                                      RAWNET_SIGNAL_PROBE);
        if (r < 0)
                return r;
        r = sd_bus_message_set_destination(m, name);
        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* A probe that waits for its turn keeps no descriptor: its message is made here. */
static void delivery_send(Delivery *d) {
        uint64_t cookie = 0;
        int r = 0;

        if (d->kind == DELIVER_PROBE)
                r = probe_message(d->table->bus, receiver(d), &d->message);
        if (r >= 0)
                r = sd_bus_send(d->table->bus, d->message, &cookie);
        if (r < 0) {
                delivery_end(d, DELIVERY_FAILED);
                return;
        }
        d->cookie = cookie;
        d->since = now_usec(d->table);
        d->message = sd_bus_message_unref(d->message);
        /* The bus cannot be asked now: the timer tries again. */
        if (ask_stats(d) < 0) {
                d->unread = true;
                (void)timer_arm(d->table);
        }
        if (d->kind == DELIVER_REPLY)
                delivery_say(d, DELIVERY_SENT);
}

/* Each send may end other deliveries, and their callbacks may start new ones: the walk begins anew
 * each time. */
static void send_waiting(DeliveryTable *table) {
        Delivery *d;

        do {
                for (d = table->first; d && (d->cookie != 0 || !may_send(d)); d = d->next)
                        ;
                if (d)
                        delivery_send(d);
        } while (d);
}

/* Gives up a delivery that has waited for too long. Returns true if it did: the list has changed.
 */
static bool give_up_one(DeliveryTable *table, uint64_t now) {
        for (Delivery *d = table->first; d; d = d->next) {
                if (!d->done || now < d->since + PATIENCE_USEC)
                        continue;
                if (d->cookie == 0)
                        delivery_end(d, DELIVERY_UNREAD);
                else
                        delivery_say(d, DELIVERY_UNREAD); /* dbus-daemon still holds it */
                return true;
        }
        return false;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        DeliveryTable *table = userdata;
        bool more = false;

        while (give_up_one(table, now_usec(table)))
                ;
        for (Delivery *d = table->first; d; d = d->next) {
                if (d->unread && !d->question)
                        (void)ask_stats(d);
                more |= d->unread || d->cookie == 0;
        }
        return more ? timer_arm(table) : 0;
}

/* An error with the number of one of rawnetd's messages: the bus has not passed that message on. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        DeliveryTable *table = userdata;
        DeliveryResult result =
                DELIVERY_UNREAD; /* such as LimitsExceeded: the receiver's queue is full */
        uint64_t cookie = 0;
        Delivery *d;

        if (sd_bus_message_is_method_error(m, NULL) <= 0 ||
            sd_bus_message_get_reply_cookie(m, &cookie) < 0 || cookie == 0)
                return 0;
        for (d = table->first; d && d->cookie != cookie; d = d->next)
                ;
        if (!d)
                return 0;
        /* dbus-daemon's error, and dbus-broker's. */
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NOT_SUPPORTED) > 0 ||
            sd_bus_message_is_method_error(m, SD_BUS_ERROR_FAILED) > 0) {
                known_names_add(&table->unable, receiver(d));
                result = DELIVERY_UNABLE;
        } else if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_ACCESS_DENIED) > 0)
                /* Something on this machine lets no signal through to the caller. A reply may still
                 * reach him. */
                result = DELIVERY_ABLE;
        if (d->kind == DELIVER_REPLY) {
                Refusal refusal;

                (void)delivery_refuse_unable("of this lease", &refusal);
                (void)sd_bus_reply_method_errorf(d->call, sd_bus_message_get_error(m)->name, "%s",
                                                 result == DELIVERY_UNABLE
                                                         ? refusal.text
                                                         : sd_bus_message_get_error(m)->message);
        }
        delivery_end(d, result);
        return 1;
}

static Delivery *delivery_new(DeliveryTable *table, DeliveryKind kind, sd_bus_message *call,
                              uint32_t uid, sd_bus_message *message, DeliveryDone done,
                              void *userdata) {
        Delivery *d = malloc(sizeof(*d)), **end = &table->first;

        if (!d)
                return NULL;
        *d = (Delivery){.table = table,
                        .kind = kind,
                        .uid = uid,
                        .call = sd_bus_message_ref(call),
                        .message = sd_bus_message_ref(message),
                        .since = now_usec(table),
                        .done = done,
                        .userdata = userdata,
                        .n_fds = 1};
        while (*end)
                end = &(*end)->next;
        *end = d;
        return d;
}

int delivery_probe(DeliveryTable *table, sd_bus_message *call, uint32_t uid, DeliveryDone done,
                   void *userdata, Delivery **ret_delivery) {
        const char *name = sd_bus_message_get_sender(call);
        bool has_uid;
        Delivery *d;

        *ret_delivery = NULL;
        if (known_names_has(&table->unable, name)) {
                done(userdata, DELIVERY_UNABLE);
                return 0;
        }
        /* Other users leave their messages unread, so an open goes on without a probe. A reply that
         * is not taken is noticed later all the same. */
        if (known_names_has(&table->able, name) ||
            (fds_under_way(table, DELIVER_PROBE, uid, &has_uid) >= PROBE_FDS_MAX && !has_uid)) {
                done(userdata, DELIVERY_ABLE);
                return 0;
        }
        d = delivery_new(table, DELIVER_PROBE, call, uid, NULL, done, userdata);
        if (!d)
                return -ENOMEM;
        *ret_delivery = d;
        if (!may_send(d))
                return timer_arm(table);
        delivery_send(d);
        return 0;
}

void delivery_forget(Delivery *delivery) {
        if (!delivery)
                return;
        delivery->done = NULL;
        if (delivery->cookie == 0)
                delivery_end(delivery, DELIVERY_GONE);
}

void delivery_reply(DeliveryTable *table, sd_bus_message *call, uint32_t uid, sd_bus_message *reply,
                    const int *fds, size_t n_fds, DeliveryDone done, void *userdata) {
        Delivery *d = delivery_new(table, DELIVER_REPLY, call, uid, reply, done, userdata);

        assert(n_fds > 0 && n_fds <= RAWNET_FDS_MAX);
        if (!d) {
                closer_close(table->closer, fds, n_fds);
                done(userdata, DELIVERY_FAILED);
                return;
        }
        memcpy(d->fds, fds, n_fds * sizeof(fds[0]));
        d->n_fds = n_fds;
        if (may_send(d))
                delivery_send(d);
        else
                (void)timer_arm(table);
}

/* The oldest message to uid that was sent and is not read. */
static const Delivery *find_unread(const DeliveryTable *table, uint32_t uid) {
        for (const Delivery *d = table->first; d; d = d->next)
                if (d->unread && d->uid == uid)
                        return d;
        return NULL;
}

int delivery_check(const DeliveryTable *table, uint32_t uid, const char *network, Refusal *ret) {
        const Delivery *d = find_unread(table, uid);

        if (!d || now_usec(table) < d->since + PATIENCE_USEC)
                return 0;
        return delivery_refuse_unread(table, uid, network, ret);
}

int delivery_refuse_unread(const DeliveryTable *table, uint32_t uid, const char *network,
                           Refusal *ret) {
        const Delivery *d = find_unread(table, uid);

        if (!d)
                return refuse(
                        ret, RAWNET_LIMITS_EXCEEDED,
                        "network %s: the bus holds too many unread messages, of this connection, or with descriptors "
                        "of other users; read what has arrived, or try again later",
                        network);
        return refuse(
                ret, RAWNET_LIMITS_EXCEEDED,
                "network %s: your connection %s to the bus has not read a message with descriptors, and a user "
                "is sent one such message at a time; read it, or close that connection",
                network, receiver(d));
}

int delivery_refuse_unable(const char *network, Refusal *ret) {
        return refuse(
                ret, RAWNET_NOT_SUPPORTED,
                "network %s: this connection to the bus takes no file descriptors, and a port is a descriptor; use a "
                "D-Bus library that negotiates them (NEGOTIATE_UNIX_FD)",
                network);
}

void delivery_gone(DeliveryTable *table, const char *name) {
        Delivery *d;

        known_names_remove(&table->able, name);
        known_names_remove(&table->unable, name);
        do {
                for (d = table->first; d && strcmp(receiver(d), name) != 0; d = d->next)
                        ;
                if (d)
                        delivery_end(d, DELIVERY_GONE);
        } while (d);
}

int delivery_table_new(sd_event *event, sd_bus *bus, Closer *closer, DeliveryTable **ret) {
        DeliveryTable *table = malloc(sizeof(*table));
        int r;

        if (!table)
                return -ENOMEM;
        *table = (DeliveryTable){.event = event, .bus = bus, .closer = closer};
        r = sd_event_add_time(event, &table->timer, CLOCK_MONOTONIC, 0, 10 * UINT64_C(1000),
                              on_timer, table);
        if (r >= 0)
                r = sd_event_source_set_enabled(table->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_bus_add_filter(bus, &table->filter, on_message, table);
        if (r < 0) {
                delivery_table_free(table);
                return r;
        }
        *ret = table;
        return 0;
}

void delivery_table_free(DeliveryTable *table) {
        if (!table)
                return;
        while (table->first) {
                Delivery *d = table->first;

                table->first = d->next;
                delivery_free(d);
        }
        sd_bus_slot_unref(table->filter);
        sd_event_source_disable_unref(table->timer);
        free(table);
}
