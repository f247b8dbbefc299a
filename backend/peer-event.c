/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/peer-event.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

/* The longest time that a write can wait. The timer is off while nothing is signalled, so that an
 * idle process sleeps. */
#define TICK_USEC 100000

/* The kernel's name for the file of an eventfd (fs/eventfd.c). No other file has it: a path begins
 * with '/'. */
static const char eventfd_name[] = "anon_inode:[eventfd]";

/* Global because the signal handler shares it. The process has one thread. */
static struct {
        int directory;
        volatile sig_atomic_t writing; /* the handler must leave the timer on */
        volatile sig_atomic_t used;    /* something was signalled since the last tick */
        volatile sig_atomic_t ticking;
} events = {.directory = -1};

/* Installed without SA_RESTART, so the signal interrupts a write. setitimer() is one system call in
 * every C library. */
static void on_tick(int signal_number) {
        const struct itimerval off = {};
        int saved = errno;

        if (!events.writing && !events.used) {
                events.ticking = 0;
                setitimer(ITIMER_REAL, &off, NULL);
        }
        events.used = 0;
        errno = saved;
}

int peer_event_init(Refusal *ret_refusal) {
        const struct sigaction action = {.sa_handler = on_tick};
        sigset_t tick;

        sigemptyset(&tick);
        sigaddset(&tick, SIGALRM);
        /* The parent process may have blocked the signal. */
        if (sigaction(SIGALRM, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &tick, NULL) < 0)
                return refuse_errno(ret_refusal, errno, "preparing SIGALRM");
        events.directory = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (events.directory < 0)
                return refuse_errno(ret_refusal, errno,
                                    "opening /proc/self/fd, which shows what a descriptor is");
        return 0;
}

int peer_event_directory(void) {
        return events.directory;
}

int peer_event_check(int fd, const char *what, uint32_t ring, Refusal *ret_refusal) {
        char number[16], name[sizeof(eventfd_name)];
        ssize_t length;
        int flags;

        snprintf(number, sizeof(number), "%d", fd);
        /* One byte more than the name, so that a longer link does not match. No peer can delay
         * readlinkat() on a descriptor's link. */
        length = readlinkat(events.directory, number, name, sizeof(name));
        if (length != (ssize_t)strlen(eventfd_name) ||
            memcmp(name, eventfd_name, strlen(eventfd_name)) != 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the %s descriptor of ring %" PRIu32
                              " is not an eventfd: the front end must create it with eventfd(2)",
                              what, ring);
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the %s descriptor of ring %" PRIu32
                              " cannot be made non-blocking: %s",
                              what, ring, strerror(errno));
        return 0;
}

int peer_event_signal(int fd, Refusal *ret_refusal) {
        const struct itimerval on = {
                .it_interval = {.tv_usec = TICK_USEC},
                .it_value = {.tv_usec = TICK_USEC},
        };
        const uint64_t one = 1;
        ssize_t n;

        /* Set before the timer starts: the handler then leaves the timer on. */
        events.writing = 1;
        events.used = 1;
        if (!events.ticking) {
                events.ticking = 1;
                if (setitimer(ITIMER_REAL, &on, NULL) < 0) {
                        events.ticking = events.writing = 0;
                        return refuse_errno(ret_refusal, errno,
                                            "starting the timer of signals to the guest");
                }
        }
        n = write(fd, &one, sizeof(one));
        events.writing = 0;
        /* Only a write that blocks is interrupted. */
        if (n < 0 && errno == EINTR)
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "the front end made an eventfd block: its counter is full and O_NONBLOCK is cleared");
        return 0;
}
