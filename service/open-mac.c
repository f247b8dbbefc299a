/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/open-mac.h"

#include "service/machine.h"

static bool reserves(const Network *network, const IpcOpen *ipc) {
        const MacPrefix *prefix = network_reserving(network, ipc->parent, ipc->vlan);

        return prefix && mac_is_reserved(&ipc->mac, prefix);
}

/* Is mac reserved for derived addresses on this network, or on another one on the same wire? */
static bool is_reserved(const Service *service, const Network *network, const IpcOpen *ipc) {
        if (reserves(network, ipc))
                return true;
        for (size_t i = 0; i < service->networks.n_entries; i++) {
                const NetworkEntry *entry = service->networks.entries[i];

                if (!entry->error && reserves(&entry->network, ipc))
                        return true;
        }
        return false;
}

static int plan_given_mac(const Service *service, const Network *network, const MacAddress *own,
                          IpcOpen *ipc, Refusal *ret) {
        int r = network_allows_mac(network, ipc->network, &ipc->mac, ret);

        if (r == 0)
                r = network_lets_choose_mac(network, ipc->network, ret);
        if (r != 0)
                return r;
        if (mac_equal(&ipc->mac, own))
                ipc->mac_mode = IPC_MAC_DERIVED;
        else if (is_reserved(service, network, ipc))
                ipc->mac_mode = IPC_MAC_RESERVED;
        return 0;
}

int open_mac_plan(const Service *service, const Network *network, const OpenOptions *options,
                  uint32_t uid, IpcOpen *ipc, Refusal *ret) {
        const MacPrefix *prefix = mac_prefix_to_choose(&network->mac_prefixes);
        MacAddress own = {};

        /* A named lease keeps its address. Without the key no address can be derived. */
        if (prefix && options->name[0])
                (void)machine_mac_derive(&service->key, prefix, uid, ipc->network, options->name,
                                         &own);
        ipc->mac_mode = options->mac_mode;
        switch (options->mac_mode) {
        case IPC_MAC_GIVEN:
                ipc->mac = options->mac;
                return plan_given_mac(service, network, &own, ipc, ret);
        case IPC_MAC_LEARN:
                ipc->mac = own;
                return network_lets_choose_mac(network, ipc->network, ret);
        default:
                if (!mac_is_zero(&own))
                        ipc->mac_mode = IPC_MAC_DERIVED;
                ipc->mac = own;
                return network_choose_mac(network, ipc->network, &prefix, ret);
        }
}

const char *open_mac_class(const IpcOpen *ipc) {
        switch (ipc->mac_mode) {
        case IPC_MAC_GIVEN:
                return "given";
        case IPC_MAC_LEARN:
                return "learn";
        case IPC_MAC_DERIVED:
                return "derived";
        case IPC_MAC_RESERVED:
                return "reserved";
        default:
                return "random";
        }
}
