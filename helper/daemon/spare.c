/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/spare.h"

#include <string.h>

#include "common/log.h"

void spare_refill(Server *server) {
        int r;

        if (!server->spare_due || server->spare || server->n_opens > 0)
                return;
        server->spare_due = false;
        r = worker_start_ahead(server, &server->spare);
        if (r < 0)
                log_limited(&server->failures, LOG_WARNING, "no worker can be made ahead: %s",
                            strerror(-r));
}

Worker *spare_take(Server *server) {
        Worker *worker = server->spare;

        server->spare = NULL;
        server->spare_due = true;
        return worker;
}

void spare_lost(Server *server) {
        server->spare = NULL;
}
