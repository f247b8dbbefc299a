/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/closer.h"

#include <fcntl.h>
#include <pthread.h>

#define CLOSER_THREADS 4u

struct Closer {
        int pipe_fd; /* descriptor numbers go in here; the threads read them */
};

static void *closer_thread(void *data) {
        int read_fd = (int)(intptr_t)data, fd;

        /* A pipe keeps writes of up to PIPE_BUF whole (pipe(7)), so a read never gets half a
         * number. */
        for (;;) {
                ssize_t n = read(read_fd, &fd, sizeof(fd));

                if (n == (ssize_t)sizeof(fd))
                        close(fd);
                else if (n == 0 || errno != EINTR)
                        break;
        }
        close(read_fd);
        return NULL;
}

/* Each thread has a copy of the pipe's reading end. The last thread closes it. */
static int start_thread(int pipe_fd) {
        _cleanup_close_ int read_fd = fcntl(pipe_fd, F_DUPFD_CLOEXEC, 3);
        pthread_attr_t attributes;
        pthread_t thread;
        int r;

        if (read_fd < 0)
                return -errno;
        r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, 64 * 1024);
        r = pthread_create(&thread, &attributes, closer_thread, (void *)(intptr_t)read_fd);
        pthread_attr_destroy(&attributes);
        if (r != 0)
                return -r;
        TAKE_FD(read_fd);
        return 0;
}

int closer_new(Closer **ret) {
        _cleanup_free_ Closer *closer = malloc(sizeof(*closer));
        _cleanup_close_ int read_fd = -1, write_fd = -1;
        int fds[2], r;

        if (!closer)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_fd = fds[0];
        write_fd = fds[1];
        /* The loop must not wait for the threads: where the pipe is full (16,384 numbers) it closes
         * the descriptor itself. */
        if (fcntl(write_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        for (unsigned i = 0; i < CLOSER_THREADS; i++) {
                r = start_thread(read_fd);
                /* One will do. */
                if (r < 0 && i == 0)
                        return r;
        }
        closer->pipe_fd = TAKE_FD(write_fd);
        *ret = TAKE_PTR(closer);
        return 0;
}

void closer_free(Closer *closer) {
        if (!closer)
                return;
        safe_close(closer->pipe_fd);
        free(closer);
}

void closer_close(Closer *closer, const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (write(closer->pipe_fd, &fds[i], sizeof(fds[i])) != (ssize_t)sizeof(fds[i]))
                        close(fds[i]);
}
