/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a back end that was taken over can still call: everything else is its end. Each call in a
 * process of its own.
 */

#include <fcntl.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
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

/* By the call alone: before a function that does not return, AddressSanitizer makes calls of its
 * own. */
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

                if (peer_event_init(&refusal) != 0 ||
                    sandbox_enter(peer_event_directory(), &refusal) != 0)
                        end(NOT_ENTERED);
                for (size_t i = 0; i < n; i++)
                        if (syscall(calls[i].number, calls[i].a[0], calls[i].a[1], calls[i].a[2],
                                    calls[i].a[3], -1, 0) < 0)
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
#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2
#else
#define MAP_CALL SYS_mmap
#endif

static void test_forbidden(_unused_ void **state) {
        static const char *const none[] = {NULL};
        /* As i386's mmap() takes its arguments. */
        _unused_ const long in_memory[] = {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
        const Call calls[] = {
                {"openat", SYS_openat, {AT_FDCWD, TEXT("/dev/null"), O_RDONLY}},
                {"execve", SYS_execve, {TEXT("/bin/true"), TEXT(none), TEXT(none)}},
                {"clone", SYS_clone, {SIGCHLD}},
#ifdef SYS_socketcall
                {"socketcall(SYS_SOCKET)",
                 SYS_socketcall,
                 {1, TEXT(((long[]){AF_UNIX, SOCK_STREAM, 0}))}},
                {"socketcall(SYS_CONNECT)", SYS_socketcall, {3, TEXT(((long[]){0, 0, 0}))}},
#endif
                {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_STREAM}},
                {"socket(AF_INET)", SYS_socket, {AF_INET, SOCK_STREAM}},
                {"socket(AF_NETLINK)", SYS_socket, {AF_NETLINK, SOCK_RAW}},
                {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, TEXT(&(int[2]){0})}},
                {"readlinkat(elsewhere)",
                 SYS_readlinkat,
                 {AT_FDCWD, TEXT("/proc/self/exe"), TEXT(&(char[8]){0}), 8}},
                {"socket(AF_PACKET)", SYS_socket, {AF_PACKET, SOCK_RAW}},
                {"connect", SYS_connect, {0, 0, 0}},
                {"bind", SYS_bind, {0, 0, 0}},
                {"sendto", SYS_sendto, {0, 0, 0}},
                {"ioctl", SYS_ioctl, {0, 0, 0}},
                {"setsockopt(SOL_SOCKET)", SYS_setsockopt, {0, SOL_SOCKET, SO_DETACH_FILTER}},
                {"fcntl(F_DUPFD)", SYS_fcntl, {0, F_DUPFD, 0}},
                {"mmap(PROT_EXEC)",
                 MAP_CALL,
                 {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
#if defined(SYS_mmap) && defined(SYS_mmap2)
                {"mmap(PROT_EXEC in memory)", SYS_mmap, {TEXT(in_memory)}},
#endif
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

        end(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0
                    ? 0
                    : FAILED);
}

/* A socket like the system bus's, which everybody may connect to: out of reach, whatever the way to
 * the front end. */
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

/* The C library's functions, whatever calls they make on this processor: 32-bit ones have several
 * for one function. */
static int sockets[2], events, polls;

#define FUNCTION(name, expression)                                                                 \
        static bool call_##name(void) {                                                            \
                return (expression);                                                               \
        }

FUNCTION(clock, clock_gettime(CLOCK_MONOTONIC, &(struct timespec){0}) == 0)
FUNCTION(sleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 1000}, NULL) == 0)
FUNCTION(timer, setitimer(ITIMER_REAL, &(struct itimerval){}, NULL) == 0)
FUNCTION(wait, epoll_wait(polls, &(struct epoll_event){}, 1, 0) == 1)
FUNCTION(watch, epoll_ctl(polls, EPOLL_CTL_DEL, events, NULL) == 0)
FUNCTION(signal, eventfd_write(events, 1) == 0)
FUNCTION(look, fcntl(events, F_GETFL) >= 0 && fcntl(events, F_SETFL, O_NONBLOCK) == 0)
FUNCTION(stat, fstat(events, &(struct stat){}) == 0)
FUNCTION(print, fprintf(stderr, "%s", "") == 0 && fflush(stderr) == 0)
FUNCTION(name, getsockname(sockets[0], (struct sockaddr *)&(struct sockaddr_un){},
                           &(socklen_t){sizeof(struct sockaddr_un)}) == 0)
FUNCTION(peer, getsockopt(sockets[0], SOL_SOCKET, SO_PEERCRED, &(struct ucred){},
                          &(socklen_t){sizeof(struct ucred)}) == 0)
FUNCTION(header, syscall(SYS_setsockopt, sockets[0], SOL_PACKET, PACKET_VNET_HDR, &(int){1},
                         sizeof(int)) < 0 &&
                         errno == EOPNOTSUPP)
FUNCTION(filter, setsockopt(sockets[0], SOL_SOCKET, SO_DETACH_FILTER, &(int){1}, sizeof(int)) <= 0)
FUNCTION(accept, accept4(sockets[0], NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EINVAL)
FUNCTION(connect, connect(sockets[0],
                          (struct sockaddr *)&(struct sockaddr_un){.sun_family = AF_UNIX}, 2) <= 0)
FUNCTION(new_socket, socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
FUNCTION(new_file, open("/dev/null", O_RDONLY) >= 0)
FUNCTION(dup, fcntl(events, F_DUPFD, 0) >= 0)
FUNCTION(memory, (free(malloc(8 * 1024 * 1024)), true))
FUNCTION(executable,
         mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)

static bool call_transfer(void) {
        char byte = 'x';
        struct iovec piece = {&byte, 1};
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};

        return sendmmsg(sockets[0], &message, 1, MSG_DONTWAIT) == 1 &&
               recvmmsg(sockets[1], &message, 1, MSG_DONTWAIT, NULL) == 1 &&
               sendmsg(sockets[0], &message.msg_hdr, MSG_DONTWAIT) == 1 &&
               recvmsg(sockets[1], &message.msg_hdr, MSG_DONTWAIT) == 1 &&
               sendmsg(sockets[0], &message.msg_hdr, MSG_DONTWAIT) == 1 &&
               recv(sockets[1], &byte, 1, MSG_DONTWAIT) == 1;
}

static void on_tick(int number) {
}

/* A handler returns by a call of its own. */
static bool call_handler(void) {
        /* More than one, since the first may come too early. */
        const struct itimerval soon = {.it_value = {.tv_usec = 1000},
                                       .it_interval = {.tv_usec = 1000}};
        const struct timespec long_time = {.tv_sec = 60};

        return setitimer(ITIMER_REAL, &soon, NULL) == 0 &&
               clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL) == EINTR;
}

static bool call_peer_event(void) {
        return peer_event_check(events, "call", 0, NULL) == 0;
}

static void test_functions(_unused_ void **state) {
        static const struct {
                const char *name;
                bool (*call)(void);
                bool fatal;
        } functions[] = {
                {"clock_gettime", call_clock, false},
                {"clock_nanosleep", call_sleep, false},
                {"setitimer", call_timer, false},
                {"epoll_wait", call_wait, false},
                {"epoll_ctl", call_watch, false},
                {"eventfd_write", call_signal, false},
                {"fcntl", call_look, false},
                {"fstat", call_stat, false},
                {"fprintf", call_print, false},
                {"getsockname", call_name, false},
                {"getsockopt", call_peer, false},
                {"setsockopt(SOL_PACKET)", call_header, false},
                {"accept4", call_accept, false},
                {"malloc", call_memory, false},
                {"sendmmsg and others", call_transfer, false},
                {"a signal handler", call_handler, false},
                {"peer_event_check", call_peer_event, false},
                {"setsockopt(SOL_SOCKET)", call_filter, true},
                {"connect", call_connect, true},
                {"socket", call_new_socket, true},
                {"open", call_new_file, true},
                {"fcntl(F_DUPFD)", call_dup, true},
                {"mmap(PROT_EXEC)", call_executable, true},
        };
        const struct sigaction action = {.sa_handler = on_tick};

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
        events = eventfd(1, EFD_CLOEXEC);
        polls = epoll_create1(EPOLL_CLOEXEC);
        assert_int_equal(
                epoll_ctl(polls, EPOLL_CTL_ADD, events, &(struct epoll_event){.events = EPOLLIN}),
                0);
        for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
                pid_t child = fork();
                int status;

                assert_true(child >= 0);
                if (child == 0) {
                        Refusal refusal = {};

                        if (peer_event_init(&refusal) != 0 ||
                            sigaction(SIGALRM, &action, NULL) < 0 ||
                            sandbox_enter(peer_event_directory(), &refusal) != 0)
                                end(NOT_ENTERED);
                        end(functions[i].call() ? 0 : FAILED);
                }
                assert_int_equal(waitpid(child, &status, 0), child);
                if (functions[i].fatal ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS
                                       : status != 0)
                        fail_msg("%s: status %#x", functions[i].name, (unsigned)status);
        }
        close(sockets[0]);
        close(sockets[1]);
        close(events);
        close(polls);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_functions),
                cmocka_unit_test(test_forbidden),
                cmocka_unit_test(test_system_bus),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
