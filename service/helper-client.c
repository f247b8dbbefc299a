/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/helper-client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/fd-pass.h"
#include "common/log.h"
#include "service/event-clock.h"

/* The helper bounds its own work (2 s for an address that is just becoming free). This limit is for
 * a helper that hangs. */
#define ANSWER_USEC (30 * UINT64_C(1000000))
/* The list is the first thing that a helper is asked for, and what callers wait for first. A helper
 * that has just been started answers once the kernel has verified the guard's programs: an emulated
 * machine needs ten seconds. Below the 25 s that a caller waits unless it says otherwise
 * (sd_bus_set_method_call_timeout(3)). */
#define LIST_USEC (20 * UINT64_C(1000000))
#define RETRY_FIRST_USEC (100 * UINT64_C(1000))
#define RETRY_LAST_USEC (10 * UINT64_C(1000000))
/* Messages that are read in a row before other event sources run. */
#define RECEIVE_BATCH 64u

#define WHAT_TO_DO "see: systemctl status rawnet-helper.socket rawnet-helper.service"

typedef struct Pending {
        struct Pending *next;
        IpcRequest request;
        HelperAnswer answer; /* NULL: the list */
        void *userdata;
        uint64_t until; /* µs, CLOCK_MONOTONIC */
        unsigned n_findings;
        int fd; /* goes with the request; -1: none, or sent */
        bool sent;
} Pending;

struct Helper {
        sd_event *event;
        Closer *closer;
        HelperEvents events;
        void *userdata;
        int fd; /* -1: not connected */
        bool ready;
        uint32_t features;
        uint64_t serial;
        uint64_t retry_usec;   /* how long to wait before the next try */
        Pending *first, *last; /* in the order of asking, which is also that of until */
        sd_event_source *io_source, *retry_source, *deadline_source;
};

static void pending_free(Pending *p) {
        safe_close(p->fd);
        free(p);
}

static uint64_t now_usec(const Helper *h) {
        return event_usec(h->event);
}

static void source_drop(sd_event_source **source) {
        *source = sd_event_source_disable_unref(*source);
}

static Pending *pending_find(const Helper *h, uint64_t serial) {
        Pending *p = h->first;

        while (p && p->request.serial != serial)
                p = p->next;
        return p;
}

static Pending *pending_take(Helper *h, uint64_t serial) {
        for (Pending **p = &h->first, *before = NULL; *p; before = *p, p = &(*p)->next)
                if ((*p)->request.serial == serial) {
                        Pending *found = *p;

                        *p = found->next;
                        if (h->last == found)
                                h->last = before;
                        return found;
                }
        return NULL;
}

/* Closes the connection, and refuses all requests that wait for an answer. */
static void helper_lose(Helper *h, const Refusal *refusal, bool hangs) {
        Pending *pending = h->first;

        source_drop(&h->io_source);
        source_drop(&h->deadline_source);
        h->fd = safe_close(h->fd);
        h->ready = false;
        h->first = h->last = NULL;
        while (pending) {
                Pending *p = pending;

                pending = p->next;
                if (p->answer)
                        p->answer(p->userdata, NULL, NULL, 0, refusal);
                pending_free(p);
        }
        h->events.lost(h->userdata, refusal, hangs);
        helper_retry(h);
}

static void helper_lose_how(Helper *h, const char *why, bool hangs) {
        Refusal refusal;

        (void)refuse(&refusal, RAWNET_HELPER_UNAVAILABLE, "rawnet-helper %s; " WHAT_TO_DO, why);
        log_warning("%s", refusal.text);
        helper_lose(h, &refusal, hangs);
}

static void helper_lose_because(Helper *h, const char *why) {
        helper_lose_how(h, why, false);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        Helper *h = userdata;

        if (h->first && h->first->until <= now_usec(h)) {
                /* A helper that does not answer one request answers none; a new helper may. Closing
                 * the connection closes the descriptors that the old one still sends on it, and so
                 * ends the lease. */
                helper_lose_how(h, "does not answer", true);
                return 0;
        }
        if (h->first) {
                (void)sd_event_source_set_time(source, h->first->until);
                (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        }
        return 0;
}

static int deadline_arm(Helper *h, uint64_t until) {
        int enabled = SD_EVENT_OFF, r;

        if (!h->deadline_source)
                return sd_event_add_time(h->event, &h->deadline_source, CLOCK_MONOTONIC, until, 0,
                                         on_deadline, h);
        r = sd_event_source_get_enabled(h->deadline_source, &enabled);
        if (r < 0 || enabled != SD_EVENT_OFF)
                return MIN_OF(r, 0);
        r = sd_event_source_set_time(h->deadline_source, until);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(h->deadline_source, SD_EVENT_ONESHOT);
}

/* Sends what is not sent yet; the rest when the socket has room again. 0 or -errno: the connection
 * is useless. */
static int helper_flush(Helper *h) {
        uint32_t events = EPOLLIN;
        int r;

        for (Pending *p = h->first; p; p = p->next) {
                if (p->sent)
                        continue;
                r = fd_pass_send(h->fd, &p->request, sizeof(p->request), &p->fd, p->fd >= 0,
                                 MSG_DONTWAIT);
                if (r == -EAGAIN) {
                        events |= EPOLLOUT;
                        break;
                }
                if (r < 0)
                        return r;
                p->sent = true;
                p->fd = safe_close(p->fd);
        }
        return sd_event_source_set_io_events(h->io_source, events);
}

static int helper_enqueue(Helper *h, const IpcRequest *request, int fd, HelperAnswer answer,
                          void *userdata) {
        Pending *p;
        int r;

        p = malloc(sizeof(*p));
        if (!p)
                return -ENOMEM;
        *p = (Pending){
                .request = *request,
                .answer = answer,
                .userdata = userdata,
                .fd = -1,
                .until = now_usec(h) + (answer ? ANSWER_USEC : LIST_USEC),
        };
        p->request.version = IPC_VERSION;
        p->request.serial = ++h->serial;
        /* The socket may have no room now, and the caller's may be closed before it has. */
        if (fd >= 0) {
                p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                r = p->fd < 0 ? -errno : 0;
        } else
                r = 0;
        if (r == 0)
                r = deadline_arm(h, p->until);
        if (r < 0) {
                pending_free(p);
                return r;
        }
        if (h->last)
                h->last->next = p;
        else
                h->first = p;
        h->last = p;
        return 0;
}

static void list_done(Helper *h, const IpcReply *reply) {
        h->ready = true;
        h->features = reply->features;
        if (h->features != 0)
                h->retry_usec = RETRY_FIRST_USEC;
        h->events.list_complete(h->userdata);
}

/* Part of the answer to an IPC_CHECK. The number of findings is limited. */
static void dispatch_finding(Helper *h, const IpcReply *reply) {
        Pending *p = pending_find(h, reply->serial);

        if (!p || p->request.operation != IPC_CHECK || p->n_findings == IPC_FINDINGS_MAX) {
                helper_lose_because(h, "sent a finding that nobody has asked for");
                return;
        }
        p->n_findings++;
        p->answer(p->userdata, reply, NULL, 0, NULL);
}

/* A reply with a serial: to the one who asked. */
static void dispatch_answer(Helper *h, const IpcReply *reply, const int *fds, size_t n_fds) {
        Pending *p;
        Refusal refusal = {};

        p = pending_take(h, reply->serial);
        if (!p) {
                log_warning("rawnet-helper answered request %" PRIu64 ", which nobody has asked",
                            reply->serial);
                closer_close(h->closer, fds, n_fds);
                return;
        }
        if (reply->type == IPC_REFUSED) {
                refusal.kernel_errno = reply->refusal.kernel_errno;
                (void)refuse(&refusal, reply->refusal.error, "%s", reply->refusal.text);
        }
        if (!p->answer) {
                if (reply->type == IPC_DONE)
                        list_done(h, reply);
                else
                        helper_lose_because(h, "refused to list its leases");
        } else if (reply->type == IPC_REFUSED)
                p->answer(p->userdata, NULL, NULL, 0, &refusal);
        else
                p->answer(p->userdata, reply, fds, n_fds, NULL);
        pending_free(p);
}

static void dispatch(Helper *h, const IpcReply *reply, const int *fds, size_t n_fds) {
        /* IPC_LEASE is part of the list's answer or, with serial 0, news. rawnetd handles both in
         * the same way. */
        if (reply->type == IPC_LEASE)
                h->events.lease(h->userdata, &reply->lease);
        else if (reply->type == IPC_ENDED)
                h->events.ended(h->userdata, reply->lease.id, reply->reason);
        else if (reply->type == IPC_DROPPED)
                h->events.dropped(h->userdata, reply->lease.id, &reply->dropped);
        else if (reply->type == IPC_FINDING)
                dispatch_finding(h, reply);
        else if (reply->type == IPC_FEATURES) {
                h->features = reply->features;
                h->retry_usec = RETRY_FIRST_USEC;
                h->events.features(h->userdata);
        } else
                dispatch_answer(h, reply, fds, n_fds);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Helper *h = userdata;
        int r;

        if (revents & EPOLLOUT) {
                r = helper_flush(h);
                if (r < 0) {
                        helper_lose_because(h, "closed the connection");
                        return 0;
                }
        }
        for (unsigned i = 0; i < RECEIVE_BATCH && h->fd == fd; i++) {
                int fds[RAWNET_FDS_MAX];
                IpcReply reply;
                size_t n_fds = 0;
                ssize_t n;

                n = fd_pass_receive(fd, &reply, sizeof(reply), fds, &n_fds, MSG_DONTWAIT);
                if (n == -EAGAIN || n == -EINTR)
                        return 0;
                if (n <= 0) {
                        helper_lose_because(h, n == -EBADMSG ? "sent a message that cannot be read"
                                                             : "closed the connection");
                        return 0;
                }
                if (ipc_reply_check(&reply, (size_t)n, n_fds) < 0) {
                        closer_close(h->closer, fds, n_fds);
                        helper_lose_because(
                                h, "sent a message that is not of this version's wire protocol; "
                                   "after an upgrade, restart both daemons");
                        return 0;
                }
                dispatch(h, &reply, fds, n_fds);
        }
        return 0;
}

static int helper_socket(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = RAWNET_HELPER_SOCKET};
        _cleanup_close_ int fd = -1;

        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* On AF_UNIX connect() succeeds or fails at once, or with EAGAIN where the listener's queue
         * is full. */
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int helper_connect(Helper *h, Refusal *ret) {
        IpcRequest list = {.operation = IPC_LIST};
        int r;

        if (h->fd >= 0)
                return 0;
        r = helper_socket();
        if (r < 0)
                return refuse(ret, RAWNET_HELPER_UNAVAILABLE,
                              "cannot reach rawnet-helper at %s: %s; " WHAT_TO_DO,
                              RAWNET_HELPER_SOCKET, strerror(-r));
        h->fd = r;
        source_drop(&h->retry_source);
        r = sd_event_add_io(h->event, &h->io_source, h->fd, EPOLLIN, on_io, h);
        if (r >= 0)
                r = helper_enqueue(h, &list, -1, NULL, NULL);
        if (r < 0) {
                source_drop(&h->io_source);
                h->fd = safe_close(h->fd);
                return r;
        }
        h->events.list_begins(h->userdata);
        /* A failed send shows as the end of the stream in the loop, which handles it. */
        (void)helper_flush(h);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Helper *h = userdata;
        Refusal refusal = {};
        int r;

        r = helper_connect(h, &refusal);
        if (r != 0) {
                log_warning("%s", r > 0 ? refusal.text : strerror(-r));
                helper_retry(h);
        }
        return 0;
}

void helper_retry(Helper *h) {
        int r;

        source_drop(&h->retry_source);
        if (h->fd >= 0 || !h->events.wanted(h->userdata))
                return;
        r = sd_event_add_time_relative(h->event, &h->retry_source, CLOCK_MONOTONIC, h->retry_usec,
                                       0, on_retry, h);
        if (r < 0)
                log_error("cannot watch leases without rawnet-helper: %s", strerror(-r));
        /* Until the helper has said what the kernel has, each try waits twice as long: a helper that
         * dies at once is not driven in circles. */
        h->retry_usec = MIN_OF(h->retry_usec * 2, RETRY_LAST_USEC);
}

int helper_call(Helper *h, IpcRequest *request, HelperAnswer answer, void *userdata, Refusal *ret) {
        return helper_call_with(h, request, -1, answer, userdata, ret);
}

int helper_call_with(Helper *h, IpcRequest *request, int fd, HelperAnswer answer, void *userdata,
                     Refusal *ret) {
        int r;

        r = helper_connect(h, ret);
        if (r != 0)
                return r;
        r = helper_enqueue(h, request, fd, answer, userdata);
        if (r < 0)
                return r;
        (void)helper_flush(h);
        return 0;
}

bool helper_connected(const Helper *h) {
        return h->fd >= 0;
}

bool helper_ready(const Helper *h) {
        return h->ready;
}

uint32_t helper_features(const Helper *h) {
        return h->features;
}

int helper_new(sd_event *event, Closer *closer, const HelperEvents *events, void *userdata,
               Helper **ret) {
        Helper *h;

        h = malloc(sizeof(*h));
        if (!h)
                return -ENOMEM;
        *h = (Helper){
                .event = sd_event_ref(event),
                .closer = closer,
                .events = *events,
                .userdata = userdata,
                .fd = -1,
                .retry_usec = RETRY_FIRST_USEC,
        };
        *ret = h;
        return 0;
}

void helper_free(Helper *h) {
        if (!h)
                return;
        source_drop(&h->io_source);
        source_drop(&h->retry_source);
        source_drop(&h->deadline_source);
        while (h->first) {
                Pending *p = h->first;

                h->first = p->next;
                pending_free(p);
        }
        safe_close(h->fd);
        sd_event_unref(h->event);
        free(h);
}
