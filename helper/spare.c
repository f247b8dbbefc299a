/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/spare.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "helper/server.h"

struct Spare {
        Server *server;
        Spare *next;
        Child child; /* socket_fd -1: somebody has it, or nobody wants it; what is left is to reap it */
        sd_event_source *exit_source, *timer;
};

static void forget(Spare *spare) {
        Server *server = spare->server;

        for (Spare **s = &server->spares; *s; s = &(*s)->next) {
                if (*s == spare) {
                        *s = spare->next;
                        break;
                }
        }
        if (server->spare == spare)
                server->spare = NULL;
        safe_close(spare->child.socket_fd);
        sd_event_source_disable_unref(spare->timer);
        sd_event_source_disable_unref(spare->exit_source);
        free(spare);
}

static int on_exit_(sd_event_source *source, const siginfo_t *si, void *data) {
        forget(data);
        return 0;
}

static void drop(Server *server) {
        Child child = spare_take(server);

        /* The child reads the end of its socket, and exits. */
        safe_close(child.socket_fd);
}

static int on_time(sd_event_source *source, uint64_t usec, void *data) {
        drop(data);
        return 0;
}

static int watch(Spare *spare) {
        sd_event *event = spare->server->event;
        int r;

        r = sd_event_add_child(event, &spare->exit_source, spare->child.pid, WEXITED, on_exit_, spare);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &spare->timer, CLOCK_MONOTONIC, SPARE_USEC, 0,
                                               on_time, spare->server);
        if (r < 0) {
                /* Unwatched it would never be reaped: it ends now. */
                kill(spare->child.pid, SIGKILL);
                (void)waitpid(spare->child.pid, NULL, 0);
        }
        return r < 0 ? r : 0;
}

void spare_prepare(Server *server) {
        Spare *spare;
        int r;

        if (server->spare) {
                (void)sd_event_source_set_time_relative(server->spare->timer, SPARE_USEC);
                return;
        }
        spare = calloc(1, sizeof(*spare));
        if (!spare)
                return;
        *spare = (Spare){.server = server, .next = server->spares, .child.socket_fd = -1};
        server->spares = spare;
        r = child_start(&server->context.privilege, &spare->child);
        if (r == 0)
                r = watch(spare);
        if (r < 0) {
                log_warning("no child can be made ahead: %s", strerror(-r));
                forget(spare);
                return;
        }
        server->spare = spare;
}

Child spare_take(Server *server) {
        Spare *spare = server->spare;
        Child child = {.socket_fd = -1};

        if (!spare)
                return child;
        child = spare->child;
        spare->child.socket_fd = -1;
        spare->timer = sd_event_source_disable_unref(spare->timer);
        server->spare = NULL;
        return child;
}

void spare_stop(Server *server) {
        while (server->spares)
                forget(server->spares);
}
