/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/server.h"

#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "common/fd-pass.h"
#include "common/log.h"
#include "helper/daemon/learning.h"
#include "helper/daemon/queues.h"
#include "helper/daemon/spare.h"
#include "helper/daemon/watch.h"
#include "helper/daemon/pool.h"

/* Twice this counts (socket(7), SO_SNDBUF), some 2.3 KiB a message: 14,000 leases and their ends.
 * Taken only while they are on their way. */
#define SEND_BUFFER (16 * 1024 * 1024)

WireReply server_reply(uint64_t serial, WireReplyType type) {
        return (WireReply){.version = WIRE_VERSION, .type = type, .serial = serial};
}

/* --- connections
 * ---------------------------------------------------------------------------------------------------------------
 */

static void connection_close(Connection *connection) {
        Server *server = connection->server;

        for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
                if (server->connections[i] == connection)
                        server->connections[i] = NULL;
        }
        worker_forget_connection(server, connection);
        sd_event_source_disable_unref(connection->source);
        /* Workers have copies, one that was forked just now even of every descriptor: without this
         * rawnetd would see the end when the last of them is gone, and till then send requests that
         * nobody reads. */
        (void)shutdown(connection->fd, SHUT_RDWR);
        safe_close(connection->fd);
        free(connection);
}

/* False: the connection is gone. The loop never waits for a reader. */
static bool send_to(Connection *connection, const WireReply *reply) {
        int r = fd_pass_send(connection->fd, reply, sizeof(*reply), NULL, 0, MSG_DONTWAIT);

        if (r == 0)
                return true;
        log_notice("rawnetd does not take its messages (%s); closing its connection", strerror(-r));
        connection_close(connection);
        return false;
}

void server_publish(Server *server, const WireReply *reply) {
        for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
                if (server->connections[i] && server->connections[i]->subscribed)
                        (void)send_to(server->connections[i], reply);
        }
}

void server_publish_lease(Server *server, const WireLease *lease) {
        WireReply reply = server_reply(0, WIRE_LEASE);

        reply.lease = *lease;
        server_publish(server, &reply);
}

void server_publish_end(Server *server, const WireLease *lease, WireEndReason reason) {
        WireReply reply = server_reply(0, WIRE_ENDED);

        reply.lease.id = lease->id;
        reply.reason = reason;
        server_publish(server, &reply);
}

void server_answer_refusal(Connection *connection, uint64_t serial, const Refusal *refusal) {
        WireReply reply = server_reply(serial, WIRE_REFUSED);

        reply.refusal.error = refusal->error;
        reply.refusal.kernel_errno = refusal->kernel_errno;
        memcpy(reply.refusal.text, refusal->text, sizeof(reply.refusal.text));
        (void)send_to(connection, &reply);
}

void server_answer_failure(Connection *connection, uint64_t serial, const char *why) {
        Refusal refusal = {};

        refuse(&refusal, RAWNET_HELPER_UNAVAILABLE, "rawnet-helper: %s; try again", why);
        server_answer_refusal(connection, serial, &refusal);
}

/* --- the table of operations
 * ---------------------------------------------------------------------------------------------------
 */

static bool do_list(Connection *connection, const WireRequest *request) {
        const Server *server = connection->server;
        WireReply done = server_reply(request->serial, WIRE_DONE);

        connection->subscribed = true;
        for (size_t i = 0; i < server->registry.n_entries; i++) {
                WireReply reply = server_reply(request->serial, WIRE_LEASE);

                reply.lease = server->registry.entries[i].lease;
                if (!send_to(connection, &reply))
                        return false;
        }
        done.features = server->context.features;
        return send_to(connection, &done);
}

static bool start(Connection *connection, JobKind kind, const WireRequest *request) {
        int r = worker_start(connection->server, kind, connection, request);

        if (r < 0) {
                log_limited(&connection->server->failures, LOG_ERR, "cannot start a worker: %s",
                            strerror(-r));
                server_answer_failure(connection, request->serial, "it cannot start a process");
                return false;
        }
        return true;
}

static bool do_open(Connection *connection, const WireRequest *request) {
        Refusal refusal = {};
        int r;

        r = queues_check(connection->server, &request->open, &refusal);
        if (r == 0 && request->open.mac_mode == WIRE_MAC_LEARN)
                r = learning_check(connection->server, request->open.network, &refusal);
        if (r != 0) {
                server_answer_refusal(connection, request->serial, &refusal);
                return false;
        }
        return start(connection, JOB_OPEN, request);
}

/* What the kernel can do; looked at again before, where it is worth it (look_again()). */
static bool do_look(Connection *connection, const WireRequest *request) {
        WireReply done = server_reply(request->serial, WIRE_DONE);

        done.features = connection->server->context.features;
        return send_to(connection, &done);
}

static bool do_close(Connection *connection, const WireRequest *request) {
        return start(connection, JOB_CLOSE, request);
}

static bool do_statistics(Connection *connection, const WireRequest *request) {
        return start(connection, JOB_STATISTICS, request);
}

static bool do_host_up(Connection *connection, const WireRequest *request) {
        return start(connection, JOB_HOST_UP, request);
}

static bool do_host_down(Connection *connection, const WireRequest *request) {
        return start(connection, JOB_HOST_DOWN, request);
}

/* When nothing is being made, and it judges by itself. */
static bool do_host_sweep(Connection *connection, const WireRequest *request) {
        const WireReply done = server_reply(request->serial, WIRE_DONE);

        connection->server->sweep_wanted = true;
        return send_to(connection, &done);
}

/* Closed: what is not here is not done. wire_request_check() has seen to sizes, strings and ranges.
 */
static bool (*const operations[])(Connection *, const WireRequest *) = {
        [WIRE_OPEN] = do_open,
        [WIRE_LOOK] = do_look,
        [WIRE_CLOSE] = do_close,
        [WIRE_LIST] = do_list,
        [WIRE_STATISTICS_OF] = do_statistics,
        [WIRE_HOST_UP] = do_host_up,
        [WIRE_HOST_DOWN] = do_host_down,
        [WIRE_HOST_SWEEP] = do_host_sweep,
};

/* Where no namespace could be made nothing else could be probed either, and a limit may have been
 * raised since: then the kernel is looked at once more before a request is read. True: that has
 * begun, and the request waits in its socket. */
static bool look_again(Server *server) {
        unsigned n;

        if (server->context.features & WIRE_FEATURE_USER_NAMESPACE || server->looked) {
                server->looked = false;
                return false;
        }
        /* Any user causes this, by reading a property: what the probe says each time is said from
         * time to time. */
        server->context.quiet_probe = !log_limit_pass(&server->probes, &n);
        if (worker_start(server, JOB_PROBE, NULL, NULL) < 0)
                return false;
        server->looked = true;
        server->probed = server->ready = false;
        server_settle(server);
        return true;
}

static int on_request(sd_event_source *source, int fd, uint32_t events, void *data) {
        Connection *connection = data;
        Server *server = connection->server;
        int fds[RAWNET_FDS_MAX];
        WireRequest request;
        size_t n_fds = 0;
        ssize_t n;

        if (look_again(server))
                return 0;
        n = fd_pass_receive(fd, &request, sizeof(request), fds, &n_fds, MSG_DONTWAIT);
        if (n == -EAGAIN || n == -EINTR)
                return 0;
        if (n > 0)
                fd_pass_close_all(fds, n_fds);
        if (n <= 0 || n_fds > 0 || wire_request_check(&request, (size_t)n) < 0 ||
            request.operation >= ARRAY_SIZE(operations) || !operations[request.operation]) {
                /* 0, ECONNRESET: it went, perhaps with something unread. */
                if (n > 0 || n == -EBADMSG)
                        log_warning("a malformed request; closing the connection");
                connection_close(connection);
        } else {
                (void)operations[request.operation](connection, &request);
        }
        server_settle(server);
        return 0;
}

/* Only rawnetd's user speaks here, whatever the socket's mode says (SO_PEERCRED, unix(7)). */
static bool is_rawnetd(const Server *server, int fd) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return false;
        if (peer.uid == server->peer_uid)
                return true;
        log_warning("refused a connection of uid %u (pid %d): only " RAWNET_USER_SERVICE
                    " may speak here",
                    peer.uid, peer.pid);
        return false;
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *data) {
        Server *server = data;
        _cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        Connection *connection;
        size_t i = 0;

        if (peer < 0 || !is_rawnetd(server, peer))
                return 0;
        while (i < SERVER_CONNECTIONS_MAX && server->connections[i])
                i++;
        connection = i < SERVER_CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;
        if (!connection) {
                log_warning("too many connections; refused one");
                return 0;
        }
        /* A list of leases goes out in one go, without waiting for the reader: room for all of
         * them. The default holds about 90. */
        (void)setsockopt(peer, SOL_SOCKET, SO_SNDBUFFORCE, &(int){SEND_BUFFER}, sizeof(int));
        *connection = (Connection){.server = server, .fd = peer};
        if (sd_event_add_io(server->event, &connection->source, peer, EPOLLIN, on_request,
                            connection) < 0 ||
            (server->paused && sd_event_source_set_enabled(connection->source, SD_EVENT_OFF) < 0)) {
                sd_event_source_disable_unref(connection->source);
                free(connection);
                return 0;
        }
        (void)TAKE_FD(peer);
        server->connections[i] = connection;
        server_settle(server);
        return 0;
}

/* --- what is due
 * ---------------------------------------------------------------------------------------------------------------
 */

static void pause_reading(Server *server, bool pause) {
        if (server->paused == pause)
                return;
        server->paused = pause;
        for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
                if (server->connections[i])
                        (void)sd_event_source_set_enabled(server->connections[i]->source,
                                                          pause ? SD_EVENT_OFF : SD_EVENT_ON);
        }
}

static int on_idle(sd_event_source *source, uint64_t usec, void *data) {
        Server *server = data;

        log_debug("idle, no lease alive: leaving");
        return sd_event_exit(server->event, 0);
}

static void arm_idle_timer(Server *server) {
        bool idle = server->ready && server->idle_seconds > 0 && server->n_workers == 0 &&
                    server->registry.n_entries == 0;
        uint64_t usec = server->idle_seconds * UINT64_C(1000000);

        for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
                idle = idle && !server->connections[i];
        if (!idle) {
                server->idle_timer = sd_event_source_disable_unref(server->idle_timer);
                return;
        }
        if (!server->idle_timer)
                (void)sd_event_add_time_relative(server->event, &server->idle_timer,
                                                 CLOCK_MONOTONIC, usec, 0, on_idle, server);
}

static int on_scan_due(sd_event_source *source, uint64_t usec, void *data) {
        Server *server = data;

        server->scan_timer = sd_event_source_disable_unref(server->scan_timer);
        server->scan_wanted = true;
        server_settle(server);
        return 0;
}

void server_scan_later(Server *server) {
        if (!server->scan_timer &&
            sd_event_add_time_relative(server->event, &server->scan_timer, CLOCK_MONOTONIC, 1000000,
                                       0, on_scan_due, server) < 0)
                log_error("cannot look at the leases again");
}

static void start_due(Server *server) {
        if (server->scan_wanted && !server->registry.scanning) {
                registry_begin_scan(&server->registry);
                server->scan_wanted = false;
                if (worker_start(server, JOB_SCAN, NULL, NULL) < 0) {
                        log_error("cannot start a scan of the leases");
                        server->registry.scanning = false;
                        server_scan_later(server);
                }
        }
        /* A sweep does not wait for opens, some of which take seconds: it leaves alone what one of
         * them may be about to use. */
        if (server->sweep_wanted && server->ready && server->n_host_jobs == 0 &&
            !server->sweeping) {
                server->sweep_wanted = false;
                server->sweep_after_open = worker_opening_vlans(server, server->sweep.opening);
                doubts_begin(&server->sweep.doubts);
                server->sweeping = worker_start(server, JOB_SWEEP, NULL, NULL) == 0;
        }
}

static int on_sweep_due(sd_event_source *source, uint64_t usec, void *data) {
        Server *server = data;

        server->sweep_timer = sd_event_source_disable_unref(server->sweep_timer);
        server->sweep_wanted = true;
        server_settle(server);
        return 0;
}

void server_end_sweep(Server *server) {
        server->sweeping = false;
        if (doubts_end(&server->sweep.doubts) && !server->sweep_timer &&
            sd_event_add_time_relative(server->event, &server->sweep_timer, CLOCK_MONOTONIC,
                                       DOUBT_USEC, 0, on_sweep_due, server) < 0)
                log_error("cannot sweep again");
}

void server_settle(Server *server) {
        start_due(server);
        if (!server->ready && server->probed && server->scanned) {
                server->ready = server->spare_due = true;
                (void)sd_notify(false, "READY=1");
                start_due(server);
        }
        if (server->ready)
                spare_refill(server);
        pause_reading(server, !server->ready || server->sweeping ||
                                      server->n_workers >= SERVER_WORKERS_MAX);
        arm_idle_timer(server);
}

int server_start(Server *server, int listen_fd) {
        int r;

        server->context.registry = &server->registry;
        server->context.sweep = &server->sweep;
        server->paused = true;
        r = lease_ids_new(&server->context.ids);
        if (r == 0)
                r = watch_start(server);
        if (r < 0)
                return r;
        if (!server->probed) {
                r = worker_start(server, JOB_PROBE, NULL, NULL);
                if (r < 0)
                        return r;
        }
        server->scan_wanted = true;
        r = sd_event_add_io(server->event, NULL, listen_fd, EPOLLIN, on_connect, server);
        if (r < 0)
                return r;
        server_settle(server);
        return 0;
}

void server_stop(Server *server) {
        for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
                if (server->connections[i])
                        connection_close(server->connections[i]);
        }
        watch_stop(server);
        registry_free(&server->registry);
}
