/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/news.h"

#include "common/log.h"

static void publish_lease(const News *news, const IpcLease *lease) {
        IpcReply reply = ipc_reply(0, IPC_LEASE);

        reply.lease = *lease;
        connections_publish(news->connections, &reply);
}

static void publish_end(const News *news, const IpcLease *lease, IpcEndReason reason) {
        IpcReply reply = ipc_reply(0, IPC_ENDED);

        reply.lease.id = lease->id;
        reply.reason = reason;
        connections_publish(news->connections, &reply);
}

/* For a lease whose namespace is gone. */
static IpcEndReason end_reason(const IpcLease *lease) {
        return lease->gone ? IPC_END_NAMESPACE : IPC_END_LAST_FD;
}

int news_lease(const News *news, const Report *report, bool quiet) {
        int r = registry_put(news->registry, &report->lease, report->value, report->carries);
        const RegistryEntry *entry = registry_find(news->registry, report->lease.id);

        if (quiet || r <= 0 || !entry)
                return MIN_OF(r, 0);
        if (!entry->lease.gone)
                publish_lease(news, &entry->lease);
        else if (r == 2)
                publish_end(news, &entry->lease,
                            report->type == REPORT_CLOSED ? IPC_END_CLOSED : IPC_END_LINK_GONE);
        return 0;
}

int news_changed(const News *news, const Report *report) {
        return registry_find(news->registry, report->lease.id) ? news_lease(news, report, false)
                                                               : 0;
}

void news_opened(const News *news, uint32_t id) {
        const RegistryEntry *entry = registry_find(news->registry, id);

        if (!entry)
                return;
        if (entry->lease.gone)
                publish_end(news, &entry->lease, IPC_END_LINK_GONE);
        else
                publish_lease(news, &entry->lease);
}

void news_scanned(const News *news, bool whole) {
        Registry *registry = news->registry;
        IpcLease lost;

        while (registry_next_lost(registry, &lost))
                publish_end(news, &lost, end_reason(&lost));
        registry->whole = registry->whole || whole;
        if (!registry->whole)
                log_notice("leases that another version of rawnet opened may be missing: the "
                           "kernel did not list all of its namespaces, or their records cannot be "
                           "read");
}

bool news_ended(const News *news, uint32_t id, bool closing) {
        IpcLease lease;

        if (!registry_remove(news->registry, id, &lease))
                return false;
        if (closing && !lease.gone)
                publish_end(news, &lease, IPC_END_CLOSED);
        lease.gone = lease.gone || closing;
        publish_end(news, &lease, end_reason(&lease));
        return lease.vlan != 0;
}

void news_dropped(const News *news, uint32_t id, uint32_t reason, const MacAddress *source,
                  const AddressPrefix *address) {
        IpcReply reply = ipc_reply(0, IPC_DROPPED);

        if (!registry_find(news->registry, id) || reason >= DROP_REASONS)
                return;
        reply.lease.id = id;
        reply.dropped.reason = reason;
        reply.dropped.source = *source;
        reply.dropped.address = *address;
        connections_publish(news->connections, &reply);
}

void news_mtu(const News *news, uint32_t index, const char *name, uint32_t mtu) {
        size_t n = 0, n_direct = 0, position = 0;
        const RegistryEntry *entry;

        while ((entry = registry_follow_mtu(news->registry, index, mtu, &position))) {
                publish_lease(news, &entry->lease);
                n++;
                n_direct += entry->lease.direct;
        }
        if (n > 0)
                log_notice("the MTU of %s is %" PRIu32 " now, and so is that of %zu lease%s on it",
                           name, mtu, n, n == 1 ? "" : "s");
        if (n_direct > 0)
                log_notice(
                        "%zu of them were opened by an earlier version with Isolation=direct; if the "
                        "MTU of %s rises again, they keep this one until they are opened anew",
                        n_direct, name);
}
