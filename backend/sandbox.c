/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/sandbox.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Several times what is needed: 16 sockets, three eventfds for each of 32 rings, and those of one
 * message. */
#define DESCRIPTORS_MAX 512u

/* On processors with mmap2(), the C library calls it. mmap() is then not allowed: i386's takes its
 * arguments in memory, which a filter cannot read. */
#ifdef SYS_mmap2
#define MAP_CALL SCMP_SYS(mmap2)
#else
#define MAP_CALL SCMP_SYS(mmap)
#endif

/* Allowed with all arguments: the kernel then decides by a bitmap (kernel/seccomp.c,
 * seccomp_cache_check()), so the filter does not slow down the data path. 32-bit processors have
 * several system calls for one function of the C library. libseccomp leaves out those that this
 * processor does not have (seccomp_rule_add(3)), and handles socketcall(). */
static const int calls[] = {
        /* the loop */
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(clock_gettime64),
        SCMP_SYS(clock_nanosleep),
        SCMP_SYS(clock_nanosleep_time64),
        SCMP_SYS(setitimer),
        /* frames */
        SCMP_SYS(sendmmsg),
        SCMP_SYS(recvmmsg),
        SCMP_SYS(recvmmsg_time64),
        SCMP_SYS(recvmsg),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recv),
        SCMP_SYS(getsockname),
        /* messages, events, stderr, who the front end is */
        SCMP_SYS(sendmsg),
        SCMP_SYS(accept4),
        SCMP_SYS(getsockopt),
        SCMP_SYS(read),
        SCMP_SYS(write),
        SCMP_SYS(close),
        SCMP_SYS(fstat),
        SCMP_SYS(fstat64),
        /* memory: ours and the guest's; MAP_CALL has a rule of its own */
        SCMP_SYS(munmap),
        SCMP_SYS(brk),
        /* the end */
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sigreturn),
        SCMP_SYS(restart_syscall),
};

/* System calls that are allowed with one value of an argument only. */
typedef struct Rule {
        int call;
        struct scmp_arg_cmp argument;
} Rule;

static int add_rules(scmp_filter_ctx filter, int directory) {
        const Rule rules[] = {
                /* Never executable. */
                {MAP_CALL, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
                /* fstat() in newer C libraries. AT_EMPTY_PATH with a path does no harm: nothing can
                 * be opened. */
                {SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)},
                {SCMP_SYS(fstatat64), SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)},
                {SCMP_SYS(statx), SCMP_A2(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH)},
                /* The header's size, chosen with the guest's features. */
                {SCMP_SYS(setsockopt), SCMP_A1(SCMP_CMP_EQ, SOL_PACKET)},
                /* O_NONBLOCK for the front end's descriptors. */
                {SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL)},
                {SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFL)},
                {SCMP_SYS(fcntl64), SCMP_A1(SCMP_CMP_EQ, F_GETFL)},
                {SCMP_SYS(fcntl64), SCMP_A1(SCMP_CMP_EQ, F_SETFL)},
                /* peer_event_check(). An absolute path does no harm: it shows the text of a link
                 * and nothing more. */
                {SCMP_SYS(readlinkat), SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)directory)},
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        for (size_t i = 0; i < ARRAY_SIZE(rules) && r == 0; i++)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, 1,
                                           &rules[i].argument);
        return r;
}

static int filter_calls(int directory, Refusal *ret_refusal) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? add_rules(filter, directory) : -ENOMEM;

        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        if (r != 0)
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "the seccomp filter cannot be set: %s", strerror(-r));
        return 0;
}

static int limit(int resource, rlim_t value) {
        struct rlimit limits = {.rlim_cur = value, .rlim_max = value}, old;

        if (getrlimit(resource, &old) == 0 && old.rlim_max < value)
                return 0;
        return setrlimit(resource, &limits) < 0 ? -errno : 0;
}

int sandbox_give_up(Refusal *ret_refusal) {
        int r = limit(RLIMIT_CORE, 0);

        if (r >= 0)
                r = limit(RLIMIT_NPROC, 0);
        if (r >= 0)
                r = limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
        if (r < 0)
                return r;
        /* An ordinary user's process has no capability, but root may have started this one. */
        capng_clear(CAPNG_SELECT_CAPS);
        if (capng_apply(CAPNG_SELECT_CAPS) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return refuse_errno(ret_refusal, errno, "dropping privileges");
        return 0;
}

int sandbox_enter(int directory, Refusal *ret_refusal) {
        int r = sandbox_give_up(ret_refusal);

        return r != 0 ? r : filter_calls(directory, ret_refusal);
}
