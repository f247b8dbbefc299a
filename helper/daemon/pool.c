/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/pool.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/daemon/learning.h"
#include "helper/daemon/spare.h"

struct Worker {
        Server *server;
        Worker *next;
        JobKind kind;
        pid_t pid;              /* 0: reaped; a learning child may still report */
        int report_fd;          /* -1: all writers are gone */
        Connection *connection; /* NULL: none, or it is gone */
        uint64_t serial;
        bool busy; /* it has a job, and counts */
        bool answered;
        bool learns;          /* an open with mac=learn: its child keeps report_fd */
        uint32_t lease;       /* what its open has made; 0: nothing yet */
        uint16_t vlan;        /* of its open; 0: none */
        uint32_t uid, queues; /* of its open */
        int order_fd;         /* made ahead: its open goes in here; -1: it has its job */
        sd_event_source *report_source, *exit_source;
};

static bool is_host_job(JobKind kind) {
        return kind == JOB_HOST_UP || kind == JOB_HOST_DOWN;
}

bool worker_opening_vlans(const Server *server, uint64_t ret[static WORKER_VLAN_WORDS]) {
        bool any = false;

        memset(ret, 0, WORKER_VLAN_WORDS * sizeof(*ret));
        for (const Worker *w = server->workers; w; w = w->next) {
                if (!w->busy || w->pid == 0 || w->vlan == 0)
                        continue;
                ret[w->vlan / 64] |= UINT64_C(1) << w->vlan % 64;
                any = true;
        }
        return any;
}

static void forget(Worker *worker) {
        Server *server = worker->server;

        for (Worker **w = &server->workers; *w; w = &(*w)->next) {
                if (*w == worker) {
                        *w = worker->next;
                        break;
                }
        }
        sd_event_source_disable_unref(worker->report_source);
        sd_event_source_disable_unref(worker->exit_source);
        safe_close(worker->report_fd);
        safe_close(worker->order_fd);
        if (server->spare == worker)
                spare_lost(server);
        free(worker);
}

void worker_forget_connection(Server *server, const Connection *connection) {
        for (Worker *w = server->workers; w; w = w->next) {
                if (w->connection == connection)
                        w->connection = NULL;
        }
}

unsigned worker_count_learning(const Server *server) {
        unsigned n = 0;

        for (const Worker *w = server->workers; w; w = w->next)
                n += w->learns;
        return n;
}

bool worker_learns(const Server *server, uint32_t lease) {
        for (const Worker *w = server->workers; w; w = w->next) {
                if (w->learns && w->lease == lease)
                        return true;
        }
        return false;
}

unsigned worker_count_queues(const Server *server, uint32_t uid) {
        unsigned n = 0;

        for (const Worker *w = server->workers; w; w = w->next)
                if (w->busy && w->kind == JOB_OPEN && w->pid > 0 && !w->lease && w->uid == uid)
                        n += w->queues;
        return n;
}

static void take_lease(Worker *worker, const Report *report) {
        Server *server = worker->server;
        int r = registry_put(&server->registry, &report->lease, report->value, report->carries);
        const RegistryEntry *entry = registry_find(&server->registry, report->lease.id);

        if (r < 0) {
                log_error("no memory for lease " RAWNET_PORT_NAME_FORMAT "; looking again",
                          report->lease.id);
                server->scan_wanted = true;
        }
        /* An open's lease is news to others, after its answer: rawnetd would count both the lease
         * and the open it waits for. */
        if (worker->kind == JOB_OPEN && !worker->answered && worker->pid > 0) {
                worker->lease = report->lease.id;
                return;
        }
        if (r <= 0 || !entry)
                return;
        if (!entry->lease.gone)
                server_publish_lease(server, &entry->lease);
        else if (r == 2)
                server_publish_end(server, &entry->lease,
                                   report->type == REPORT_CLOSED ? WIRE_END_CLOSED
                                                                 : WIRE_END_LINK_GONE);
}

/* As it is by now: its MAC may have been learnt, its parent may have gone. */
static void take_answered(Worker *worker) {
        Server *server = worker->server;
        const RegistryEntry *entry;

        worker->answered = true;
        entry = worker->lease ? registry_find(&server->registry, worker->lease) : NULL;
        if (!entry)
                return;
        if (entry->lease.gone)
                server_publish_end(server, &entry->lease, WIRE_END_LINK_GONE);
        else
                server_publish_lease(server, &entry->lease);
}

static void end_scan(Server *server, bool whole) {
        WireLease lost;

        while (registry_next_lost(&server->registry, &lost))
                server_publish_end(server, &lost,
                                   lost.gone ? WIRE_END_NAMESPACE : WIRE_END_LAST_FD);
        server->registry.whole = server->registry.whole || whole;
        if (!server->registry.whole)
                log_notice("leases that another version of rawnet opened may be missing: the "
                           "kernel did not "
                           "list all of its namespaces, or their records cannot be read");
        server->scanned = true;
        server->sweep_wanted = true;
        learning_watch(server);
}

static void take_report(Worker *worker, const Report *report) {
        Server *server = worker->server;

        switch (report->type) {
        case REPORT_LEASE:
        case REPORT_CLOSED:
                take_lease(worker, report);
                break;
        case REPORT_ANSWERED:
                take_answered(worker);
                break;
        case REPORT_SCANNED:
                end_scan(server, report->value & SCAN_WHOLE);
                break;
        case REPORT_DOUBTED:
                doubts_note(&server->sweep.doubts, report->value, report->file,
                            clock_usec(CLOCK_MONOTONIC));
                break;
        case REPORT_PROBED:
                server->context.features = report->value;
                server->probed = true;
                break;
        default:
                break;
        }
}

/* Reads all reports that are there. */
static void drain(Worker *worker) {
        Report report;
        int r;

        if (worker->report_fd < 0)
                return;
        while ((r = report_receive(worker->report_fd, &report)) > 0)
                take_report(worker, &report);
        if (r == -EAGAIN)
                return;
        worker->report_source = sd_event_source_disable_unref(worker->report_source);
        worker->report_fd = safe_close(worker->report_fd);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data) {
        Worker *worker = data;
        Server *server = worker->server;

        drain(worker);
        if (worker->report_fd < 0 && worker->pid == 0) {
                bool learnt = worker->learns;

                forget(worker);
                if (learnt)
                        learning_watch(server);
        }
        server_settle(server);
        return 0;
}

static void note_exit(Worker *worker) {
        Server *server = worker->server;

        worker->pid = 0;
        worker->exit_source = sd_event_source_disable_unref(worker->exit_source);
        if (!worker->busy)
                return;
        server->n_workers--;
        if (is_host_job(worker->kind))
                server->sweep_wanted = true;
        server->n_host_jobs -= is_host_job(worker->kind);
        server->n_opens -= worker->kind == JOB_OPEN;
        if (worker->kind == JOB_OPEN) {
                /* It may have made a shared VLAN interface for nothing. */
                if (!worker->answered || (worker->vlan != 0 && server->sweep_after_open))
                        server->sweep_wanted = true;
        }
        if (worker->kind == JOB_LEARNING)
                learning_watch(server);
        if (worker->kind == JOB_SWEEP)
                server_end_sweep(server);
        if (worker->kind == JOB_SCAN && server->registry.scanning) {
                server->registry.scanning = false;
                server_scan_later(server);
        }
        if (worker->kind == JOB_PROBE && !server->probed) {
                if (!server->context.quiet_probe)
                        log_warning("the kernel could not be probed; assuming the worst");
                server->context.features = WIRE_FEATURE_CHECKSUM_TRICK;
                server->probed = true;
        }
        if (worker->serial != 0 && !worker->answered && worker->connection)
                server_answer_failure(worker->connection, worker->serial,
                                      "its worker ended before it was done");
}

static int on_exit_(sd_event_source *source, const siginfo_t *si, void *data) {
        Worker *worker = data;
        Server *server = worker->server;

        /* What it said before it ended comes first. */
        drain(worker);
        note_exit(worker);
        if (worker->report_fd < 0)
                forget(worker);
        server_settle(server);
        return 0;
}

static int watch(Worker *worker) {
        sd_event *event = worker->server->event;
        int r;

        r = sd_event_add_io(event, &worker->report_source, worker->report_fd, EPOLLIN, on_report,
                            worker);
        /* Before the kernel's RTM_DELNSID of the same moment: a lease is known before its end is
         * heard. */
        if (r >= 0)
                r = sd_event_source_set_priority(worker->report_source,
                                                 SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_add_child(event, &worker->exit_source, worker->pid, WEXITED, on_exit_,
                                       worker);
        return r < 0 ? r : 0;
}

static JobOrder make_order(const Server *server, const WireRequest *request) {
        JobOrder order = {.request = *request, .features = server->context.features};
        NetworkName name;

        if (request->operation == WIRE_OPEN &&
            network_name_parse(request->open.network, &name, NULL) == 0)
                order.n_leases = registry_count(&server->registry, name.name);
        return order;
}

/* Forks a worker and watches it. */
static int start(Server *server, Job *job, int order_fd, Worker **ret) {
        _cleanup_close_ int ours = -1, theirs = -1;
        _cleanup_free_ Worker *worker = calloc(1, sizeof(*worker));
        pid_t parent = getpid(), pid;
        int pair[2], r;

        if (!worker)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = job->report_fd = pair[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                job_run(&server->context, job, parent);
        *worker = (Worker){
                .server = server,
                .next = server->workers,
                .kind = job->kind,
                .pid = pid,
                .report_fd = TAKE_FD(ours),
                .order_fd = order_fd,
        };
        server->workers = worker;
        r = watch(worker);
        if (r < 0) {
                /* Unwatched it would never be reaped: it ends now. */
                kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                worker->order_fd = -1;
                forget(TAKE_PTR(worker));
                return r;
        }
        *ret = TAKE_PTR(worker);
        return 0;
}

int worker_start_ahead(Server *server, Worker **ret) {
        _cleanup_close_ int ours = -1, theirs = -1;
        Job job = {.kind = JOB_OPEN, .connection_fd = -1};
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = job.order_fd = pair[1];
        r = start(server, &job, ours, ret);
        if (r == 0)
                (void)TAKE_FD(ours);
        return r;
}

/* False: it has just died. */
static bool give_order(Worker *worker, const Connection *connection, const JobOrder *order) {
        int r = fd_pass_send(worker->order_fd, order, sizeof(*order), &connection->fd, 1,
                             MSG_DONTWAIT);

        worker->order_fd = safe_close(worker->order_fd);
        return r == 0;
}

static int start_now(Server *server, JobKind kind, const Connection *connection,
                     const JobOrder *order, Worker **ret) {
        Job job = {
                .kind = kind,
                .order = order,
                .connection_fd = connection ? connection->fd : -1,
                .order_fd = -1,
        };

        return start(server, &job, -1, ret);
}

int worker_start(Server *server, JobKind kind, Connection *connection, const WireRequest *request) {
        const JobOrder order = request ? make_order(server, request) : (JobOrder){};
        Worker *worker = kind == JOB_OPEN ? spare_take(server) : NULL;
        int r;

        if (!worker || !give_order(worker, connection, &order)) {
                r = start_now(server, kind, connection, request ? &order : NULL, &worker);
                if (r < 0)
                        return r;
        }
        worker->connection = connection;
        worker->serial = request ? request->serial : 0;
        worker->busy = true;
        worker->learns = kind == JOB_OPEN && request->open.mac_mode == WIRE_MAC_LEARN;
        server->n_workers++;
        if (kind == JOB_OPEN) {
                worker->vlan = request->open.vlan;
                worker->uid = request->open.uid;
                worker->queues = request->open.queues;
        }
        server->n_host_jobs += is_host_job(kind);
        server->n_opens += kind == JOB_OPEN;
        return 0;
}
