/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/lease.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"
#include "service/lease-event.h"
#include "service/refused.h"

const char *lease_path(uint32_t id, char buffer[static LEASE_PATH_SIZE]) {
        snprintf(buffer, LEASE_PATH_SIZE, RAWNET_PATH_LEASE "/%" PRIu32, id);
        return buffer;
}

const char *lease_refused(const Service *service, const IpcLease *lease,
                          char buffer[static REFUSAL_TEXT_MAX]) {
        const NetworkEntry *entry = NULL;
        NetworkName name;

        if (network_name_parse(lease->network, &name, NULL) == 0)
                entry = network_table_find(&service->networks, name.name);
        return refused_text(lease, entry ? &entry->network : NULL, buffer);
}

int lease_path_to_id(const char *path, uint32_t *ret) {
        const size_t prefix = sizeof(RAWNET_PATH_LEASE) - 1;

        if (strncmp(path, RAWNET_PATH_LEASE, prefix) != 0 || path[prefix] != '/')
                return -EINVAL;
        return text_parse_u32(path + prefix + 1, RAWNET_ID_MIN, RAWNET_ID_MAX, ret);
}

/* A signal that cannot be sent leaves a client with an old view until it asks again. rawnetd logs
 * that and goes on. */
static void signal_sent(int r, const char *what) {
        if (r < 0)
                log_warning("could not send the signal %s: %s", what, strerror(-r));
}

static void lease_remove(Service *service, Lease *lease) {
        char path[LEASE_PATH_SIZE];
        uint32_t id = lease->ipc.id;

        lease_table_remove(&service->leases, lease);
        signal_sent(sd_bus_emit_interfaces_removed(service->bus, lease_path(id, path),
                                                   RAWNET_IFACE_LEASE, NULL),
                    "InterfacesRemoved");
}

/* Ended's reason where the parent or the VLAN interface was deleted under the lease. */
static const char link_gone[] = "link-gone";

/* Whose Close() it was. */
static const char *close_reason(const Lease *lease) {
        return lease->closing && lease->closer == lease->ipc.uid ? "closed" : "revoked";
}

/* Where its namespace has ended. A Close() deletes a container's interface, and with it the
 * namespace ends, perhaps before the helper's answer is here. */
static const char *last_reason(const Lease *lease) {
        if (lease->ipc.kind != KIND_VETH)
                return "last-fd";
        return lease->closing ? close_reason(lease) : "interface-gone";
}

/* For the journal. */
static const char *reason_text(const char *reason) {
        if (strcmp(reason, "closed") == 0)
                return "its user closed it";
        if (strcmp(reason, "revoked") == 0)
                return "another user closed it";
        if (strcmp(reason, "interface-gone") == 0)
                return "its interface, or the namespace that had it, is gone";
        return "its last file descriptor was closed";
}

static void count_ended(Service *service, const Lease *lease, const char *reason) {
        NetworkCounts *network = counts_of_full(&service->counts, lease->ipc.network);

        if (network)
                counts_ended(network, reason);
}

/* Ended, once. */
static void lease_say_ended(Service *service, Lease *lease, const char *reason) {
        const bool gone = strcmp(reason, link_gone) == 0;
        const bool revoked = strcmp(reason, "revoked") == 0;
        char path[LEASE_PATH_SIZE], label[IPC_LEASE_LABEL_SIZE], mac[LEASE_EVENT_MAC_SIZE];
        char closer[16];
        LeaseEvent event;

        if (lease->ended)
                return;
        lease->ended = true;
        count_ended(service, lease, reason);
        lease_event(&lease->ipc, LOG_INFO,
                    gone || revoked ? RAWNET_EVENT_REVOKED : RAWNET_EVENT_ENDED, &event);
        event.log.reason = reason;
        if (revoked && lease->closing) {
                snprintf(closer, sizeof(closer), "%" PRIu32, lease->closer);
                event.log.closer = closer;
        }
        log_event(&event.log, "lease %s of user %" PRIu32 " on network %s%s ended: %s%s%s",
                  ipc_lease_label(&lease->ipc, label), lease->ipc.uid, lease->ipc.network,
                  lease_event_mac(&lease->ipc, mac), gone ? lease->ipc.parent : reason_text(reason),
                  event.log.closer ? ", user " : "",
                  gone               ? " or its VLAN interface was deleted; open a new lease"
                  : event.log.closer ? event.log.closer
                                     : "");
        signal_sent(sd_bus_emit_signal(service->bus, lease_path(lease->ipc.id, path),
                                       RAWNET_IFACE_LEASE, "Ended", "s", reason),
                    "Ended");
        if (lease->ipc.gone)
                signal_sent(sd_bus_emit_properties_changed(service->bus, path, RAWNET_IFACE_LEASE,
                                                           "State", NULL),
                            "PropertiesChanged");
}

/* The helper reports a guest's attempts at growing intervals (helper/child/learn.c), so this is no
 * flood. */
static void log_refused(const Service *service, const IpcLease *lease) {
        char mac[MAC_TEXT_SIZE], label[IPC_LEASE_LABEL_SIZE], text[REFUSAL_TEXT_MAX];
        LeaseEvent event;

        if (lease->refused_why == LEARN_REFUSED_NOTHING)
                return;
        lease_event(lease, LOG_NOTICE, RAWNET_EVENT_ADDRESS_REFUSED, &event);
        event.log.mac = mac_format(&lease->refused_mac, mac);
        log_event(&event.log, "lease %s of user %" PRIu32 ": %s", ipc_lease_label(lease, label),
                  lease->uid, lease_refused(service, lease, text));
}

/* Once in a lease's life. */
static void log_learned(const IpcLease *lease) {
        char label[IPC_LEASE_LABEL_SIZE];
        LeaseEvent event;

        lease_event(lease, LOG_INFO, RAWNET_EVENT_LEARNED, &event);
        log_event(&event.log,
                  "lease %s of user %" PRIu32 " on network %s has learned its MAC "
                  "address %s from its guest",
                  ipc_lease_label(lease, label), lease->uid, lease->network, event.log.mac);
}

/* A lease of which the journal has no later entry than one from before the last start of rawnetd,
 * and not this one, ended while rawnetd did not run. */
static void log_found(const IpcLease *lease) {
        char label[IPC_LEASE_LABEL_SIZE], mac[LEASE_EVENT_MAC_SIZE];
        LeaseEvent event;

        lease_event(lease, LOG_INFO, RAWNET_EVENT_FOUND, &event);
        log_event(&event.log,
                  "rawnetd has started, and found lease %s of user %" PRIu32 " on "
                  "network %s%s",
                  ipc_lease_label(lease, label), lease->uid, lease->network,
                  lease_event_mac(lease, mac));
}

/* One that rawnetd has found at its start may have counted for days. */
static void count_opened(Service *service, Lease *lease) {
        NetworkCounts *network = counts_of_full(&service->counts, lease->ipc.network);

        lease->seen.known = true;
        if (network)
                network->opened[MIN_OF(lease->ipc.kind, (uint32_t)KIND_UNKNOWN)]++;
}

static int lease_add(Service *service, const IpcLease *ipc) {
        char path[LEASE_PATH_SIZE];
        Lease *lease;

        lease = lease_table_add(&service->leases, ipc);
        if (!lease)
                return -ENOMEM;
        /* Closed or revoked before rawnetd knew it: nobody waits for its Ended. */
        lease->ended = ipc->gone;
        if (service->listed)
                count_opened(service, lease);
        else
                log_found(ipc);
        log_refused(service, ipc);
        if (service->on_bus)
                signal_sent(sd_bus_emit_interfaces_added(service->bus, lease_path(ipc->id, path),
                                                         RAWNET_IFACE_LEASE, NULL),
                            "InterfacesAdded");
        return 0;
}

int lease_put(Service *service, const IpcLease *ipc) {
        Lease *lease = lease_table_find(&service->leases, ipc->id);
        char path[LEASE_PATH_SIZE];
        bool refused_changed, learned;
        const char *changed[5];
        size_t n = 0;

        /* The same number, but another lease: the old one ended while rawnetd did not listen. */
        if (lease && lease->ipc.since != ipc->since) {
                lease_say_ended(service, lease, last_reason(lease));
                lease_remove(service, lease);
                lease = NULL;
        }
        if (!lease)
                return lease_add(service, ipc);

        refused_changed = lease->ipc.refused_why != ipc->refused_why ||
                          !mac_equal(&lease->ipc.refused_mac, &ipc->refused_mac);
        if (!mac_equal(&lease->ipc.mac, &ipc->mac))
                changed[n++] = "MAC";
        if (lease->ipc.mtu != ipc->mtu)
                changed[n++] = "MTU";
        if (refused_changed) {
                changed[n++] = "RefusedMAC";
                changed[n++] = "RefusedReason";
        }
        changed[n] = NULL;
        learned = mac_is_zero(&lease->ipc.mac) && !mac_is_zero(&ipc->mac);
        lease->ipc = *ipc;
        lease->generation = service->leases.generation;
        if (n > 0)
                signal_sent(
                        sd_bus_emit_properties_changed_strv(service->bus, lease_path(ipc->id, path),
                                                            RAWNET_IFACE_LEASE, (char **)changed),
                        "PropertiesChanged");
        if (learned)
                log_learned(ipc);
        if (refused_changed)
                log_refused(service, ipc);
        if (ipc->gone)
                lease_say_ended(service, lease, lease->closing ? close_reason(lease) : link_gone);
        return 0;
}

void lease_end(Service *service, uint32_t id, IpcEndReason reason) {
        Lease *lease = lease_table_find(&service->leases, id);

        if (!lease)
                return;
        switch (reason) {
        case IPC_END_CLOSED:
                lease->ipc.gone = 1;
                lease_say_ended(service, lease, close_reason(lease));
                break;
        case IPC_END_LINK_GONE:
                lease->ipc.gone = 1;
                lease_say_ended(service, lease, link_gone);
                break;
        case IPC_END_LAST_FD:
        case IPC_END_NAMESPACE:
                lease_say_ended(service, lease, last_reason(lease));
                lease_remove(service, lease);
                break;
        }
}

/* A later frame is not reported: rawnetctl stat has the number. */
void lease_dropped(Service *service, uint32_t id, const IpcDropped *dropped) {
        const Lease *lease = lease_table_find(&service->leases, id);
        char source[MAC_TEXT_SIZE], label[IPC_LEASE_LABEL_SIZE], address[ADDRESS_TEXT_SIZE];
        LeaseEvent event;

        if (!lease || !refusal_log_wants(service->refusals, lease->ipc.uid, LOGGED_DROP))
                return;
        lease_event(&lease->ipc, LOG_NOTICE, RAWNET_EVENT_DROPPED, &event);
        event.log.reason = drop_name(dropped->reason);
        event.log.source = mac_format(&dropped->source, source);
        (void)address_format(&dropped->address, address);
        log_event(&event.log,
                  "lease %s of user %" PRIu32 " on network %s, MAC %s: the guard dropped a frame "
                  "from %s, reason: %s%s%s; rawnetctl stat " RAWNET_PORT_NAME_FORMAT
                  " counts those that follow",
                  ipc_lease_label(&lease->ipc, label), lease->ipc.uid, lease->ipc.network,
                  event.log.mac ? event.log.mac : "to be learned", source,
                  drop_text(dropped->reason), address[0] ? ": " : "", address, id);
}

void lease_list_begins(Service *service) {
        service->leases.generation++;
}

void lease_list_complete(Service *service) {
        Lease *next;

        for (Lease *l = lease_table_next(&service->leases, NULL); l; l = next) {
                next = lease_table_next(&service->leases, l);
                if (l->generation == service->leases.generation)
                        continue;
                lease_say_ended(service, l, last_reason(l));
                lease_remove(service, l);
        }
}
