/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/metrics.h"

#include <string.h>

/* --- the reply: a(sa{ss}t) --- */

/* A sample of a network, with one more label; NULL: with none. */
static int append(sd_bus_message *m, const char *name, const char *network, const char *label,
                  const char *text, uint64_t value) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sa{ss}t");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r >= 0 && *network)
                r = sd_bus_message_append(m, "{ss}", "network", network);
        if (r >= 0 && label)
                r = sd_bus_message_append(m, "{ss}", label, text);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 't', &value);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_kinds(sd_bus_message *m, const char *name, const NetworkCounts *network,
                        const uint64_t *values) {
        int r = 0;

        for (size_t kind = 0; kind <= KIND_UNKNOWN && r >= 0; kind++)
                if (kind < KIND_UNKNOWN || values[kind] > 0)
                        r = append(m, name, network->name, "kind",
                                   lease_kind_to_string((LeaseKind)kind), values[kind]);
        return r;
}

static int append_leases(sd_bus_message *m, const NetworkCounts *network) {
        int r;

        r = append_kinds(m, "leases", network, network->open);
        if (r >= 0)
                r = append_kinds(m, "leases_closed", network, network->closed);
        if (r >= 0)
                r = append_kinds(m, "leases_opened", network, network->opened);
        for (size_t i = 0; i < COUNTED_ENDS && r >= 0; i++)
                r = append(m, "leases_ended", network->name, "reason", counted_end_name(i),
                           network->ended[i]);
        return r;
}

static int append_traffic(sd_bus_message *m, const NetworkCounts *network) {
        int r = 0;

        for (size_t i = 0; i < COUNTED_TRAFFIC && r >= 0; i++)
                r = append(m, ipc_statistics_name(i), network->name, NULL, NULL,
                           network->traffic[i]);
        for (size_t i = 0; i < DROP_REASONS && r >= 0; i++)
                r = append(m, "guard_dropped", network->name, "reason", drop_name(i),
                           network->dropped[i]);
        return r;
}

/* An error's last word: "QuotaExceeded". */
static int append_refused(sd_bus_message *m, const NetworkCounts *network) {
        int r = 0;

        for (size_t i = 1; i < RAWNET_ERROR_COUNT && r >= 0; i++)
                if (network->refused[i] > 0)
                        r = append(m, "refused", network->name, "error",
                                   strrchr(rawnet_error_to_dbus((RawnetError)i), '.') + 1,
                                   network->refused[i]);
        return r;
}

static int append_network(sd_bus_message *m, const Service *service, const NetworkCounts *network) {
        const NetworkEntry *entry = network_table_find(&service->networks, network->name);
        int r = 0;

        if (entry && !entry->error)
                r = append(m, "leases_max", network->name, NULL, NULL, entry->network.max_leases);
        /* No lease is on the network without a name. */
        if (r >= 0 && *network->name)
                r = append_leases(m, network);
        if (r >= 0 && *network->name)
                r = append_traffic(m, network);
        return r < 0 ? r : append_refused(m, network);
}

/* The leases that there are now, and networks of which nothing has been counted yet. */
static void count_leases(Service *service) {
        Counts *counts = &service->counts;

        for (size_t i = 0; i < service->networks.n_entries; i++)
                (void)counts_of(counts, service->networks.entries[i]->network.name);
        for (size_t i = 0; i < counts->n; i++) {
                memset(counts->networks[i].open, 0, sizeof(counts->networks[i].open));
                memset(counts->networks[i].closed, 0, sizeof(counts->networks[i].closed));
        }
        for (Lease *l = lease_table_next(&service->leases, NULL); l;
             l = lease_table_next(&service->leases, l)) {
                NetworkCounts *network = counts_of_full(counts, l->ipc.network);

                if (network)
                        (l->ipc.gone ? network->closed
                                     : network->open)[MIN_OF(l->ipc.kind, KIND_UNKNOWN)]++;
        }
}

static int reply(Request *request) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const Service *service = request->service;
        int r;

        r = sd_bus_message_new_method_return(request->message, &m);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 't', &service->counts.since);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sa{ss}t)");
        for (size_t i = 0; i < service->counts.n && r >= 0; i++)
                r = append_network(m, service, &service->counts.networks[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_send(m);
}

/* --- reading the leases' counters --- */

/* refusal: why there is no reply; NULL: there is one. */
static void end_reading(Service *service, const Refusal *refusal) {
        service->reading = (LeaseReading){.ids = (free(service->reading.ids), NULL)};
        if (!refusal)
                count_leases(service);
        for (Request *q = service->requests; q; q = q->next) {
                if (q->stage != REQUEST_READING)
                        continue;
                if (refusal)
                        request_refuse(q, refusal);
                else
                        request_finish(q, reply(q));
        }
}

static void read_next(Service *service);

static void on_statistics(void *userdata, const IpcReply *answer, const int *fds, size_t n_fds,
                          const Refusal *refusal) {
        Service *service = userdata;
        LeaseReading *reading = &service->reading;
        Lease *lease = lease_table_find(&service->leases, reading->ids[reading->next++]);
        NetworkCounts *network =
                lease ? counts_of_full(&service->counts, lease->ipc.network) : NULL;

        closer_close(service->closer, fds, n_fds);
        if (refusal && refusal->error == RAWNET_HELPER_UNAVAILABLE) {
                end_reading(service, refusal);
                return;
        }
        /* Without counters the lease has ended meanwhile. */
        if (network && !refusal && answer->type == IPC_STATISTICS)
                counts_read(network, &lease->seen, &answer->statistics);
        read_next(service);
}

static void read_next(Service *service) {
        LeaseReading *reading = &service->reading;
        IpcRequest ipc = {.operation = IPC_STATISTICS_OF};
        Refusal refusal = {};
        int r;

        if (reading->next == reading->n) {
                end_reading(service, NULL);
                return;
        }
        ipc.lease = reading->ids[reading->next];
        r = helper_call(service->helper, &ipc, on_statistics, service, &refusal);
        if (r < 0)
                (void)refuse(&refusal, RAWNET_HELPER_UNAVAILABLE,
                             "cannot ask rawnet-helper for the leases' counters: %s", strerror(-r));
        if (r != 0)
                end_reading(service, &refusal);
}

static int start_reading(Service *service) {
        LeaseReading *reading = &service->reading;

        reading->ids = calloc(service->leases.n_leases + 1, sizeof(*reading->ids));
        if (!reading->ids)
                return -ENOMEM;
        for (Lease *l = lease_table_next(&service->leases, NULL); l;
             l = lease_table_next(&service->leases, l))
                if (!l->ipc.gone)
                        reading->ids[reading->n++] = l->ipc.id;
        read_next(service);
        return 0;
}

static int metrics_step(Request *request, void *userdata, Refusal *ret) {
        Service *service = request->service;

        if (!helper_ready(service->helper))
                return request_wait_sync(request, ret);
        request->stage = REQUEST_READING;
        return service->reading.ids ? 0 : start_reading(service);
}

int metrics_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, userdata, metrics_step, NULL);
}
