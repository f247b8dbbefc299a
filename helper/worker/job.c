/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/job.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/worker/host/host-interface.h"
#include "helper/worker/close.h"
#include "helper/worker/check/judge.h"
#include "helper/worker/open.h"
#include "helper/worker/probe.h"
#include "helper/worker/scan.h"
#include "helper/worker/statistics.h"
#include "helper/worker/host/sweep.h"

/* If rawnetd does not read its socket for this long, the worker ends, and with its descriptors the
 * lease. */
#define JOB_SEND_TIMEOUT_MSEC 10000

/* A worker that cannot report fails, and so does its request. If it cannot because the daemon has
 * ended, no refusal is sent: the kernel is about to end the worker (privilege_die_with()), and
 * rawnetd asks the next helper. -EOWNERDEAD then. */
static int send_reply(const JobContext *job, int fd, const IpcReply *reply, const int *fds,
                      size_t n_fds) {
        if ((reply->type == IPC_REFUSED || reply->type == IPC_FINDING) &&
            report_is_unheard(job->report_fd))
                return -EOWNERDEAD;
        for (;;) {
                struct pollfd p = {fd, POLLOUT, 0};
                int r = fd_pass_send(fd, reply, sizeof(*reply), fds, n_fds, MSG_DONTWAIT);

                if (r != -EAGAIN)
                        return r;
                r = poll(&p, 1, JOB_SEND_TIMEOUT_MSEC);
                if (r == 0)
                        return -ETIMEDOUT;
                if (r < 0 && errno != EINTR)
                        return -errno;
        }
}

/* Sends each finding as a message. The final reply is sent by the caller. */
static int do_check(const JobContext *job, const JobOrder *order, int fd, Refusal *ret_refusal) {
        _cleanup_free_ Findings *findings = calloc(1, sizeof(*findings));
        int r;

        if (!findings)
                return -ENOMEM;
        r = judge_network(job, order->features, &order->request.check, findings, ret_refusal);
        for (size_t i = 0; r == 0 && i < findings->n; i++) {
                IpcReply reply = ipc_reply(order->request.serial, IPC_FINDING);

                reply.finding = findings->list[i];
                r = send_reply(job, fd, &reply, NULL, 0);
        }
        return r;
}

/* spare: as OpenContext.spare. */
static int do_request(const WorkerContext *context, JobKind kind, const JobOrder *order, int fd,
                      int namespace_fd, Child spare) {
        const IpcRequest *request = &order->request;
        const JobContext *job = &context->job;
        const OpenContext open = {order->features, order->n_leases, context->ids, spare,
                                  namespace_fd};
        IpcReply reply = ipc_reply(request->serial, IPC_DONE);
        int fds[RAWNET_FDS_MAX], r;
        Child keeper = {.socket_fd = -1};
        Refusal refusal = {};
        size_t n_fds = 0;

        switch (kind) {
        case JOB_OPEN:
                reply.type = IPC_OPENED;
                r = lease_open(job, &open, &request->open, &reply.lease, fds, &n_fds, &keeper,
                               &refusal);
                break;
        case JOB_CLOSE:
                r = lease_close(job, request->lease, &refusal);
                break;
        case JOB_STATISTICS:
                reply.type = IPC_STATISTICS;
                r = lease_statistics(job, request->lease, &reply.statistics, &refusal);
                break;
        case JOB_CHECK:
                r = do_check(job, order, fd, &refusal);
                break;
        case JOB_HOST_UP:
                r = host_interface_up(job, &request->host, &refusal);
                break;
        case JOB_HOST_DOWN:
                r = host_interface_down(job, &request->host, &refusal);
                break;
        default:
                r = -EINVAL;
                break;
        }
        /* A fatal error is told to the caller, too: it names what a person can look at. */
        if (r < 0)
                r = refuse_errno(&refusal, r, "rawnet-helper could not do it");
        if (r > 0)
                reply = ipc_reply_refused(request->serial, &refusal);
        r = send_reply(job, fd, &reply, fds, n_fds);
        /* Not before rawnetd has the lease: one that nobody knows would live on. */
        if (r == 0 && keeper.socket_fd >= 0)
                r = child_keep(&keeper);
        if (r == 0)
                r = report_send(job->report_fd, (Report){REPORT_ANSWERED});
        return r;
}

static int do_own(const WorkerContext *context, JobKind kind) {
        Refusal refusal = {};
        int r;

        switch (kind) {
        case JOB_PROBE:
                r = probe_run(&context->job, &context->probe);
                break;
        case JOB_SCAN:
                r = scan_leases(&context->job, &refusal);
                break;
        case JOB_LEARNING:
                r = scan_learning(&context->job, &refusal);
                break;
        case JOB_SWEEP:
                r = sweep_run(&context->job, &context->sweep, &refusal);
                break;
        default:
                r = -EINVAL;
                break;
        }
        if (r > 0)
                log_warning("%s", refusal.text);
        return r;
}

/* Closes the daemon's descriptors but stdio and *keep[0] to *keep[n - 1], those of them that are
 * not -1, which get new numbers from 3 up. */
static int keep_only(int *const keep[], size_t n) {
        int next = 3;

        /* Out of the way first: one may have the number that another gets. */
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

static int receive_order(int order_fd, JobOrder *ret, int *ret_connection_fd,
                         int *ret_namespace_fd) {
        int fds[RAWNET_FDS_MAX];
        size_t n_fds;
        ssize_t n;

        n = fd_pass_receive(order_fd, ret, sizeof(*ret), fds, &n_fds, 0);
        if (n < 0)
                return (int)n;
        /* The daemon ended. */
        if (n == 0)
                _exit(EXIT_SUCCESS);
        if (n != sizeof(*ret) || n_fds < 1 || n_fds > 2) {
                fd_pass_close_all(fds, n_fds);
                return -EBADMSG;
        }
        *ret_connection_fd = fds[0];
        *ret_namespace_fd = n_fds > 1 ? fds[1] : -1;
        return 0;
}

/* The child first: it makes its namespace while the worker waits for the order. */
static int do_ahead(const WorkerContext *context, int order_fd) {
        int connection_fd = -1, namespace_fd = -1, r;
        JobOrder order;
        Child spare;

        r = child_start(&context->job.privilege, &spare);
        if (r == 0)
                r = receive_order(order_fd, &order, &connection_fd, &namespace_fd);
        if (r < 0)
                return r;
        child_drop_if_gone(&spare);
        return do_request(context, JOB_OPEN, &order, connection_fd, namespace_fd, spare);
}

/* An open looks at no other lease. Its child may live as long as its own one (helper/child/keep.h),
 * and must not hold a copy of all that the daemon knew at the fork. */
static void drop_registry(JobContext *job) {
        Registry copy = job->registry ? *job->registry : (Registry){};

        registry_free(&copy);
        job->registry = NULL;
}

_Noreturn void job_run(const WorkerContext *of_daemon, const Job *job, pid_t parent) {
        int connection_fd = job->connection_fd, order_fd = job->order_fd,
            namespace_fd = job->namespace_fd, r;
        WorkerContext context = *of_daemon;
        int *keep[5 + GUARD_HANDLES] = {&connection_fd, &context.job.report_fd, &order_fd,
                                        &context.job.owner_fd, &namespace_fd};
        _cleanup_netlink_ Netlink netlink = {};
        sigset_t none;

        context.job.report_fd = job->report_fd;
        context.job.netlink = &netlink;
        if (job->kind == JOB_OPEN)
                drop_registry(&context.job);
        context.job.guard.entries = NULL;
        for (size_t i = 0; i < GUARD_HANDLES; i++)
                keep[5 + i] = &context.job.guard.fd[i];
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        r = privilege_die_with(parent);
        if (r == 0)
                r = keep_only(keep, ARRAY_SIZE(keep));
        if (r == 0)
                r = netlink_open(&netlink, NETLINK_ROUTE);
        if (r == 0) {
                if (order_fd >= 0)
                        r = do_ahead(&context, order_fd);
                else if (job->order)
                        r = do_request(&context, job->kind, job->order, connection_fd, namespace_fd,
                                       (Child){.socket_fd = -1});
                else
                        r = do_own(&context, job->kind);
        }
        if (r < 0)
                log_warning("worker: %s", strerror(-r));
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
