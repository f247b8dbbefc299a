/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/text.h"

/* 1: yes; 0: no; -EAGAIN: it has no command line now, though it has a program. Kernel threads and
 * zombies have neither. */
static int has_argument(int process, const char *text, bool whole) {
        int fd = openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
        _cleanup_fclose_ FILE *file = fd >= 0 ? fdopen(fd, "re") : NULL;
        _cleanup_free_ char *argument = NULL;
        size_t size = 0;
        unsigned n = 0;
        char program;

        if (!file) {
                safe_close(fd);
                return 0;
        }
        for (; getdelim(&argument, &size, '\0', file) >= 0; n++)
                if (whole ? strcmp(argument, text) == 0 : strstr(argument, text) != NULL)
                        return 1;
        return n == 0 && readlinkat(process, "exe", &program, 1) == 1 ? -EAGAIN : 0;
}

/* Its process has ended; it may wait for its parent. */
static bool has_ended(int pidfd) {
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        return poll(&p, 1, 0) > 0;
}

static bool may_be_ours(int process) {
        struct stat st;

        return fstat(process, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0);
}

int process_find(const char *text, bool whole) {
        _cleanup_closedir_ DIR *dir = opendir("/proc");
        const struct dirent *entry;
        int result = -ENOENT;

        if (!dir)
                return -errno;
        while ((entry = readdir(dir))) {
                _cleanup_close_ int process = -1, pidfd = -1;
                uint32_t pid;
                int r;

                if (text_parse_u32(entry->d_name, 1, INT32_MAX, &pid) < 0 ||
                    pid == (uint32_t)getpid())
                        continue;
                /* Opened first, so that another process cannot get the number. */
                pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
                process = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (pidfd >= 0 && process >= 0 && !may_be_ours(process))
                        continue;
                r = pidfd >= 0 && process >= 0 ? has_argument(process, text, whole) : 0;
                if (r > 0)
                        return TAKE_FD(pidfd);
                /* What ended after the list of processes was read may have left a child that is not
                 * on it. */
                if (r < 0 || pidfd < 0 || process < 0 || has_ended(pidfd))
                        result = -EAGAIN;
        }
        return result;
}
