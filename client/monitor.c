/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl monitor: the leases that there are, then what happens to them, one line each, until it
 * is interrupted or the bus ends.
 */

#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "client/listing.h"
#include "client/parse.h"
#include "client/screen.h"
#include "client/show.h"
#include "client/units.h"
#include "client/user-name.h"
#include "client/watch.h"
#include "common/clock.h"

typedef struct Monitor {
        sd_event *event;
        UserName user;
        bool json;
        Screen screen;
} Monitor;

/* "13:23:40" on a terminal, "2026-11-26T13:23:40" elsewhere. */
static void format_now(const Monitor *monitor, char buffer[static UNITS_SIZE]) {
        if (monitor->screen.terminal)
                units_time(clock_usec(CLOCK_REALTIME), false, buffer);
        else
                units_stamp(clock_usec(CLOCK_REALTIME), buffer);
}

static void print_line(const Monitor *monitor, Tone tone, const char *now, const char *event,
                       const char *reason, const char *id, const char *mac, const char *owner,
                       const char *network, const char *name) {
        printf("%s%-8s %-7s %-9s %-10s %-17s %-8s %s %s%s\n", screen_tone(&monitor->screen, tone),
               now, event, reason, id, mac, owner, network, name,
               screen_tone_end(&monitor->screen, tone));
}

static void print_row(Monitor *monitor, WatchEvent event, const LeaseObject *lease,
                      const char *reason) {
        char now[UNITS_SIZE], id[LEASE_ID_TEXT_SIZE];
        Tone tone = event == WATCH_ENDED                              ? TONE_WARN
                    : event == WATCH_LISTED || event == WATCH_REMOVED ? TONE_DIM
                                                                      : TONE_PLAIN;

        format_now(monitor, now);
        print_line(monitor, tone, now, watch_event_to_string(event), *reason ? reason : "-",
                   lease_id_format(lease->id, id), *lease->mac ? lease->mac : "(learning)",
                   user_name(&monitor->user, lease->owner), lease->network,
                   *lease->name ? lease->name : "-");
}

/* lease: NULL with the event that has none. */
static int print_json(const char *event, const LeaseObject *lease, const char *reason) {
        json_object *object = json_object_new_object();
        const char *text;

        if (!object)
                return -ENOMEM;
        json_object_object_add(object, "time", json_object_new_uint64(clock_usec(CLOCK_REALTIME)));
        json_object_object_add(object, "event", json_object_new_string(event));
        if (*reason)
                json_object_object_add(object, "reason", json_object_new_string(reason));
        if (lease)
                json_object_object_add(object, "lease",
                                       json_of_fields(lease_fields, n_lease_fields, lease));
        text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE);
        if (text)
                puts(text);
        json_object_put(object);
        return text ? 0 : -ENOMEM;
}

static void finish_line(Monitor *monitor, int r) {
        if (r < 0)
                sd_event_exit(monitor->event, say_failure(r, NULL));
        else if (fflush(stdout) != 0) /* main() says why */
                sd_event_exit(monitor->event, EXIT_FAILURE);
}

static void on_lease(void *userdata, WatchEvent event, const LeaseObject *lease,
                     const char *reason) {
        Monitor *monitor = userdata;

        if (!monitor->json)
                print_row(monitor, event, lease, reason);
        finish_line(monitor,
                    monitor->json ? print_json(watch_event_to_string(event), lease, reason) : 0);
}

/* For programs: the list is complete, and changes follow. */
static void on_listed(void *userdata) {
        Monitor *monitor = userdata;

        if (monitor->json)
                finish_line(monitor, print_json("ready", NULL, ""));
}

static void on_failed(void *userdata, int r, const Refusal *refusal) {
        Monitor *monitor = userdata;

        sd_event_exit(monitor->event, say_failure(r, refusal));
}

/* The reader has gone: rawnetctl ends now, and not at the next event. */
static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return sd_event_exit(userdata, EXIT_SUCCESS);
}

/* Returns the exit status. */
static int run(Monitor *monitor) {
        static const WatchHandler handler = {
                .lease = on_lease, .listed = on_listed, .failed = on_failed};
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(watch_freep) Watch *watch = NULL;
        Refusal refusal = {};
        int r;

        r = bus_connect_to(monitor->event, &bus, &refusal);
        if (r == 0)
                r = watch_start(bus, &handler, monitor, &watch, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        /* EPOLLERR and EPOLLHUP need not be asked for. A file has neither: EPERM. */
        r = sd_event_add_io(monitor->event, NULL, STDOUT_FILENO, 0, on_output, monitor->event);
        if (r >= 0 || r == -EPERM)
                r = sd_event_loop(monitor->event);
        sd_bus_detach_event(bus);
        return r < 0 ? say_failure(r, NULL) : r;
}

int verb_monitor(int argc, char **argv) {
        static const struct option options[] = {
                {"json", no_argument, NULL, 'j'}, {"no-legend", no_argument, NULL, 'l'}, {}};
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Monitor monitor = {};
        Listing listing;
        int r;

        r = parse_listing_options(argc, argv, options, 0, 0, &listing);
        if (r != 0)
                return r;
        r = sd_event_new(&event);
        if (r < 0)
                return say_failure(r, NULL);
        monitor.event = event;
        monitor.json = listing.json;
        screen_look(STDOUT_FILENO, !listing.no_legend, &monitor.screen);
        if (monitor.screen.legend && !monitor.json) {
                print_line(&monitor, TONE_HEADING, "TIME", "EVENT", "REASON", "ID", "MAC", "OWNER",
                           "NETWORK", "NAME");
                fflush(stdout);
        }
        r = run(&monitor);
        user_name_done(&monitor.user);
        return r;
}
