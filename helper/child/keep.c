/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/keep.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/fd-pass.h"
#include "helper/privilege.h"

/* The only descriptor that is left. */
#define LINKS_FD 0

/* A message longer than this is cut off (netlink(7)); what is looked at is at its beginning. */
#define MESSAGE_SIZE 512u

/* A multiple of every page size; more than a child has ever used. */
#define STACK_USED_MAX (1024u * 1024u)

typedef struct Question {
        struct nlmsghdr header;
        struct ifinfomsg link;
} Question;

/* Links that go, and the answer that a link is not there. Nothing else wakes this process, such as
 * the other end's going up and down. The kernel runs the filter on what it sends to the socket, too
 * (net/netlink/af_netlink.c, netlink_unicast()). */
static int lock_filter(int fd) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 1, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NLMSG_ERROR), 0, 1),
                BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

        return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
                                                                                           : 0;
}

static int listen_for_links(int *ret) {
        const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        int r;

        if (fd < 0)
                return -errno;
        r = lock_filter(fd);
        if (r < 0)
                return r;
        if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

/* The kernel answers only where the link is not there: the filter drops what else it says. */
static int ask(uint32_t index) {
        const Question question = {
                .header = {.nlmsg_len = sizeof(question),
                           .nlmsg_type = RTM_GETLINK,
                           .nlmsg_flags = NLM_F_REQUEST,
                           .nlmsg_seq = index},
                .link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
        };

        return write(LINKS_FD, &question, sizeof(question)) < 0 ? -errno : 0;
}

static int ask_both(const Guard *guard) {
        int r = ask(guard->port.index);

        return r < 0 ? r : ask(guard->uplink.index);
}

/* Is the message, of n bytes, the answer that a link is not there? */
static bool is_end(const void *message, size_t n) {
        const struct nlmsghdr *m = message;
        const struct nlmsgerr *error = NLMSG_DATA(m);

        return n >= NLMSG_LENGTH(sizeof(error->error)) && m->nlmsg_type == NLMSG_ERROR &&
               error->error == -ENODEV;
}

/* Returns when the lease is over. A link has gone, or messages were lost (ENOBUFS): so the kernel is
 * asked. It gives no answer while the socket is full, so it is asked again after each message that
 * was waiting there. */
static void wait_for_end(const Guard *guard) {
        _Alignas(struct nlmsghdr) char message[MESSAGE_SIZE];

        for (;;) {
                ssize_t n = read(LINKS_FD, message, sizeof(message));

                if (n > 0 && is_end(message, (size_t)n))
                        return;
                if (n < 0 && errno != EINTR && errno != ENOBUFS)
                        return;
                if (ask_both(guard) < 0)
                        return;
        }
}

/* No architecture is compared: a system call of another one does other things, and none that needs
 * more than this process has. */
static int allow_few_calls(void) {
#define ALLOW(call)                                                                                \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),                                         \
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                ALLOW(SYS_read),
                ALLOW(SYS_write),
                ALLOW(SYS_exit_group),
                ALLOW(SYS_restart_syscall),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        };
#undef ALLOW
        const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        return 0;
}

/* Of its memory, what building the port has used: there may be thousands of these processes. Below
 * this frame and one page nothing of the stack is in use. */
static void drop_memory(void) {
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        const uintptr_t end = (uintptr_t)__builtin_frame_address(0) / page * page - page;

        (void)malloc_trim(0);
        /* ENOMEM: the stack is shorter, and the kernel has done its part of it (madvise(2)). */
        (void)madvise((void *)(end - STACK_USED_MAX), STACK_USED_MAX, MADV_DONTNEED);
}

/* links_fd becomes LINKS_FD. */
static int drop_all(int links_fd, Netlink *netlink, GuardProgram *program) {
        guard_program_forget(program);
        netlink_close(netlink);
        drop_memory();
        if (dup2(links_fd, LINKS_FD) < 0 || close_range(LINKS_FD + 1, UINT_MAX, 0) < 0)
                return -errno;
        return privilege_drop_all();
}

_Noreturn void keep_run(const Guard *guard, Netlink *netlink, GuardProgram *program, int socket_fd,
                        const ChildMessage *message) {
        ChildStep step = 0;
        int links_fd = -1, fds[RAWNET_FDS_MAX], r;
        size_t n_fds = 0;
        ssize_t n;

        r = listen_for_links(&links_fd);
        /* From here on the socket's end says that the worker is gone. */
        if (r == 0 && (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0 ||
                       prctl(PR_SET_NAME, "rawnet-keep", 0, 0, 0) < 0))
                r = -errno;
        if (r == 0)
                r = fd_pass_send(socket_fd, message, sizeof(*message), NULL, 0, 0);
        if (r < 0)
                _exit(EXIT_FAILURE);
        n = fd_pass_receive(socket_fd, &step, sizeof(step), fds, &n_fds, 0);
        if (n != sizeof(step) || step != CHILD_KEEP)
                _exit(EXIT_FAILURE);
        r = drop_all(links_fd, netlink, program);
        if (r == 0)
                r = allow_few_calls();
        /* One of them may have gone before the socket was there. */
        if (r == 0)
                r = ask_both(guard);
        if (r == 0)
                wait_for_end(guard);
        _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
