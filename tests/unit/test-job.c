/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a worker answers. It is a process of its own here, too, and what it does is the test's. */

#include "helper/worker/job.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/fd-pass.h"
#include "helper/worker/close.h"
#include "test.h"

#define SERIAL 7

/* What comes of the worker's close, after a report on it. */
static int outcome;

int __wrap_privilege_die_with(pid_t parent);
int __wrap_privilege_die_with(pid_t parent) {
        return 0;
}

int __wrap_lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal);
int __wrap_lease_close(const JobContext *job, uint32_t id, Refusal *ret_refusal) {
        int r = report_send(job->report_fd, (Report){REPORT_CLOSED});

        if (r == 0 && outcome > 0)
                return refuse(ret_refusal, (RawnetError)outcome, "no");
        return r;
}

/* Runs a worker. Returns the type of its answer, or 0 where it ends without. */
static uint32_t answer(bool daemon_ended) {
        int connection[2], report[2], status;
        WorkerContext context = {.job.owner_fd = -1};
        JobOrder order = {.request = {.serial = SERIAL, .operation = IPC_CLOSE}};
        IpcReply reply = {};
        ssize_t n;
        pid_t pid;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, connection), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report), 0);
        if (daemon_ended)
                report[0] = safe_close(report[0]);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                const Job job = {.kind = JOB_CLOSE,
                                 .order = &order,
                                 .connection_fd = connection[1],
                                 .report_fd = report[1],
                                 .order_fd = -1};

                job_run(&context, &job, getppid());
        }
        safe_close(connection[1]);
        safe_close(report[1]);
        n = recv(connection[0], &reply, sizeof(reply), 0);
        assert_true(n == 0 || n == sizeof(reply));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        safe_close(connection[0]);
        safe_close(report[0]);
        if (n == 0)
                return 0;
        assert_int_equal(reply.serial, SERIAL);
        return reply.type;
}

static void test_answers(void **state) {
        outcome = 0;
        assert_int_equal(answer(false), IPC_DONE);
        outcome = RAWNET_NO_SUCH_LEASE;
        assert_int_equal(answer(false), IPC_REFUSED);
}

/* The worker's report fails. A refusal would blame the kernel for the end of the daemon. */
static void test_no_refusal_after_the_daemon(void **state) {
        outcome = 0;
        assert_int_equal(answer(true), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_no_refusal_after_the_daemon),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
