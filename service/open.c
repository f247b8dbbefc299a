/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * OpenTap(), OpenPacket() and Attach(): the steps from the message to the helper, and from its answer
 * to the caller's reply.
 *
 * One rule above all: what is handed to the helper is what polkit was asked about. Both are made
 * from the same IpcRequest (open-plan.h), which is made anew from message and network file each
 * time the message comes through here, and compared as a whole after polkit's answer.
 */

#include "service/open.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/namespace-fd.h"
#include "service/authorize.h"
#include "service/event-clock.h"
#include "service/lease-event.h"
#include "service/lease.h"
#include "service/open-mac.h"
#include "service/open-plan.h"
#include "service/quota.h"

static int append_fds(sd_bus_message *m, const int *fds, size_t n) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "h");
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = sd_bus_message_append_basic(m, 'h', &fds[i]);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

static int append_info(sd_bus_message *m, const IpcLease *lease) {
        char interface[16], mac[MAC_TEXT_SIZE] = "";

        snprintf(interface, sizeof(interface), RAWNET_PORT_NAME_FORMAT, lease->id);
        if (!mac_is_zero(&lease->mac))
                mac_format(&lease->mac, mac);
        return sd_bus_message_append(m, "a{sv}", 6, "id", "u", lease->id, "mac", "s", mac, "mtu",
                                     "u", lease->mtu, "interface", "s", interface, "vlan", "u",
                                     (uint32_t)lease->vlan, "vnet-hdr", "b", (int)lease->vnet_hdr);
}

/* taps, vhosts, lease, info; or packets, lease, info; or lease, info. The message gets duplicates of the
 * descriptors. */
static int open_reply(const Request *request, const IpcLease *lease, const int *fds,
                      sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const IpcOpen *open = &request->open;
        char path[LEASE_PATH_SIZE];
        int r;

        r = sd_bus_message_new_method_return(request->message, &m);
        if (r < 0)
                return r;
        if (ipc_kind_has_fds(open->kind)) {
                r = append_fds(m, fds, open->queues);
                if (r < 0)
                        return r;
        }
        if (open->kind == KIND_TAP) {
                r = append_fds(m, fds + open->queues, open->vhost ? open->queues : 0);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_append_basic(m, 'o', lease_path(lease->id, path));
        if (r < 0)
                return r;
        r = append_info(m, lease);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static void log_opened(const Request *request, const IpcLease *lease) {
        char label[IPC_LEASE_LABEL_SIZE], where[WIRE_TEXT_SIZE];
        LeaseEvent event;

        lease_event(lease, LOG_INFO, RAWNET_EVENT_OPENED, &event);
        log_event(&event.log,
                  "lease %s opened: a %s port on network %s for user %" PRIu32 ", MAC %s, %s",
                  ipc_lease_label(lease, label), event.log.kind, lease->network, request->uid,
                  event.log.mac ? event.log.mac : "to be learned",
                  wire_to_string(lease->parent, lease->vlan, where));
}

/* Did the helper open the requested lease? */
static bool answer_fits(const IpcOpen *open, const IpcReply *reply, size_t n_fds) {
        const size_t expected =
                ipc_kind_has_fds(open->kind) ? open->queues * (open->vhost ? 2u : 1u) : 0;
        const IpcLease *lease = &reply->lease;

        return reply->type == IPC_OPENED && n_fds == expected &&
               strcmp(lease->network, open->network) == 0 && lease->kind == open->kind &&
               lease->uid == open->uid && lease->vlan == open->vlan && !lease->direct &&
               lease->vnet_hdr == open->vnet_hdr && lease->queues == open->queues;
}

/* The bus has the reply; otherwise closing rawnetd's copies ends the lease. */
static void on_delivered(void *userdata, DeliveryResult result) {
        Request *request = userdata;
        const Lease *lease = lease_table_find(&request->service->leases, request->lease);
        Refusal refusal = {};

        switch (result) {
        case DELIVERY_SENT:
                if (lease)
                        log_opened(request, &lease->ipc);
                break;
        case DELIVERY_UNREAD:
                (void)delivery_refuse_unread(request->service->deliveries, request->uid,
                                             request->open.network, &refusal);
                request_refuse(request, &refusal);
                return;
        case DELIVERY_ABLE:
        case DELIVERY_UNABLE:
        case DELIVERY_GONE:
                break;
        case DELIVERY_FAILED:
                request_fail(request, -EIO);
                return;
        }
        request_end(request);
}

static void on_taken_back(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                          const Refusal *refusal) {
        Service *service = userdata;

        closer_close(service->closer, fds, n_fds);
        if (refusal && refusal->error != RAWNET_NO_SUCH_LEASE)
                log_warning("a lease whose caller left stays open: %s", refusal->text);
}

/* Nothing but its interface holds a veth lease: one that its caller does not hear of is closed. */
static void take_back(Service *service, uint32_t id) {
        IpcRequest ipc = {.operation = IPC_CLOSE, .lease = id};
        Refusal refusal = {};
        int r;

        r = helper_call(service->helper, &ipc, on_taken_back, service, &refusal);
        if (r != 0)
                log_warning("a lease whose caller left stays open: %s",
                            r > 0 ? refusal.text : strerror(-r));
}

/* The reply to Attach() has no descriptors: what delivery.h is about does not matter. r: what making
 * it came to. */
static void finish_attached(Request *request, sd_bus_message *m, int r) {
        const Lease *lease = lease_table_find(&request->service->leases, request->lease);

        if (r >= 0 && m)
                r = sd_bus_message_send(m);
        if (r >= 0 && m && lease)
                log_opened(request, &lease->ipc);
        else
                take_back(request->service, request->lease);
        request_finish(request, r);
}

static void on_opened(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                      const Refusal *refusal) {
        Request *request = userdata;
        Service *service = request->service;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = -EBADMSG;

        if (refusal && !request->lost_helper && !helper_connected(service->helper)) {
                /* The helper was lost, perhaps to be restarted, and with it the half-made lease:
                 * the request begins again. */
                request->opens = false;
                request->stage = REQUEST_SYNC;
                return;
        }
        if (refusal) {
                request_refuse(request, refusal);
                return;
        }
        if (answer_fits(&request->open, reply, n_fds)) {
                request->opens = false;
                request->lease = reply->lease.id;
                /* Signals first and replies then: whoever has the reply finds the object. */
                r = lease_put(service, &reply->lease);
                if (r >= 0 && !request->caller_gone)
                        r = open_reply(request, &reply->lease, fds, &m);
        } else
                log_error("rawnet-helper opened something else than it was asked for on network %s",
                          request->open.network);
        if (request->lease != 0 && !ipc_kind_has_fds(request->open.kind)) {
                finish_attached(request, m, r);
                return;
        }
        if (m) {
                delivery_reply(service->deliveries, request->message, request->uid, m, fds, n_fds,
                               on_delivered, request);
                return;
        }
        /* The caller gets no descriptors: closing rawnetd's ends the lease. */
        closer_close(service->closer, fds, n_fds);
        request_finish(request, r);
}

/* After all checks that cost nothing, once for each open. */
static int rate_check(Request *request, const char *network, Refusal *ret) {
        RateTable *opens = request->service->opens;

        if (request->rated)
                return 0;
        request->rated = true;
        if (rate_take(opens, request->uid, event_usec(request->service->event)))
                return 0;
        return refuse(ret, RAWNET_LIMITS_EXCEEDED,
                      "network %s: you have opened ports too fast, and may open %" PRIu32
                      " each second now; wait a moment, or ask an administrator to raise "
                      "--opens-per-second= of rawnetd(8)",
                      network, rate_per_second(opens));
}

static void on_probed(void *userdata) {
        Request *request = userdata;

        if (request->stage == REQUEST_PROBE)
                request_requeue(request);
}

/* Attach(): the namespace and what the interface is called there. Whether the name is free only the
 * kernel knows. */
static int read_interface(Request *request, const char *network, char ret[static IFNAMSIZ],
                          Refusal *ret_refusal) {
        const char *interface;
        int fd, r;

        r = sd_bus_message_read(request->message, "hs", &fd, &interface);
        if (r < 0)
                return r;
        r = interface_name_check(interface, "network", network, ret_refusal);
        if (r != 0)
                return r;
        snprintf(ret, IFNAMSIZ, "%s", interface);
        return namespace_fd_check(fd, request->uid, network, ret_refusal);
}

/* The namespace that goes to the helper: the message's. -1: of a kind that has none. */
static int namespace_of(sd_bus_message *m, const IpcOpen *open) {
        int fd = -1;

        if (open->kind == KIND_VETH &&
            (sd_bus_message_rewind(m, true) < 0 || sd_bus_message_read(m, "sh", NULL, &fd) < 0))
                return -1;
        return fd;
}

/* polkit's detail "mac": what the caller asked for, "" when rawnet chooses. */
static const char *asked_mac(const OpenOptions *options, char buffer[static MAC_TEXT_SIZE]) {
        switch (options->mac_mode) {
        case IPC_MAC_GIVEN:
                return mac_format(&options->mac, buffer);
        case IPC_MAC_LEARN:
                return "learn";
        default:
                return "";
        }
}

static int open_step(Request *request, void *userdata, Refusal *ret) {
        LeaseKind kind = *(const LeaseKind *)userdata;
        IpcRequest ipc = {.operation = IPC_OPEN};
        PolkitQuestion question;
        OpenOptions options;
        Network network;
        NetworkName name;
        const char *full_name;
        char mac[MAC_TEXT_SIZE], what[OPEN_TEXT_SIZE];
        uint64_t limit;
        bool yes = false;
        int r;

        r = sd_bus_message_read_basic(request->message, 's', &full_name);
        if (r < 0)
                return r;
        r = network_name_parse(full_name, &name, ret);
        if (r == 0) {
                /* For the journal, where what follows is refused. */
                snprintf(ipc.open.network, sizeof(ipc.open.network), "%s", full_name);
                ipc.open.kind = kind;
                request->open = ipc.open;
        }
        if (r == 0 && kind == KIND_VETH)
                r = read_interface(request, full_name, ipc.open.interface, ret);
        if (r != 0)
                return r;
        r = options_read(request->message, kind, full_name, &options, ret);
        if (r != 0)
                return r;
        memcpy(ipc.open.lease_name, options.name, sizeof(ipc.open.lease_name));
        ipc.open.addresses = options.addresses;
        ipc.open.rate = options.rate;
        r = open_plan_network(request, full_name, kind, options.vnet_hdr, &network, &ipc.open, ret);
        request->open = ipc.open;
        if (r != 0 || request->stage == REQUEST_FILE)
                return r;
        r = network_locks_addresses(&network, full_name, address_list_count(&options.addresses),
                                    ret);
        if (r == 0)
                r = network_rate(&network, full_name, options.rate, &limit, ret);
        if (r == 0)
                r = open_mac_plan(request->service, &network, &options, request->uid, &ipc.open,
                                  ret);
        ipc.open.uid = request->uid;
        ipc.open.queues = options.queues;
        ipc.open.vhost = options.vhost;
        ipc.open.up = options.up;
        request->open = ipc.open;
        if (r != 0)
                return r;

        /* Quotas can be checked only with the list of leases. */
        if (!helper_ready(request->service->helper))
                return request_wait_sync(request, ret);
        r = quota_check(request, &network, ret);
        if (r != 0)
                return r;
        r = rate_check(request, full_name, ret);
        if (r == 0 && ipc_kind_has_fds(kind))
                r = probe_start(&request->probe, request->service->deliveries, request->message,
                                request->uid, full_name, on_probed, request, ret);
        if (r != 0)
                return r;
        open_plan_question(&ipc, asked_mac(&options, mac), limit, &question);
        open_plan_text(&ipc.open, what);
        r = authorize(request, &question, what, &yes, ret);
        if (r != 0 || !yes)
                return r;
        if (ipc_kind_has_fds(kind))
                r = probe_verify(&request->probe, full_name, &yes, ret);
        if (r == 0 && !yes)
                request->stage = REQUEST_PROBE;
        if (r != 0 || !yes)
                return r;

        r = helper_call_with(request->service->helper, &ipc,
                             namespace_of(request->message, &ipc.open), on_opened, request, ret);
        if (r != 0)
                return r;
        request->stage = REQUEST_HELPER;
        request->opens = true;
        return 0;
}

int open_method_tap(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        LeaseKind kind = KIND_TAP;

        return request_run(m, userdata, open_step, &kind);
}

int open_method_packet(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        LeaseKind kind = KIND_PACKET;

        return request_run(m, userdata, open_step, &kind);
}

int open_method_attach(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        LeaseKind kind = KIND_VETH;

        return request_run(m, userdata, open_step, &kind);
}
