/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/spare.h"

#include <string.h>

#include "common/log.h"

static int on_time(sd_event_source *source, uint64_t usec, void *data) {
        Worker *worker = spare_take(data);

        if (worker)
                worker_dismiss(worker);
        return 0;
}

static int arm(Server *server) {
        if (server->spare_timer)
                return sd_event_source_set_time_relative(server->spare_timer, SPARE_USEC);
        return sd_event_add_time_relative(server->event, &server->spare_timer, CLOCK_MONOTONIC, SPARE_USEC,
                                          0, on_time, server);
}

void spare_prepare(Server *server) {
        int r;

        r = arm(server);
        if (r >= 0 && !server->spare)
                r = worker_start_ahead(server, &server->spare);
        if (r < 0)
                log_warning("no worker can be made ahead: %s", strerror(-r));
}

Worker *spare_take(Server *server) {
        Worker *worker = server->spare;

        server->spare = NULL;
        server->spare_timer = sd_event_source_disable_unref(server->spare_timer);
        return worker;
}
