/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/host-leg.h"
#include "helper/parent.h"
#include "helper/probe.h"
#include "helper/spare.h"

/* rawnetd does not read its socket for this long: the descriptors are let go and the lease ends. */
#define WORKER_SEND_TIMEOUT_MSEC 10000

struct Worker {
        Server *server;
        Worker *next;
        JobKind kind;
        pid_t pid;         /* 0: reaped; a learning child may still report */
        int report_fd;     /* -1: all writers are gone */
        Connection *connection;
        uint64_t serial;
        bool answered;
        sd_event_source *report_source, *exit_source;
};

/* --- in the worker ------------------------------------------------------------------------------------------------------------ */

static int send_reply(int fd, const WireReply *reply, const int *fds, size_t n_fds) {
        for (;;) {
                struct pollfd p = {fd, POLLOUT, 0};
                int r = fd_pass_send(fd, reply, sizeof(*reply), fds, n_fds, MSG_DONTWAIT);

                if (r != -EAGAIN)
                        return r;
                r = poll(&p, 1, WORKER_SEND_TIMEOUT_MSEC);
                if (r == 0)
                        return -ETIMEDOUT;
                if (r < 0 && errno != EINTR)
                        return -errno;
        }
}

/* A fatal error is told to the caller too: it names the step that a person can look at. */
static void set_refusal(WireReply *reply, int r, const Refusal *refusal) {
        Refusal fatal = {};

        if (r < 0) {
                refuse_errno(&fatal, r, "rawnet-helper could not do it");
                refusal = &fatal;
        }
        reply->type = WIRE_REFUSED;
        reply->lease = (WireLease){};
        reply->refusal.error = refusal->error;
        reply->refusal.kernel_errno = refusal->kernel_errno;
        memcpy(reply->refusal.text, refusal->text, sizeof(reply->refusal.text));
}

static int do_request(const LeaseContext *context, JobKind kind, const WireRequest *request, int fd) {
        WireReply reply = server_reply(request->serial, WIRE_DONE);
        int fds[RAWNET_FDS_MAX], r;
        Refusal refusal = {};
        size_t n_fds = 0;

        switch (kind) {
        case JOB_OPEN:
                reply.type = WIRE_OPENED;
                r = lease_open(context, &request->open, &reply.lease, fds, &n_fds, &refusal);
                break;
        case JOB_CLOSE:
                r = lease_close(context, request->lease, &refusal);
                break;
        case JOB_STATISTICS:
                reply.type = WIRE_STATISTICS;
                r = lease_statistics(context, request->lease, reply.statistics, &refusal);
                break;
        case JOB_HOST_UP:
                r = host_leg_up(&request->host, &refusal);
                break;
        case JOB_HOST_DOWN:
                r = host_leg_down(&request->host, &refusal);
                break;
        default:
                r = -EINVAL;
                break;
        }
        if (r != 0)
                set_refusal(&reply, r, &refusal);
        r = send_reply(fd, &reply, fds, n_fds);
        if (r == 0)
                r = report_send(context->report_fd, REPORT_ANSWERED, NULL, 0);
        return r;
}

static int do_own(const LeaseContext *context, JobKind kind) {
        _cleanup_netlink_ Netlink netlink = {};
        Refusal refusal = {};
        int r;

        if (kind == JOB_PROBE) {
                r = probe_run(context);
        } else if (kind == JOB_SCAN) {
                r = lease_scan(context, &refusal);
        } else {
                r = netlink_open(&netlink, NETLINK_ROUTE);
                if (r == 0)
                        r = host_leg_sweep(&netlink, &refusal);
                if (r == 0)
                        r = parent_sweep(&netlink, context->registry, &refusal);
        }
        if (r > 0)
                log_warning("%s", refusal.text);
        return r;
}

/* Of the daemon's descriptors the worker keeps stdio and its own: each of the n that is there (not -1), from 3 up. */
static int keep_only(int *const keep[], size_t n) {
        int next = 3;

        /* Out of the way first: what is kept may stand where another is going to. */
        for (size_t i = 0; i < n; i++) {
                if (*keep[i] >= 0) {
                        *keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, 3 + (int)n);
                        if (*keep[i] < 0)
                                return -errno;
                }
        }
        for (size_t i = 0; i < n; i++) {
                if (*keep[i] >= 0) {
                        *keep[i] = dup3(*keep[i], next, O_CLOEXEC);
                        if (*keep[i] < 0)
                                return -errno;
                        next++;
                }
        }
        return close_range((unsigned)next, UINT_MAX, 0) < 0 ? -errno : 0;
}

static _Noreturn void run(const Server *server, JobKind kind, int connection_fd, int report_fd,
                          const Child *spare, const WireRequest *request, pid_t parent) {
        LeaseContext context = server->context;
        int *const keep[] = {&connection_fd, &report_fd, &context.spare.socket_fd};
        sigset_t none;
        int r;

        context.spare = *spare;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        r = privilege_die_with(parent);
        if (r == 0)
                r = keep_only(keep, ARRAY_SIZE(keep));
        if (r == 0) {
                context.report_fd = report_fd;
                r = request ? do_request(&context, kind, request, connection_fd)
                            : do_own(&context, kind);
        }
        if (r < 0)
                log_warning("worker: %s", strerror(-r));
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* May the job be about to stand on a shared VLAN interface? */
static bool is_open(JobKind kind) {
        return kind == JOB_OPEN || kind == JOB_HOST_UP;
}

/* --- in the daemon's loop ------------------------------------------------------------------------------------------------------ */

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
        free(worker);
}

static void take_lease(Server *server, const Report *report) {
        int r = registry_put(&server->registry, &report->lease, report->value);
        const RegistryEntry *entry = registry_find(&server->registry, report->lease.id);

        if (r < 0) {
                log_error("no memory for lease %u; looking again", report->lease.id);
                server->scan_wanted = true;
        }
        if (r <= 0 || !entry)
                return;
        if (!entry->lease.gone)
                server_publish_lease(server, &entry->lease);
        else if (r == 2)
                server_publish_end(server, &entry->lease,
                                   report->type == REPORT_CLOSED ? WIRE_END_CLOSED : WIRE_END_LINK_GONE);
}

static void end_scan(Server *server) {
        WireLease lost;

        while (registry_next_lost(&server->registry, &lost))
                server_publish_end(server, &lost, lost.gone ? WIRE_END_NAMESPACE : WIRE_END_LAST_FD);
        server->scanned = true;
        server->sweep_wanted = true;
}

static void take_report(Worker *worker, const Report *report) {
        Server *server = worker->server;

        switch (report->type) {
        case REPORT_LEASE:
        case REPORT_CLOSED:
                take_lease(server, report);
                break;
        case REPORT_ANSWERED:
                worker->answered = true;
                break;
        case REPORT_SCANNED:
                end_scan(server);
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
        if (worker->report_fd < 0 && worker->pid == 0)
                forget(worker);
        server_settle(server);
        return 0;
}

static void note_exit(Worker *worker) {
        Server *server = worker->server;

        worker->pid = 0;
        worker->exit_source = sd_event_source_disable_unref(worker->exit_source);
        server->n_workers--;
        if (worker->kind == JOB_HOST_UP || worker->kind == JOB_HOST_DOWN)
                server->sweep_wanted = true;
        server->n_opens -= is_open(worker->kind);
        if (worker->kind == JOB_OPEN) {
                /* It may have made a shared VLAN interface for nothing. */
                if (!worker->answered)
                        server->sweep_wanted = true;
        }
        if (worker->kind == JOB_SWEEP)
                server->sweeping = false;
        if (worker->kind == JOB_SCAN && server->registry.scanning) {
                server->registry.scanning = false;
                server_scan_later(server);
        }
        if (worker->kind == JOB_PROBE && !server->probed) {
                log_warning("the kernel could not be probed; assuming the worst");
                server->context.features = WIRE_FEATURE_CHECKSUM_TRICK;
                server->probed = true;
        }
        if (worker->serial != 0 && !worker->answered &&
            server_has_connection(server, worker->connection))
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

        r = sd_event_add_io(event, &worker->report_source, worker->report_fd, EPOLLIN, on_report, worker);
        /* Before the kernel's RTM_DELNSID of the same moment: a lease is known before its end is heard. */
        if (r >= 0)
                r = sd_event_source_set_priority(worker->report_source, SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_add_child(event, &worker->exit_source, worker->pid, WEXITED, on_exit_, worker);
        return r < 0 ? r : 0;
}

int worker_start(Server *server, JobKind kind, Connection *connection, const WireRequest *request) {
        _cleanup_close_ int ours = -1, theirs = -1;
        pid_t parent = getpid(), pid;
        Child spare = {.socket_fd = -1};
        Worker *worker;
        int pair[2], r;

        worker = calloc(1, sizeof(*worker));
        if (!worker)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                r = -errno;
                free(worker);
                return r;
        }
        ours = pair[0];
        theirs = pair[1];
        if (kind == JOB_OPEN)
                spare = spare_take(server);
        pid = fork();
        if (pid == 0)
                run(server, kind, connection ? connection->fd : -1, theirs, &spare, request, parent);
        r = pid < 0 ? -errno : 0;
        safe_close(spare.socket_fd);
        if (r < 0) {
                free(worker);
                return r;
        }
        *worker = (Worker){
                .server = server,
                .next = server->workers,
                .kind = kind,
                .pid = pid,
                .report_fd = TAKE_FD(ours),
                .connection = connection,
                .serial = request ? request->serial : 0,
        };
        server->workers = worker;
        server->n_workers++;
        server->n_opens += is_open(kind);
        r = watch(worker);
        if (r < 0) {
                /* Unwatched it would never be reaped: it ends now. */
                kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                server->n_workers--;
                server->n_opens -= is_open(kind);
                forget(worker);
        }
        return r;
}
