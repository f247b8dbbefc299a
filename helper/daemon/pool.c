/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/pool.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/fd-pass.h"
#include "common/log.h"

unsigned pool_count(const Pool *pool, JobKind kind) {
        unsigned n = 0;

        for (const Worker *w = pool->workers; w; w = w->next)
                n += w->busy && w->pid > 0 && w->kind == kind;
        return n;
}

bool pool_opening_vlans(const Pool *pool, uint64_t ret[static SWEEP_VLAN_WORDS]) {
        bool any = false;

        memset(ret, 0, SWEEP_VLAN_WORDS * sizeof(*ret));
        for (const Worker *w = pool->workers; w; w = w->next) {
                if (!w->busy || w->pid == 0 || w->vlan == 0)
                        continue;
                ret[w->vlan / 64] |= UINT64_C(1) << w->vlan % 64;
                any = true;
        }
        return any;
}

static void forget(Worker *worker) {
        Pool *pool = worker->pool;

        for (Worker **w = &pool->workers; *w; w = &(*w)->next) {
                if (*w == worker) {
                        *w = worker->next;
                        break;
                }
        }
        sd_event_source_disable_unref(worker->report_source);
        sd_event_source_disable_unref(worker->exit_source);
        safe_close(worker->report_fd);
        safe_close(worker->order_fd);
        if (pool->spare == worker)
                pool->spare = NULL;
        free(worker);
}

void pool_forget_connection(Pool *pool, const Connection *connection) {
        for (Worker *w = pool->workers; w; w = w->next) {
                if (w->connection == connection)
                        w->connection = NULL;
        }
}

unsigned pool_count_learning(const Pool *pool) {
        unsigned n = 0;

        for (const Worker *w = pool->workers; w; w = w->next)
                n += w->learns;
        return n;
}

bool pool_learns(const Pool *pool, uint32_t lease) {
        for (const Worker *w = pool->workers; w; w = w->next) {
                if (w->learns && w->lease == lease)
                        return true;
        }
        return false;
}

bool pool_closes(const Pool *pool, uint32_t lease) {
        for (const Worker *w = pool->workers; w; w = w->next) {
                if (w->busy && w->closes == lease)
                        return true;
        }
        return false;
}

unsigned pool_count_queues(const Pool *pool, uint32_t uid) {
        unsigned n = 0;

        for (const Worker *w = pool->workers; w; w = w->next)
                if (w->busy && w->kind == JOB_OPEN && w->pid > 0 && !w->lease && w->uid == uid)
                        n += w->queues;
        return n;
}

/* Reads all reports that are there. */
static void drain(Worker *worker) {
        Report report;
        int r;

        if (worker->report_fd < 0)
                return;
        while ((r = report_receive(worker->report_fd, &report)) > 0)
                worker->pool->events->report(worker->pool->data, worker, &report);
        if (r == -EAGAIN)
                return;
        worker->report_source = sd_event_source_disable_unref(worker->report_source);
        worker->report_fd = safe_close(worker->report_fd);
}

static int on_report(sd_event_source *source, int fd, uint32_t events, void *data) {
        Worker *worker = data;
        Pool *pool = worker->pool;

        drain(worker);
        if (worker->report_fd < 0 && worker->pid == 0) {
                bool learnt = worker->learns;

                forget(worker);
                if (learnt)
                        pool->events->learned(pool->data);
        }
        pool->events->settle(pool->data);
        return 0;
}

static int on_exit_(sd_event_source *source, const siginfo_t *si, void *data) {
        Worker *worker = data;
        Pool *pool = worker->pool;

        /* What the worker reported before it ended comes first. */
        drain(worker);
        worker->pid = 0;
        worker->exit_source = sd_event_source_disable_unref(worker->exit_source);
        if (worker->busy) {
                pool->n_workers--;
                pool->events->ended(pool->data, worker);
        }
        if (worker->report_fd < 0)
                forget(worker);
        pool->events->settle(pool->data);
        return 0;
}

static int watch(Worker *worker) {
        sd_event *event = worker->pool->event;
        int r;

        r = sd_event_add_io(event, &worker->report_source, worker->report_fd, EPOLLIN, on_report,
                            worker);
        /* Before the kernel's RTM_DELNSID of the same moment, so that the daemon knows a lease
         * before its end. */
        if (r >= 0)
                r = sd_event_source_set_priority(worker->report_source,
                                                 SD_EVENT_PRIORITY_IMPORTANT);
        if (r >= 0)
                r = sd_event_add_child(event, &worker->exit_source, worker->pid, WEXITED, on_exit_,
                                       worker);
        return r < 0 ? r : 0;
}

/* Forks a worker and watches it. */
static int start(Pool *pool, Job *job, int order_fd, Worker **ret) {
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
                job_run(pool->context, job, parent);
        *worker = (Worker){
                .pool = pool,
                .next = pool->workers,
                .kind = job->kind,
                .pid = pid,
                .report_fd = TAKE_FD(ours),
                .order_fd = order_fd,
        };
        pool->workers = worker;
        r = watch(worker);
        if (r < 0) {
                /* Nobody would reap this worker: it ends now. */
                kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                worker->order_fd = -1;
                forget(TAKE_PTR(worker));
                return r;
        }
        *ret = TAKE_PTR(worker);
        return 0;
}

static int start_ahead(Pool *pool, Worker **ret) {
        _cleanup_close_ int ours = -1, theirs = -1;
        Job job = {.kind = JOB_OPEN, .connection_fd = -1, .namespace_fd = -1};
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        theirs = job.order_fd = pair[1];
        r = start(pool, &job, ours, ret);
        if (r == 0)
                (void)TAKE_FD(ours);
        return r;
}

/* False: the worker has just died. */
static bool give_order(Worker *worker, const Connection *connection, const JobOrder *order,
                       int namespace_fd) {
        const int fds[] = {connection_fd(connection), namespace_fd};
        int r = fd_pass_send(worker->order_fd, order, sizeof(*order), fds,
                             namespace_fd >= 0 ? 2 : 1, MSG_DONTWAIT);

        worker->order_fd = safe_close(worker->order_fd);
        return r == 0;
}

static int start_now(Pool *pool, JobKind kind, const Connection *connection, const JobOrder *order,
                     int namespace_fd, Worker **ret) {
        Job job = {
                .kind = kind,
                .order = order,
                .connection_fd = connection ? connection_fd(connection) : -1,
                .namespace_fd = namespace_fd,
                .order_fd = -1,
        };

        return start(pool, &job, -1, ret);
}

void pool_refill(Pool *pool) {
        int r;

        if (!pool->spare_due || pool->spare || pool_count(pool, JOB_OPEN) > 0)
                return;
        pool->spare_due = false;
        r = start_ahead(pool, &pool->spare);
        if (r < 0)
                log_limited(&pool->failures, LOG_WARNING, "no worker can be made ahead: %s",
                            strerror(-r));
}

/* The spare, which is none from now on, or NULL. The next one is due. */
static Worker *take_spare(Pool *pool) {
        Worker *worker = TAKE_PTR(pool->spare);

        pool->spare_due = true;
        return worker;
}

int pool_start(Pool *pool, JobKind kind, Connection *connection, const JobOrder *order,
               int namespace_fd) {
        Worker *worker = kind == JOB_OPEN ? take_spare(pool) : NULL;
        int r;

        if (!worker || !give_order(worker, connection, order, namespace_fd)) {
                r = start_now(pool, kind, connection, order, namespace_fd, &worker);
                if (r < 0) {
                        log_limited(&pool->failures, LOG_ERR, "cannot start a worker: %s",
                                    strerror(-r));
                        return r;
                }
        }
        worker->connection = connection;
        worker->serial = order ? order->request.serial : 0;
        worker->busy = true;
        worker->learns = kind == JOB_OPEN && order->request.open.mac_mode == IPC_MAC_LEARN;
        worker->closes = kind == JOB_CLOSE ? order->request.lease : 0;
        if (kind == JOB_OPEN) {
                worker->vlan = order->request.open.vlan;
                worker->uid = order->request.open.uid;
                worker->queues = order->request.open.queues;
        }
        pool->n_workers++;
        return 0;
}
