/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * org.rawnet1.Lease on the bus. Objects are looked up when somebody asks for them: nothing is
 * registered per lease.
 */

#include "service/lease-object.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/network-file.h"
#include "service/authorize.h"
#include "service/lease.h"

static int refuse_no_lease(Refusal *ret, const char *path) {
        uint32_t id;

        if (lease_path_to_id(path, &id) < 0)
                return refuse(ret, RAWNET_NO_SUCH_LEASE,
                              "there is no lease %s; rawnetctl list shows the leases",
                              path + sizeof(RAWNET_PATH_LEASE));
        return refuse(ret, RAWNET_NO_SUCH_LEASE,
                      "there is no lease " RAWNET_PORT_NAME_FORMAT
                      "; it may have ended, rawnetctl list shows the leases",
                      id);
}

static const char *lease_text(const IpcLease *ipc, const char *property,
                              char buffer[static MAC_TEXT_SIZE]) {
        if (strcmp(property, "Network") == 0)
                return ipc->network;
        if (strcmp(property, "Kind") == 0)
                return lease_kind_to_string(ipc->kind);
        if (strcmp(property, "Parent") == 0)
                return ipc->parent;
        if (strcmp(property, "Name") == 0)
                return ipc->lease_name;
        if (strcmp(property, "State") == 0)
                return ipc->gone ? "ended" : "open";
        if (strcmp(property, "MAC") == 0)
                return mac_is_zero(&ipc->mac) ? "" : mac_format(&ipc->mac, buffer);
        if (strcmp(property, "RefusedMAC") == 0)
                return mac_is_zero(&ipc->refused_mac) ? "" : mac_format(&ipc->refused_mac, buffer);
        snprintf(buffer, MAC_TEXT_SIZE, RAWNET_PORT_NAME_FORMAT, ipc->id);
        return buffer; /* Interface */
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Lease *lease = userdata;
        char buffer[MAC_TEXT_SIZE];

        return sd_bus_message_append_basic(reply, 's', lease_text(&lease->ipc, property, buffer));
}

/* The vtable's userdata is the lease. The service is the bus's userdata. */
static Service *service_of(sd_bus *bus) {
        return sd_bus_slot_get_userdata(sd_bus_get_current_slot(bus));
}

static int get_refused(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Lease *lease = userdata;
        char text[REFUSAL_TEXT_MAX];

        return sd_bus_message_append_basic(reply, 's',
                                           lease_refused(service_of(bus), &lease->ipc, text));
}

static int get_vlan(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Lease *lease = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t)lease->ipc.vlan);
}

static int get_queues(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        const Lease *lease = userdata;

        return sd_bus_message_append(reply, "u", (uint32_t)lease->ipc.queues);
}

static int close_question(Request *request, const IpcLease *ipc, bool *ret_yes, Refusal *ret) {
        PolkitQuestion question = {.action = RAWNET_ACTION_CLOSE_OTHERS};
        char number[16], label[IPC_LEASE_LABEL_SIZE], what[32 + IPC_LEASE_LABEL_SIZE];

        snprintf(number, sizeof(number), RAWNET_PORT_NAME_FORMAT, ipc->id);
        polkit_detail(&question, "lease", number);
        polkit_detail(&question, "network", ipc->network);
        snprintf(number, sizeof(number), "%" PRIu32, ipc->uid);
        polkit_detail(&question, "owner", number);
        snprintf(what, sizeof(what), "close lease %s of user %" PRIu32, ipc_lease_label(ipc, label),
                 ipc->uid);
        return authorize(request, &question, what, ret_yes, ret);
}

static void on_closed(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                      const Refusal *refusal) {
        Request *request = userdata;
        Lease *lease = lease_table_find(&request->service->leases, request->lease);

        closer_close(request->service->closer, fds, n_fds);
        if (refusal) {
                if (lease)
                        lease->closing = false;
                request_refuse(request, refusal);
                return;
        }
        /* Signals first, even if the helper's event is still to come, and replies then. */
        lease_end(request->service, request->lease, IPC_END_CLOSED);
        if (!request->caller_gone)
                (void)sd_bus_reply_method_return(request->message, NULL);
        request_end(request);
}

static int close_step(Request *request, void *userdata, Refusal *ret) {
        Lease *lease = userdata;
        IpcRequest ipc = {.operation = IPC_CLOSE, .lease = lease->ipc.id};
        bool yes = lease->ipc.uid == request->uid;
        char label[IPC_LEASE_LABEL_SIZE];
        int r;

        request->lease = lease->ipc.id;
        if (lease->ipc.gone)
                return refuse(
                        ret, RAWNET_NO_SUCH_LEASE,
                        "lease %s on network %s is already closed; it counts against quotas until its program "
                        "closes the file descriptors",
                        ipc_lease_label(&lease->ipc, label), lease->ipc.network);
        if (!yes) {
                r = close_question(request, &lease->ipc, &yes, ret);
                if (r != 0 || !yes)
                        return r;
        }
        r = helper_call(request->service->helper, &ipc, on_closed, request, ret);
        if (r != 0)
                return r;
        lease->closing = true;
        lease->closer = request->uid;
        request->stage = REQUEST_HELPER;
        return 0;
}

static int statistics_reply(sd_bus_message *call, const IpcStatistics *statistics) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char name[64];
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{st}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < IPC_STATISTICS_COUNT; i++) {
                r = sd_bus_message_append(m, "{st}", ipc_statistics_name(i), statistics->link[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < DROP_REASONS; i++) {
                snprintf(name, sizeof(name), DROP_COUNTER_PREFIX "%s", drop_name(i));
                r = sd_bus_message_append(m, "{st}", name, statistics->drops[i]);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static void on_statistics(void *userdata, const IpcReply *reply, const int *fds, size_t n_fds,
                          const Refusal *refusal) {
        Request *request = userdata;
        int r = -EBADMSG;

        closer_close(request->service->closer, fds, n_fds);
        if (refusal) {
                request_refuse(request, refusal);
                return;
        }
        if (reply->type == IPC_STATISTICS)
                r = request->caller_gone ? 0
                                         : statistics_reply(request->message, &reply->statistics);
        request_finish(request, r);
}

static int statistics_step(Request *request, void *userdata, Refusal *ret) {
        Lease *lease = userdata;
        IpcRequest ipc = {.operation = IPC_STATISTICS_OF, .lease = lease->ipc.id};
        int r;

        request->lease = lease->ipc.id;
        r = helper_call(request->service->helper, &ipc, on_statistics, request, ret);
        if (r == 0)
                request->stage = REQUEST_HELPER;
        return r;
}

static int method_close(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, service_of(sd_bus_message_get_bus(m)), close_step, userdata);
}

static int method_statistics(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, service_of(sd_bus_message_get_bus(m)), statistics_step, userdata);
}

static const sd_bus_vtable lease_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_close,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetStatistics", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{st}", statistics),
                                method_statistics, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Id", "u", NULL, offsetof(Lease, ipc.id), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Network", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Kind", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Owner", "u", NULL, offsetof(Lease, ipc.uid), SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("MAC", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RefusedMAC", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("RefusedReason", "s", get_refused, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("MTU", "u", NULL, offsetof(Lease, ipc.mtu),
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Queues", "u", get_queues, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("VLAN", "u", get_vlan, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Parent", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Interface", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Name", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Since", "t", NULL, offsetof(Lease, ipc.since),
                        SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL_WITH_ARGS("Ended", SD_BUS_ARGS("s", reason), 0),
        SD_BUS_VTABLE_END,
};

static int find_lease(sd_bus *bus, const char *path, const char *interface, void *userdata,
                      void **ret_found, sd_bus_error *ret_error) {
        Service *service = userdata;
        Lease *lease;
        uint32_t id;

        if (lease_path_to_id(path, &id) < 0)
                return 0;
        lease = lease_table_find(&service->leases, id);
        if (!lease)
                return 0;
        *ret_found = lease;
        return 1;
}

static int enumerate_leases(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                            sd_bus_error *ret_error) {
        Service *service = userdata;
        char **nodes, path[LEASE_PATH_SIZE];
        size_t n = 0;

        nodes = calloc(service->leases.n_leases + 1, sizeof(*nodes));
        if (!nodes)
                return -ENOMEM;
        for (Lease *l = lease_table_next(&service->leases, NULL); l;
             l = lease_table_next(&service->leases, l)) {
                nodes[n] = strdup(lease_path(l->ipc.id, path));
                if (!nodes[n++]) {
                        network_names_free(nodes, n - 1);
                        return -ENOMEM;
                }
        }
        *ret_nodes = nodes;
        return 0;
}

static int no_lease_step(Request *request, void *userdata, Refusal *ret) {
        if (!helper_ready(request->service->helper))
                return request_wait_sync(request, ret);
        return refuse_no_lease(ret, sd_bus_message_get_path(request->message));
}

/* Calls to a lease that does not exist: NoSuchLease, instead of sd-bus's UnknownObject; they wait
 * until the helper's list is complete. Runs before the vtable, and passes calls to existing leases
 * on. */
static int on_any_call(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Service *service = userdata;
        const char *path = sd_bus_message_get_path(m);
        void *found;

        if (strcmp(path, RAWNET_PATH_LEASE) == 0 ||
            find_lease(service->bus, path, NULL, service, &found, NULL) > 0)
                return 0;
        return request_run(m, service, no_lease_step, NULL);
}

int lease_object_register(Service *service) {
        int r;

        r = sd_bus_add_fallback(service->bus, NULL, RAWNET_PATH_LEASE, on_any_call, service);
        if (r < 0)
                return r;
        r = sd_bus_add_fallback_vtable(service->bus, NULL, RAWNET_PATH_LEASE, RAWNET_IFACE_LEASE,
                                       lease_vtable, find_lease, service);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(service->bus, NULL, RAWNET_PATH_LEASE, enumerate_leases,
                                          service);
}
