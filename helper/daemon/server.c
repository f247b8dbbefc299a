/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/server.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/log.h"
#include "helper/daemon/queues.h"
#include "helper/worker/probe.h"

#define SCAN_PAUSE_USEC UINT64_C(1000000)

/* --- what is due --- */

static void settle(Server *server);

static int on_idle(sd_event_source *source, uint64_t usec, void *data) {
        Server *server = data;

        log_debug("idle, no lease alive: leaving");
        return sd_event_exit(server->event, 0);
}

/* Not while a sweep is due: it looks again at an interface that the last one doubted. */
static void arm_idle_timer(Server *server) {
        bool idle = server->ready && server->idle_seconds > 0 && server->pool.n_workers == 0 &&
                    server->registry.n_entries == 0 && !server->sweep.timer && !server->guarding &&
                    !connections_any(&server->connections);

        if (!idle) {
                server->idle_timer = sd_event_source_disable_unref(server->idle_timer);
                return;
        }
        if (!server->idle_timer)
                (void)sd_event_add_time_relative(
                        server->event, &server->idle_timer, CLOCK_MONOTONIC,
                        server->idle_seconds * UINT64_C(1000000), 0, on_idle, server);
}

static int on_due(sd_event_source *source, uint64_t usec, void *data) {
        Due *due = data;

        due->timer = sd_event_source_disable_unref(due->timer);
        due->wanted = true;
        settle(due->server);
        return 0;
}

/* In usec microseconds, unless the timer runs already. */
static void due_later(Due *due, uint64_t usec) {
        if (!due->timer && sd_event_add_time_relative(due->server->event, &due->timer,
                                                      CLOCK_MONOTONIC, usec, 0, on_due, due) < 0)
                log_error("cannot look again at the leases or at the host's interfaces");
}

/* After a failed scan: another one at once could fail in the same way. */
static void scan_later(Server *server) {
        server->registry.scanning = false;
        due_later(&server->scan, SCAN_PAUSE_USEC);
}

/* Another sweep is due where this one doubted an interface. */
static void end_sweep(Server *server) {
        server->sweeping = false;
        if (doubts_end(&server->context.sweep.doubts))
                due_later(&server->sweep, DOUBT_USEC);
}

static void start_due(Server *server) {
        if (server->scan.wanted && !server->registry.scanning) {
                registry_begin_scan(&server->registry);
                server->scan.wanted = false;
                if (pool_start(&server->pool, JOB_SCAN, NULL, NULL, -1) < 0)
                        scan_later(server);
        }
        /* A sweep does not wait for opens, some of which take seconds: it leaves alone what an open
         * may be about to use. */
        if (server->sweep.wanted && server->ready && !server->sweeping &&
            pool_count(&server->pool, JOB_HOST_UP) + pool_count(&server->pool, JOB_HOST_DOWN) ==
                    0) {
                server->sweep.wanted = false;
                server->sweep_after_open =
                        pool_opening_vlans(&server->pool, server->context.sweep.opening);
                doubts_begin(&server->context.sweep.doubts);
                server->sweeping = pool_start(&server->pool, JOB_SWEEP, NULL, NULL, -1) == 0;
        }
}

/* Called after each event: starts what is due, pauses or resumes reading, arms or stops the idle
 * timer. */
static void settle(Server *server) {
        start_due(server);
        if (!server->ready && server->probed && server->scanned) {
                server->ready = server->pool.spare_due = true;
                (void)sd_notify(false, "READY=1");
                start_due(server);
        }
        if (server->ready)
                pool_refill(&server->pool);
        if (server->scanned && !server->registry.scanning &&
            pool_count(&server->pool, JOB_OPEN) == 0)
                entries_clean(&server->entries);
        connections_pause(&server->connections,
                          !server->ready || server->sweeping ||
                                  server->pool.n_workers >= SERVER_WORKERS_MAX);
        drops_listen(&server->drops, connections_subscribed(&server->connections));
        arm_idle_timer(server);
}

static void on_settle(void *data) {
        settle(data);
}

/* --- requests of rawnetd --- */

static void start(Server *server, Connection *connection, JobKind kind, const IpcRequest *request,
                  int namespace_fd) {
        JobOrder order = {.request = *request, .features = server->features};
        NetworkName name;

        /* For a check, rawnetd counts the leases. */
        if (kind == JOB_OPEN && network_name_parse(request->open.network, &name, NULL) == 0)
                order.n_leases = registry_count(&server->registry, name.name);
        if (pool_start(&server->pool, kind, connection, &order, namespace_fd) < 0)
                connection_fail(connection, request->serial, "it cannot start a process");
}

/* May the job begin? 0 or a refusal. */
static int check_open(Server *server, const IpcRequest *request, Refusal *ret_refusal) {
        int r = queues_check(&server->pool, &server->registry, &request->open, ret_refusal);

        if (r == 0 && request->open.mac_mode == IPC_MAC_LEARN)
                r = learning_check(&server->learning, request->open.network, ret_refusal);
        return r;
}

/* Any user may ask for a check, and opens need the workers. */
static int check_check(Server *server, const IpcRequest *request, Refusal *ret_refusal) {
        if (pool_count(&server->pool, JOB_CHECK) < SERVER_CHECKS_MAX)
                return 0;
        return refuse(ret_refusal, RAWNET_HELPER_UNAVAILABLE,
                      "rawnet-helper: it checks too many networks at once; try again");
}

/* The features that rawnetd learns. */
static uint32_t public_features(const Server *server) {
        return server->features & ~(PROBE_GUARD_FAILS | PROBE_GUARD_BLIND);
}

static void do_list(Server *server, Connection *connection, const IpcRequest *request) {
        IpcReply done = ipc_reply(request->serial, IPC_DONE);

        connection_subscribe(connection);
        for (size_t i = 0; i < server->registry.n_entries; i++) {
                IpcReply reply = ipc_reply(request->serial, IPC_LEASE);

                reply.lease = server->registry.entries[i].lease;
                if (!connection_send(connection, &reply))
                        return;
        }
        done.features = public_features(server);
        (void)connection_send(connection, &done);
}

/* The answer does not wait for the sweep, which runs once no host interface is being made. */
static void do_host_sweep(Server *server, Connection *connection, const IpcRequest *request) {
        const IpcReply done = ipc_reply(request->serial, IPC_DONE);

        server->sweep.wanted = true;
        (void)connection_send(connection, &done);
}

typedef struct Operation {
        /* Done here, without waiting; */
        void (*run)(Server *server, Connection *connection, const IpcRequest *request);
        /* or by a worker, if check has no objection (NULL: there is none). */
        JobKind job;
        int (*check)(Server *server, const IpcRequest *request, Refusal *ret_refusal);
} Operation;

/* A closed table. ipc_request_check() has checked sizes, strings, ranges and
 * the operation. */
static const Operation operations[] = {
        [IPC_OPEN] = {.job = JOB_OPEN, .check = check_open},
        [IPC_CHECK] = {.job = JOB_CHECK, .check = check_check},
        [IPC_CLOSE] = {.job = JOB_CLOSE},
        [IPC_LIST] = {.run = do_list},
        [IPC_STATISTICS_OF] = {.job = JOB_STATISTICS},
        [IPC_HOST_UP] = {.job = JOB_HOST_UP},
        [IPC_HOST_DOWN] = {.job = JOB_HOST_DOWN},
        [IPC_HOST_SWEEP] = {.run = do_host_sweep},
};

static void on_request(void *data, Connection *connection, const IpcRequest *request,
                       int namespace_fd) {
        static const Operation none = {};
        const Operation *o = request->operation < ARRAY_SIZE(operations)
                                     ? &operations[request->operation]
                                     : &none;
        Server *server = data;
        Refusal refusal = {};

        if (o->run)
                o->run(server, connection, request);
        else if (o->job == JOB_NONE)
                connection_fail(connection, request->serial, "it has no such operation");
        else if (o->check && o->check(server, request, &refusal) != 0)
                connection_refuse(connection, request->serial, &refusal);
        else
                start(server, connection, o->job, request, namespace_fd);
}

static void on_connection_gone(void *data, const Connection *connection) {
        Server *server = data;

        pool_forget_connection(&server->pool, connection);
}

static const ConnectionEvents connection_events = {
        .request = on_request,
        .gone = on_connection_gone,
        .settle = on_settle,
};

/* --- what workers report --- */

/* A job has made a namespace. If the first probe could make none, it found out nothing else either,
 * and what is unknown counts as the worst. So the kernel is probed again. */
static void on_namespace(Server *server) {
        if (server->features & IPC_FEATURE_USER_NAMESPACE || server->probing)
                return;
        server->context.probe.again = true;
        server->probing = pool_start(&server->pool, JOB_PROBE, NULL, NULL, -1) == 0;
}

static void on_probed(Server *server, uint32_t features) {
        IpcReply reply = ipc_reply(0, IPC_FEATURES);
        const bool news = server->probed && server->features != features;

        server->features = features;
        reply.features = public_features(server);
        server->probed = true;
        if (news)
                connections_publish(&server->connections, &reply);
}

static void on_lease(Server *server, Worker *worker, const Report *report) {
        bool opening = worker->kind == JOB_OPEN && !worker->answered && worker->pid > 0;
        int r;

        if (opening) {
                worker->lease = report->lease.id;
                on_namespace(server);
        }
        r = worker->kind == JOB_OPEN || worker->kind == JOB_SCAN
                    ? news_lease(&server->news, report, opening)
                    : news_changed(&server->news, report);
        if (r < 0) {
                log_error("no memory for lease " RAWNET_PORT_NAME_FORMAT "; looking again",
                          report->lease.id);
                server->scan.wanted = true;
        }
}

static void on_report(void *data, Worker *worker, const Report *report) {
        Server *server = data;

        switch (report->type) {
        case REPORT_LEASE:
        case REPORT_CLOSED:
                on_lease(server, worker, report);
                break;
        case REPORT_ANSWERED:
                worker->answered = true;
                news_opened(&server->news, worker->lease);
                break;
        case REPORT_SCANNED:
                news_scanned(&server->news, report->value & SCAN_WHOLE);
                server->scanned = server->sweep.wanted = true;
                entries_scanned(&server->entries);
                learning_watch(&server->learning);
                break;
        case REPORT_SWEPT:
                server->guarding = report->value & SWEEP_LEFT;
                break;
        case REPORT_DOUBTED:
                doubts_note(&server->context.sweep.doubts, report->value, report->file,
                            clock_usec(CLOCK_MONOTONIC));
                break;
        case REPORT_PROBED:
                on_probed(server, report->value);
                break;
        case REPORT_NAMESPACE:
                on_namespace(server);
                break;
        default:
                break;
        }
}

static void end_probe(Server *server) {
        server->probing = false;
        if (server->probed)
                return;
        log_warning(
                "the kernel could not be probed; rawnet-helper treats it as one with the checksum trick");
        server->features = IPC_FEATURE_CHECKSUM_TRICK | IPC_FEATURE_FILTER_LIMIT;
        server->probed = true;
}

static void on_ended(void *data, const Worker *worker) {
        Server *server = data;

        switch (worker->kind) {
        case JOB_OPEN:
                /* A failed open may have made a shared VLAN interface. */
                if (!worker->answered || (worker->vlan != 0 && server->sweep_after_open))
                        server->sweep.wanted = true;
                break;
        case JOB_HOST_UP:
        case JOB_HOST_DOWN:
                server->sweep.wanted = true;
                break;
        case JOB_LEARNING:
                learning_watch(&server->learning);
                break;
        case JOB_SWEEP:
                end_sweep(server);
                break;
        case JOB_SCAN:
                if (server->registry.scanning)
                        scan_later(server);
                break;
        case JOB_PROBE:
                end_probe(server);
                break;
        default:
                break;
        }
        if (worker->serial != 0 && !worker->answered && worker->connection)
                connection_fail(worker->connection, worker->serial,
                                "its worker ended before it was done");
}

static void on_learned(void *data) {
        Server *server = data;

        learning_watch(&server->learning);
}

static const PoolEvents pool_events = {
        .report = on_report,
        .ended = on_ended,
        .learned = on_learned,
        .settle = on_settle,
};

/* --- reports of the kernel --- */

static void on_lease_gone(void *data, uint32_t id) {
        Server *server = data;

        entries_ended(&server->entries, id);
        if (news_ended(&server->news, id, pool_closes(&server->pool, id)))
                server->sweep.wanted = true;
}

/* An open makes a shared VLAN interface at its beginning, so a sweep follows in case the open
 * fails. An administrator may have taken over one that lost its mark. */
static void on_vlan_news(void *data) {
        Server *server = data;

        server->sweep.wanted = true;
}

static void on_link_changed(void *data, uint32_t index, const char *name, uint32_t mtu) {
        Server *server = data;

        news_mtu(&server->news, index, name, mtu);
        if (registry_outgrown(&server->registry, name, mtu))
                server->sweep.wanted = true;
}

static void on_link_gone(void *data, uint32_t index, bool is_macvlan) {
        Server *server = data;

        if (registry_lower_gone(&server->registry, index))
                server->scan.wanted = true;
        /* It may have been a host interface, which kept a shared VLAN interface. */
        if (is_macvlan)
                server->sweep.wanted = true;
}

static void on_lost(void *data) {
        Server *server = data;

        log_debug("messages of the kernel were lost; looking at all leases");
        server->scan.wanted = true;
}

static const WatchEvents watch_events = {
        .lease_gone = on_lease_gone,
        .vlan_news = on_vlan_news,
        .link_changed = on_link_changed,
        .link_gone = on_link_gone,
        .lost = on_lost,
        .settle = on_settle,
};

/* At the start, when nothing waits for the daemon: the kernel may load a module for it. */
static int open_guard_owner(Server *server) {
        int r = netlink_open(&server->guard_owner, NETLINK_NETFILTER);

        server->context.job.owner_fd = r == 0 ? mnl_socket_get_fd(server->guard_owner.socket) : -1;
        return r == -EPROTONOSUPPORT ? 0 : r;
}

int server_start(Server *server, int listen_fd) {
        int r;

        server->guarding = true; /* until a sweep says no */
        server->scan = (Due){.server = server, .wanted = true};
        server->sweep = (Due){.server = server};
        server->context.job.registry = &server->registry;
        server->connections = (Connections){.event = server->event,
                                            .peer_uid = server->peer_uid,
                                            .events = &connection_events,
                                            .data = server,
                                            .paused = true};
        server->pool = (Pool){.event = server->event,
                              .context = &server->context,
                              .events = &pool_events,
                              .data = server};
        server->watch = (Watch){.events = &watch_events, .data = server};
        server->learning = (Learning){
                .event = server->event, .pool = &server->pool, .registry = &server->registry};
        server->news = (News){&server->registry, &server->connections};
        server->entries =
                (Entries){.program = &server->context.job.guard, .registry = &server->registry};
        r = lease_ids_new(&server->context.ids);
        if (r == 0)
                r = open_guard_owner(server);
        if (r == 0)
                r = drops_start(&server->drops, server->event, &server->context.job.guard,
                                &server->news);
        if (r == 0)
                r = watch_start(&server->watch, server->event);
        if (r == 0)
                r = pool_start(&server->pool, JOB_PROBE, NULL, NULL, -1);
        if (r < 0)
                return r;
        r = connections_listen(&server->connections, listen_fd);
        if (r == 0)
                settle(server);
        return r;
}

void server_stop(Server *server) {
        connections_close(&server->connections);
        watch_stop(&server->watch);
        drops_stop(&server->drops);
        netlink_close(&server->guard_owner);
        registry_free(&server->registry);
}
