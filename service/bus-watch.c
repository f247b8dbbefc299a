/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/bus-watch.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>

#define QUESTION_USEC (2 * UINT64_C(1000000))
#define ANSWER_USEC (10 * UINT64_C(1000000))
/* Between two looks into the socket while the question is open. */
#define LOOK_USEC (500 * UINT64_C(1000))
#define ACCURACY_USEC (500 * UINT64_C(1000))

struct BusWatch {
        sd_bus *bus;
        int bus_fd;
        sd_event_source *timer;
        sd_bus_slot *question;
        bool armed; /* the timer runs, or the question is open */
        int unread; /* bytes in the socket at the last look, as the kernel counts them */
        bool taken; /* the bus has read something since the question */
        void (*stalled)(void *userdata);
        void *userdata;
};

/* unix(7), SIOCOUTQ: bytes in the socket that its other end has not read yet. The number falls only
 * when the bus reads. */
static void look(BusWatch *watch) {
        int unread = 0;

        if (ioctl(watch->bus_fd, SIOCOUTQ, &unread) < 0)
                return;
        watch->taken |= unread < watch->unread || unread == 0;
        watch->unread = unread;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        BusWatch *watch = userdata;

        watch->question = sd_bus_slot_unref(watch->question);
        watch->armed = false;
        (void)sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        look(watch);
        /* An answer that comes late behind many calls is no error: dbus-broker may have queued half
         * a minute of calls in front of it. */
        if (sd_bus_message_is_method_error(reply, NULL) > 0 && !watch->taken) {
                watch->armed = true;
                watch->stalled(watch->userdata);
        }
        return 1;
}

static int timer_arm(BusWatch *watch, uint64_t usec) {
        int r;

        r = sd_event_source_set_time_relative(watch->timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
}

static int ask(BusWatch *watch) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(watch->bus, &m, "org.freedesktop.DBus",
                                           "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetId");
        if (r < 0)
                return r;
        r = sd_bus_call_async(watch->bus, &watch->question, m, on_answer, watch, ANSWER_USEC);
        if (r < 0)
                return r;
        look(watch);
        watch->taken = false;
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        BusWatch *watch = userdata;

        if (watch->question)
                look(watch);
        else if (ask(watch) < 0) {
                watch->armed = false;
                return 0;
        }
        (void)timer_arm(watch, LOOK_USEC);
        return 0;
}

void bus_watch_call(BusWatch *watch) {
        if (watch->question)
                look(watch);
        if (!watch->armed)
                watch->armed = timer_arm(watch, QUESTION_USEC) >= 0;
}

int bus_watch_new(sd_event *event, sd_bus *bus, int bus_fd, void (*stalled)(void *userdata),
                  void *userdata, BusWatch **ret) {
        BusWatch *watch;
        int r;

        if (bus_fd < 0)
                return bus_fd;
        watch = malloc(sizeof(*watch));
        if (!watch)
                return -ENOMEM;
        *watch = (BusWatch){.bus = bus, .bus_fd = bus_fd, .stalled = stalled, .userdata = userdata};
        r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_timer,
                              watch);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
        if (r < 0) {
                bus_watch_free(watch);
                return r;
        }
        *ret = watch;
        return 0;
}

void bus_watch_free(BusWatch *watch) {
        if (!watch)
                return;
        sd_bus_slot_unref(watch->question);
        sd_event_source_disable_unref(watch->timer);
        free(watch);
}
