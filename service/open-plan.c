/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/open-plan.h"

#include <inttypes.h>
#include <string.h>

#include "common/network-file.h"
#include "common/terms.h"
#include "service/open-mac.h"

static const char *action_of(uint32_t kind) {
        return kind == KIND_TAP      ? RAWNET_ACTION_OPEN_TAP
               : kind == KIND_PACKET ? RAWNET_ACTION_OPEN_PACKET
                                     : RAWNET_ACTION_ATTACH;
}

int open_plan_network(Request *request, const char *full_name, LeaseKind kind, bool vnet_hdr,
                      Network *ret_network, IpcOpen *ipc, Refusal *ret) {
        NetworkName name;
        int r;

        /* Checks the length of the name, above all. */
        r = network_name_parse(full_name, &name, ret);
        if (r != 0)
                return r;
        snprintf(ipc->network, sizeof(ipc->network), "%s", full_name);
        ipc->kind = kind;
        ipc->vnet_hdr = vnet_hdr;
        return request_wait_file(request, terms_open(network_file_load, ipc, ret_network, ret));
}

void open_plan_question(const IpcRequest *terms, const char *mac, uint64_t rate,
                        PolkitQuestion *ret) {
        const IpcOpen *ipc = &terms->open;
        char vlan[8], queues[16], limit[24] = "", where[WIRE_TEXT_SIZE];

        if (rate != 0)
                snprintf(limit, sizeof(limit), "%" PRIu64, rate);
        snprintf(queues, sizeof(queues), "%" PRIu32, ipc->queues);
        *ret = (PolkitQuestion){
                .terms = *terms,
                .action = action_of(ipc->kind),
                .for_group = ipc->mac_mode != IPC_MAC_RESERVED,
        };
        polkit_detail(ret, "network", ipc->network);
        polkit_detail(ret, "parent", ipc->parent);
        polkit_detail(ret, "vlan", vlan_to_string(ipc->vlan, vlan));
        polkit_detail(ret, "protocol", vlan_protocol_detail(ipc->vlan, ipc->protocol));
        polkit_detail(ret, "kind", lease_kind_to_string(ipc->kind));
        polkit_detail(ret, "mode", network_mode_to_string(ipc->mode));
        polkit_detail(ret, "mac", mac);
        polkit_detail(ret, "mac-class", open_mac_class(ipc));
        polkit_detail(ret, "queues", queues);
        polkit_detail(ret, "rate", limit);
        ret->has_addresses = true;
        (void)address_list_format(&ipc->addresses, ret->addresses);
        polkit_detail(ret, "vhost", ipc->vhost ? "true" : "false");
        if (ipc->kind == KIND_VETH)
                polkit_detail(ret, "interface", ipc->interface);
        /* For the message of the action. Rules have the details parent and vlan. */
        polkit_detail(ret, "where", wire_to_string(ipc->parent, ipc->vlan, where));
}

void open_plan_text(const IpcOpen *ipc, char ret[static OPEN_TEXT_SIZE]) {
        char mac[MAC_TEXT_SIZE], port[32];

        if (ipc->kind == KIND_VETH)
                snprintf(port, sizeof(port), "attach an interface to");
        else
                snprintf(port, sizeof(port), "open a %s port on", lease_kind_to_string(ipc->kind));
        if (ipc->mac_mode == IPC_MAC_RESERVED)
                snprintf(ret, OPEN_TEXT_SIZE,
                         "%s network %s with MAC address %s, which is reserved for an address that "
                         "rawnet derives from a user and a lease name",
                         port, ipc->network, mac_format(&ipc->mac, mac));
        else
                snprintf(ret, OPEN_TEXT_SIZE, "%s network %s", port, ipc->network);
}
