/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/run-namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "client/interface.h"

/* What the holder reports: 0, or where it failed. */
typedef struct Report {
        int step; /* Step */
        int errnum;
} Report;

typedef enum Step {
        STEP_NONE,
        STEP_UNSHARE,
        STEP_MAP,
        STEP_SILENCE
} Step;

static int write_file(const char *path, const char *text) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        size_t size = strlen(text);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, size);
        return n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}

/* user_namespaces(7): one line, the writer's own id, and setgroups denied before the group's. */
static int write_map(const char *path, unsigned id) {
        _cleanup_free_ char *line = NULL;

        if (asprintf(&line, "0 %u 1", id) < 0) {
                line = NULL; /* undefined after an error, printf(3) */
                return -ENOMEM;
        }
        return write_file(path, line);
}

static int become_root(uid_t uid, gid_t gid) {
        int r = write_file("/proc/self/setgroups", "deny");

        if (r == 0)
                r = write_map("/proc/self/uid_map", uid);
        return r == 0 ? write_map("/proc/self/gid_map", gid) : r;
}

/* Before the first interface is there: each takes "default" over. A kernel without IPv6 has no such
 * file. arp_ignore 8 (ip-sysctl.rst): no answer for any address. */
static int silence(void) {
        int r = write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");

        if (r == 0)
                r = write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        if (r == 0 || r == -ENOENT)
                r = write_file("/proc/sys/net/ipv4/conf/all/arp_ignore", "8");
        return r;
}

static Report make(uid_t uid, gid_t gid, bool silent) {
        int r;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                return (Report){STEP_UNSHARE, errno};
        r = become_root(uid, gid);
        if (r < 0)
                return (Report){STEP_MAP, -r};
        r = silent ? silence() : 0;
        return r < 0 ? (Report){STEP_SILENCE, -r} : (Report){};
}

/* The child. It ends with the lifeline, whose other end only its parent has. */
_Noreturn static void hold(int lifeline, int report_fd, bool silent) {
        Report report = make(geteuid(), getegid(), silent);
        char byte;

        if (write(report_fd, &report, sizeof(report)) == sizeof(report) && report.step == STEP_NONE)
                while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
                        ;
        _exit(0);
}

static int refuse_step(const Report *report, Refusal *ret_refusal) {
        if (report->step == STEP_SILENCE)
                return refuse_errno(ret_refusal, report->errnum,
                                    "cannot switch the namespace's own IPv6 and ARP off for --tap "
                                    "(is /proc/sys read-only here?)");
        return refuse_errno(
                ret_refusal, report->errnum,
                "--kind veth needs a user namespace and cannot %s; an administrator may have "
                "forbidden it (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
                "kernel.apparmor_restrict_unprivileged_userns)",
                report->step == STEP_UNSHARE ? "make one" : "write its user map");
}

static int open_of(pid_t pid, const char *which) {
        _cleanup_free_ char *path = NULL;
        int fd;

        if (asprintf(&path, "/proc/%ld/ns/%s", (long)pid, which) < 0) {
                path = NULL; /* undefined after an error, printf(3) */
                return -ENOMEM;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int read_report(int fd, Refusal *ret_refusal) {
        Report report = {};
        ssize_t n;

        while ((n = read(fd, &report, sizeof(report))) < 0 && errno == EINTR)
                ;
        if (n != sizeof(report))
                return refuse(ret_refusal, RAWNET_KERNEL_REFUSED,
                              "the process that makes the command's namespaces ended early");
        return report.step == STEP_NONE ? 0 : refuse_step(&report, ret_refusal);
}

int run_namespace_open(bool silent, RunNamespace *ret, Refusal *ret_refusal) {
        _cleanup_(run_namespace_done) RunNamespace made = RUN_NAMESPACE_INIT;
        _cleanup_close_ int life = -1, report_read = -1, report_write = -1;
        int pair[2], r;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        life = pair[0];
        made.lifeline = pair[1];
        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        report_read = pair[0];
        report_write = pair[1];
        made.holder = fork();
        if (made.holder < 0) {
                made.holder = 0;
                return -errno;
        }
        if (made.holder == 0) {
                safe_close(made.lifeline);
                hold(life, report_write, silent);
        }
        report_write = safe_close(report_write);
        r = read_report(report_read, ret_refusal);
        if (r != 0)
                return r;
        made.user = open_of(made.holder, "user");
        made.network = open_of(made.holder, "net");
        if (made.user < 0 || made.network < 0)
                return refuse_errno(ret_refusal, made.user < 0 ? made.user : made.network,
                                    "cannot open the command's namespaces (is /proc mounted?)");
        *ret = made;
        made = RUN_NAMESPACE_INIT;
        return 0;
}

int run_namespace_enter(RunNamespace *namespace, Refusal *ret_refusal) {
        if (setns(namespace->user, CLONE_NEWUSER) < 0 ||
            setns(namespace->network, CLONE_NEWNET) < 0)
                return refuse_errno(ret_refusal, errno, "cannot enter the command's namespaces");
        run_namespace_done(namespace);
        return interface_raise("lo", ret_refusal);
}

void run_namespace_done(RunNamespace *namespace) {
        namespace->lifeline = safe_close(namespace->lifeline);
        namespace->user = safe_close(namespace->user);
        namespace->network = safe_close(namespace->network);
        while (namespace->holder > 0 && waitpid(namespace->holder, NULL, 0) < 0 && errno == EINTR)
                ;
        namespace->holder = 0;
}
