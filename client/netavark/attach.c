/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/attach.h"

#include <string.h>

#include "client/bus.h"

void attached_done(Attached *attached) {
        free(attached->mac);
        *attached = (Attached){};
}

static int read_answer(sd_bus_message *m, const NetavarkNetwork *network, Refusal *ret_refusal) {
        const char *answer;
        int r;

        r = sd_bus_message_read_basic(m, 's', &answer);
        if (r < 0)
                return r;
        if (strcmp(answer, "yes") == 0)
                return 0;
        return refuse(ret_refusal, RAWNET_ACCESS_DENIED,
                      "network %s: polkit does not let you attach containers without a password, "
                      "and podman has no way to ask for it; ask an administrator to add you to "
                      "group " RAWNET_GROUP ", and log in again",
                      network->rawnet);
}

int attach_check(const NetavarkNetwork *network, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = bus_connect(&bus, ret_refusal);
        if (r == 0)
                r = bus_query(bus, RAWNET_PATH, RAWNET_IFACE_MANAGER, "CanOpen", &reply,
                              ret_refusal, "ss", network->rawnet, "veth");
        return r == 0 ? read_answer(reply, network, ret_refusal) : r;
}

/* A container may be on several of podman's networks that are one network of rawnet's, so both
 * names are in the lease's, from which rawnet derives the MAC address. *ret is NULL where it would
 * be too long. 0 or -ENOMEM. */
static int lease_name(const NetavarkContainer *container, char **ret) {
        char *name;

        if (!container->name)
                return 0;
        if (asprintf(&name, "%s@%s", container->name, container->network.name) < 0)
                return -ENOMEM;
        if (strlen(name) <= RAWNET_LEASE_NAME_MAX)
                *ret = name;
        else
                free(name);
        return 0;
}

int attach_interface(const NetavarkContainer *container, int namespace, Attached *ret,
                     Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(port_done) Port port = {};
        _cleanup_free_ char *name = NULL;
        PortRequest request = PORT_REQUEST_INIT;
        int r;

        request.kind = KIND_VETH;
        request.network = container->network.rawnet;
        request.namespace = namespace;
        request.interface = container->interface;
        request.mac = container->mac;
        request.rate = container->network.rate;
        r = lease_name(container, &name);
        if (r < 0)
                return r;
        request.name = name;
        port_init(&port, NULL, &request);
        r = bus_connect(&bus, ret_refusal);
        if (r == 0)
                r = bus_open_port(bus, &port, ret_refusal);
        if (r == 0)
                ret->mac = TAKE_PTR(port.mac);
        return r;
}
