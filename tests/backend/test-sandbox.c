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

#include "backend/connector.h"
#include "backend/peer-event.h"
#include "backend/sandbox.h"
#include "common/unix-socket.h"
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
static int end_of(const Call *calls, size_t n) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                Refusal refusal = {};

                if (peer_event_init(&refusal) != 0 || sandbox_enter(peer_event_directory(), &refusal) != 0)
                        end(NOT_ENTERED);
                for (size_t i = 0; i < n; i++)
                        if (syscall(calls[i].number, calls[i].a[0], calls[i].a[1], calls[i].a[2], calls[i].a[3], -1, 0) < 0)
                                end(FAILED);
                end(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        return status;
}

static void assert_fatal(const Call *call) {
        int status = end_of(call, 1);

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
                {"socket(AF_INET)", SYS_socket, {AF_INET, SOCK_STREAM}},
                {"socket(AF_NETLINK)", SYS_socket, {AF_NETLINK, SOCK_RAW}},
                {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, TEXT(&(int[2]){0})}},
                {"readlinkat(elsewhere)", SYS_readlinkat, {AT_FDCWD, TEXT("/proc/self/exe"), TEXT(&(char[8]){0}), 8}},
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
                assert_fatal(&calls[i]);
}

static void reach(const struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        end(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : FAILED);
}

/* A socket like the system bus's, which everybody may connect to: out of reach, whatever the way to the front end. */
static void test_system_bus(_unused_ void **state) {
        struct sockaddr_un address, front;
        _cleanup_close_ int bus = -1;
        char path[96], other[96];
        Refusal refusal = {};
        TempDir dir;

        temp_dir_make(&dir);
        snprintf(path, sizeof(path), "%s/bus", dir.path);
        snprintf(other, sizeof(other), "%s/front-end", dir.path);
        assert_int_equal(unix_address(path, &address, &refusal), 0);
        assert_int_equal(unix_address(other, &front, &refusal), 0);
        assert_int_equal(unix_listen(&address, 0666, 4, &bus, &refusal), 0);
        for (unsigned sandboxed = 0; sandboxed <= 1; sandboxed++) {
                pid_t child = fork();
                int status;

                assert_true(child >= 0);
                if (child == 0) {
                        int connector = -1;

                        if (connector_start(&front, geteuid(), &connector, &refusal) != 0 ||
                            peer_event_init(&refusal) != 0 ||
                            (sandboxed && sandbox_enter(peer_event_directory(), &refusal) != 0))
                                end(NOT_ENTERED);
                        reach(&address);
                }
                assert_int_equal(waitpid(child, &status, 0), child);
                if (sandboxed)
                        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
                else
                        assert_int_equal(status, 0);
        }
        temp_dir_remove(&dir);
}

/* The other way round: calls of the loop are none of its business. */
static void test_allowed(_unused_ void **state) {
        struct timespec now;
        /* What the child's own one will be. */
        int directory = dup(STDERR_FILENO);
        const Call calls[] = {
                {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, TEXT(&now)}},
                {"write", SYS_write, {STDERR_FILENO, TEXT(""), 0}},
                {"setitimer", SYS_setitimer, {0, 0, 0}},
                {"readlinkat", SYS_readlinkat, {directory, TEXT("2"), TEXT(&(char[8]){0}), 8}},
                {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS}},
        };

        close(directory);
        assert_int_equal(end_of(calls, ARRAY_SIZE(calls)), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_forbidden),
                cmocka_unit_test(test_system_bus),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
