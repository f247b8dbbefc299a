/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/service.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "service/event-clock.h"
#include "service/host.h"
#include "service/lease.h"
#include "service/manager.h"
#include "service/network-object.h"
#include "service/request.h"

#define FIRST_LIST_USEC (5 * UINT64_C(1000000))
#define BUS_DAEMON "org.freedesktop.DBus"
#define BUS_DAEMON_PATH "/org/freedesktop/DBus"

static void on_list_begins(void *userdata) {
        lease_list_begins(userdata);
}

static void on_lease(void *userdata, const IpcLease *ipc) {
        Service *service = userdata;

        if (lease_put(service, ipc) < 0)
                log_error("out of memory: lease " RAWNET_PORT_NAME_FORMAT
                          " on network %s is not shown",
                          ipc->id, ipc->network);
}

static void on_ended(void *userdata, uint32_t id, IpcEndReason reason) {
        lease_end(userdata, id, reason);
}

static void on_dropped(void *userdata, uint32_t id, const IpcDropped *dropped) {
        lease_dropped(userdata, id, dropped);
}

static void on_list_complete(void *userdata) {
        Service *service = userdata;

        /* Sweeps what changed while this process was not running. */
        if (!service->listed)
                host_sweep(service);
        service->listed = true;
        lease_list_complete(service);
        if (service->on_bus)
                manager_features_changed(service);
        requests_synced(service);
}

static void on_features(void *userdata) {
        Service *service = userdata;

        if (service->on_bus)
                manager_features_changed(service);
}

static void on_lost(void *userdata, const Refusal *refusal, bool hangs) {
        requests_not_synced(userdata, refusal, hangs);
}

static bool on_wanted(void *userdata) {
        Service *service = userdata;

        /* The helper has not listed its leases yet, so there may be some; or it ended before it said
         * what this kernel has, and rawnetctl check would report that no port can be opened. */
        return service->leases.n_leases > 0 || !service->listed ||
               helper_features(service->helper) == 0;
}

static const HelperEvents helper_events = {
        .list_begins = on_list_begins,
        .lease = on_lease,
        .ended = on_ended,
        .dropped = on_dropped,
        .list_complete = on_list_complete,
        .features = on_features,
        .lost = on_lost,
        .wanted = on_wanted,
};

static void on_network_added(void *userdata, const NetworkEntry *entry) {
        network_object_added(userdata, entry);
}

static void on_network_changed(void *userdata, const NetworkEntry *before,
                               const NetworkEntry *after) {
        network_object_changed(userdata, before, after);
}

static void on_network_removed(void *userdata, const char *name) {
        network_object_removed(userdata, name);
}

static void on_networks_settled(void *userdata, bool host) {
        Service *service = userdata;

        if (host || service->host_asked)
                host_sweep(service);
}

static const NetworkEvents network_events = {
        .added = on_network_added,
        .changed = on_network_changed,
        .removed = on_network_removed,
        .settled = on_networks_settled,
};

static bool is_busy(const Service *service) {
        return service->requests || !gate_is_empty(service->gate) || service->leases.n_leases > 0;
}

static void maybe_leave(Service *service) {
        if (!service->leaving || !service->released || service->requests ||
            !gate_is_empty(service->gate))
                return;
        /* A call that came just before the name was given up has left a lease. A process has to
         * watch it, and it cannot be this one, which the service manager counts as stopping. A call
         * to the bus name starts the next one. */
        if (service->leases.n_leases > 0)
                (void)sd_bus_call_method_async(service->bus, NULL, BUS_DAEMON, BUS_DAEMON_PATH,
                                               BUS_DAEMON, "StartServiceByName", NULL, NULL, "su",
                                               RAWNET_BUS_NAME, 0);
        (void)sd_event_exit(service->event, EXIT_SUCCESS);
}

static int on_released(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Service *service = userdata;

        /* The bus keeps the order: every call that was sent to rawnetd's name arrives before this
         * reply. Calls in progress are finished; new calls start a new rawnetd. */
        service->released = true;
        maybe_leave(service);
        return 1;
}

static void service_leave(Service *service) {
        int r;

        log_debug("idle, leaving");
        service->leaving = true;
        /* systemd must know it before the bus asks it to start rawnetd for the next call. Otherwise
         * it would take this process for running. */
        (void)sd_notify(false, "STOPPING=1");
        (void)sd_notify_barrier(false, 1000000);
        r = sd_bus_release_name_async(service->bus, NULL, RAWNET_BUS_NAME, on_released, service);
        if (r < 0) {
                log_error("cannot give the bus name back: %s", strerror(-r));
                (void)sd_event_exit(service->event, EXIT_FAILURE);
        }
}

static int on_idle_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Service *service = userdata;
        uint64_t now = event_usec(service->event), next;
        int r;

        if (!is_busy(service) && now >= service->last_activity + service->idle_usec) {
                service_leave(service);
                return 0;
        }
        next = (is_busy(service) ? now : service->last_activity) + service->idle_usec;
        r = sd_event_source_set_time(source, next);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static bool on_gate_passed(void *userdata, const sd_bus_message *m) {
        return requests_has(userdata, m);
}

static unsigned on_gate_running(void *userdata, uint32_t uid) {
        return requests_count(userdata, uid, REQUEST_RUNNING);
}

static void on_gate_refused(void *userdata, uint32_t uid, const Refusal *refusal) {
        Service *service = userdata;
        LogEvent event = {
                .level = LOG_INFO,
                .message_id = RAWNET_EVENT_REFUSED,
                .error = rawnet_error_to_dbus(refusal->error),
                .uid = uid,
        };

        counts_refused(&service->counts, "", refusal->error);
        if (refusal_log_wants(service->refusals, uid, LOGGED_REFUSAL))
                log_event(&event, "refused a call by user %" PRIu32 ": %s", uid, refusal->text);
}

static void on_gate_idle(void *userdata) {
        maybe_leave(userdata);
}

static int on_gate_may_pass(void *userdata, const char *name, uint64_t now) {
        const Service *service = userdata;

        return unread_may_pass(service->unread, name, now);
}

static const GateEvents gate_events = {
        .may_pass = on_gate_may_pass,
        .passed = on_gate_passed,
        .running = on_gate_running,
        .refused = on_gate_refused,
        .idle = on_gate_idle,
};

/* Sees every message first. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Service *service = userdata;

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 0;
        service->last_activity = event_usec(service->event);
        bus_watch_call(service->bus_watch);
        return gate_arrive(service->gate, m);
}

/* A lost connection ends this process: the helper and the files have all that it knows. Calls that
 * wait get NoReply from the bus. Leases live on. */
static void on_stalled(void *userdata) {
        Service *service = userdata;

        log_error(
                "the system bus has taken nothing from rawnetd for 10 s: starting again with a new connection; calls that wait "
                "end with NoReply, ports are not affected");
        service->stalled = true;
        (void)sd_event_exit(service->event, EXIT_FAILURE);
}

static void on_unread_known(void *userdata) {
        const Service *service = userdata;

        gate_resume(service->gate);
}

static void on_overfull(void *userdata) {
        Service *service = userdata;

        log_error(
                "the system bus holds too many messages of rawnetd that others do not read: starting again with a new connection; "
                "calls that wait end with NoReply, ports are not affected");
        service->stalled = true;
        (void)sd_event_exit(service->event, EXIT_FAILURE);
}

static const UnreadEvents unread_events = {
        .known = on_unread_known,
        .overfull = on_overfull,
};

static int on_name_lost(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Service *service = userdata;
        const char *name;
        int r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        if (name[0] == ':') {
                gate_caller_gone(service->gate, name);
                requests_caller_gone(service, name);
                delivery_gone(service->deliveries, name);
                unread_gone(service->unread, name);
        }
        return 0;
}

/* One match for all callers, installed before the first call. So rawnetd cannot miss that a caller
 * leaves, however soon that is after the call. */
static int watch_callers(Service *service) {
        return sd_bus_add_match(service->bus, NULL,
                                "type='signal',sender='" BUS_DAEMON "',path='" BUS_DAEMON_PATH
                                "',interface='" BUS_DAEMON "',member='NameOwnerChanged',arg2=''",
                                on_name_lost, service);
}

static int on_first_list_late(sd_event_source *source, uint64_t usec, void *userdata) {
        bool *late = userdata;

        *late = true;
        return 0;
}

/* Before anybody can call: reads the list of leases. */
static int first_list(Service *service) {
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *timer = NULL;
        Refusal refusal = {};
        bool late = false;
        int r;

        r = helper_connect(service->helper, &refusal);
        if (r > 0) {
                log_warning("%s", refusal.text);
                helper_retry(service->helper);
                return 0;
        }
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(service->event, &timer, CLOCK_MONOTONIC, FIRST_LIST_USEC, 0,
                                       on_first_list_late, &late);
        if (r < 0)
                return r;
        while (!helper_ready(service->helper) && helper_connected(service->helper) && !late) {
                r = sd_event_run(service->event, UINT64_MAX);
                if (r < 0)
                        return r;
        }
        if (!helper_ready(service->helper))
                log_warning("rawnet-helper did not list its leases, starting without");
        return 0;
}

static int start_bus(Service *service) {
        int r;

        r = manager_register(service);
        if (r < 0)
                return r;
        r = gate_new(service->event, service->bus, &gate_events, service, &service->gate);
        if (r < 0)
                return r;
        r = sd_bus_add_filter(service->bus, NULL, on_message, service);
        if (r < 0)
                return r;
        r = delivery_table_new(service->event, service->bus, service->closer, &service->deliveries);
        if (r < 0)
                return r;
        r = bus_watch_new(service->event, service->bus, sd_bus_get_fd(service->bus), on_stalled,
                          service, &service->bus_watch);
        if (r < 0)
                return r;
        r = unread_table_new(service->bus, &unread_events, service, &service->unread);
        if (r < 0)
                return r;
        r = watch_callers(service);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(service->bus, service->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        /* Without the bus there is nobody to serve. Leases do not need rawnetd. */
        r = sd_bus_set_exit_on_disconnect(service->bus, true);
        if (r < 0)
                return r;
        r = sd_bus_request_name(service->bus, RAWNET_BUS_NAME, 0);
        if (r < 0)
                return r;
        /* dbus-broker has one queue for all messages to rawnetd, so behind a flood its answers are
         * late, too. rawnetd waits for each answer: bus_watch recognizes a bus that takes nothing.
         */
        r = sd_bus_set_method_call_timeout(service->bus, UINT64_MAX);
        if (r < 0)
                return r;
        service->on_bus = true;
        return 0;
}

static int start_loop(Service *service, uint32_t opens_per_second) {
        sigset_t stop;
        int r;

        (void)sigemptyset(&stop);
        (void)sigaddset(&stop, SIGTERM);
        (void)sigaddset(&stop, SIGINT);
        /* Before the closer's threads exist, which inherit the mask. */
        if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
                return -errno;
        r = sd_event_new(&service->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(service->event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;
        r = sd_event_add_signal(service->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;
        r = closer_new(&service->closer);
        if (r < 0)
                return r;
        r = requests_start(service);
        if (r < 0)
                return r;
        r = refusal_log_new(service->event, &service->refusals);
        if (r < 0)
                return r;
        r = rate_table_new(opens_per_second, &service->opens);
        if (r < 0)
                return r;
        return helper_new(service->event, service->closer, &helper_events, service,
                          &service->helper);
}

static int start_idle_timer(Service *service) {
        int r;

        if (service->idle_usec == 0)
                return 0;
        service->last_activity = event_usec(service->event);
        r = sd_event_add_time(service->event, &service->idle_source, CLOCK_MONOTONIC,
                              service->last_activity + service->idle_usec, 0, on_idle_time,
                              service);
        if (r < 0)
                return r;
        /* Runs after every call that has arrived by then. */
        return sd_event_source_set_priority(service->idle_source, SD_EVENT_PRIORITY_IDLE);
}

int service_start(Service *service, const ServiceOptions *options) {
        int r;

        *service = (Service){.counts.since = clock_usec(CLOCK_REALTIME),
                             .idle_usec = options->idle_usec,
                             .queues_per_user = options->queues_per_user,
                             .idle = maybe_leave};
        r = start_loop(service, options->opens_per_second);
        if (r < 0) {
                log_error("cannot start: %s", strerror(-r));
                return r;
        }
        r = sd_bus_open_system_with_description(&service->bus, "rawnetd");
        if (r < 0) {
                log_error("cannot connect to the system bus: %s", strerror(-r));
                return r;
        }
        machine_key_load(&service->key);
        service->networks =
                (NetworkTable){.event = service->event, .events = &network_events, .data = service};
        r = network_table_start(&service->networks);
        if (r < 0) {
                log_error("cannot read the network files: %s", strerror(-r));
                return r;
        }
        r = first_list(service);
        if (r < 0) {
                log_error("cannot ask rawnet-helper: %s", strerror(-r));
                return r;
        }
        r = start_bus(service);
        if (r < 0) {
                log_error(
                        "cannot take the name %s on the system bus (is its policy org.rawnet1.conf installed, does "
                        "another rawnetd run?): %s",
                        RAWNET_BUS_NAME, strerror(-r));
                return r;
        }
        r = start_idle_timer(service);
        if (r < 0)
                log_error("cannot start: %s", strerror(-r));
        return r;
}

int service_run(Service *service) {
        (void)sd_notify(false, "READY=1");
        return sd_event_loop(service->event);
}

void service_done(Service *service) {
        requests_done(service);
        gate_free(service->gate);
        refusal_log_free(service->refusals);
        network_table_done(&service->networks);
        helper_free(service->helper);
        lease_table_done(&service->leases);
        counts_done(&service->counts);
        free(service->reading.ids);
        sd_event_source_disable_unref(service->idle_source);
        delivery_table_free(service->deliveries);
        bus_watch_free(service->bus_watch);
        unread_table_free(service->unread);
        rate_table_free(service->opens);
        /* Flushing waits for the bus. */
        if (service->stalled)
                sd_bus_close_unref(service->bus);
        else
                sd_bus_flush_close_unref(service->bus);
        closer_free(service->closer);
        sd_event_unref(service->event);
}
