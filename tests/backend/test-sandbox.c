/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a back end that was taken over can still call: everything else is its end. Each call in a process of its own.
 */

#include <fcntl.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "backend/sandbox.h"
#include "tests/unit/test.h"

#define NOT_ENTERED 99
#define FAILED 98

typedef struct Call {
        const char *name;
        long number;
        long a[4];
} Call;

/* By the call alone: before a function that does not return, AddressSanitizer makes calls of its own. */
static void end(long status) {
        syscall(SYS_exit_group, status);
}

/* How a process ends that enters and then makes these calls: a wait status. */
static int end_of(bool connects, const Call *calls, size_t n) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                Refusal refusal = {};

                if (sandbox_enter(connects, &refusal) != 0)
                        end(NOT_ENTERED);
                for (size_t i = 0; i < n; i++)
                        if (syscall(calls[i].number, calls[i].a[0], calls[i].a[1], calls[i].a[2], calls[i].a[3], -1, 0) < 0)
                                end(FAILED);
                end(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

static void assert_fatal(bool connects, const Call *call) {
        int status = end_of(connects, call, 1);

        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
                fail_msg("%s did not end it: status %#x", call->name, (unsigned)status);
}

#define TEXT(t) ((long)(uintptr_t)(t))

static void test_forbidden(_unused_ void **state) {
        static const char *const none[] = {NULL};
        const Call calls[] = {
                {"openat", SYS_openat, {AT_FDCWD, TEXT("/dev/null"), O_RDONLY}},
                {"execve", SYS_execve, {TEXT("/bin/true"), TEXT(none), TEXT(none)}},
                {"clone", SYS_clone, {SIGCHLD}},
                {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_STREAM}},
                {"socket(AF_PACKET)", SYS_socket, {AF_PACKET, SOCK_RAW}},
                {"connect", SYS_connect, {0, 0, 0}},
                {"bind", SYS_bind, {0, 0, 0}},
                {"sendto", SYS_sendto, {0, 0, 0}},
                {"ioctl", SYS_ioctl, {0, 0, 0}},
                {"setsockopt(SOL_SOCKET)", SYS_setsockopt, {0, SOL_SOCKET, SO_DETACH_FILTER}},
                {"fcntl(F_DUPFD)", SYS_fcntl, {0, F_DUPFD, 0}},
                {"mmap(PROT_EXEC)", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
                {"mprotect", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}},
                {"ptrace", SYS_ptrace, {0, 1}},
                {"kill", SYS_kill, {1, 0}},
                {"setns", SYS_setns, {0, 0}},
                {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
                {"unlinkat", SYS_unlinkat, {AT_FDCWD, TEXT("/nowhere"), 0}},
        };

        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
                assert_fatal(false, &calls[i]);
}

/* One that connects to its front end may make sockets for that, and no others. */
static void test_connecting(_unused_ void **state) {
        const Call unix_socket = {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_STREAM}};
        const Call others[] = {
                {"socket(AF_PACKET)", SYS_socket, {AF_PACKET, SOCK_RAW}},
                {"socket(AF_INET)", SYS_socket, {AF_INET, SOCK_STREAM}},
                {"socket(AF_NETLINK)", SYS_socket, {AF_NETLINK, SOCK_RAW}},
                {"openat", SYS_openat, {AT_FDCWD, TEXT("/dev/null"), O_RDONLY}},
        };

        assert_int_equal(end_of(true, &unix_socket, 1), 0);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                assert_fatal(true, &others[i]);
}

/* The other way round: calls of the loop are none of its business. */
static void test_allowed(_unused_ void **state) {
        struct timespec now;
        const Call calls[] = {
                {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, TEXT(&now)}},
                {"write", SYS_write, {STDERR_FILENO, TEXT(""), 0}},
                {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
        };

        assert_int_equal(end_of(false, calls, ARRAY_SIZE(calls)), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_forbidden),
                cmocka_unit_test(test_connecting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
