/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/open-mac.h"

#include "service/machine.h"

static bool reserves(const Network *network, const IpcOpen *wire) {
        const MacPrefix *prefix = network_reserving(network, wire->parent, wire->vlan);

        return prefix && mac_is_reserved(&wire->mac, prefix);
}

/* Is it reserved for derived addresses on this network, or on another one on the same wire? */
static bool is_reserved(const Service *service, const Network *network, const IpcOpen *wire) {
        if (reserves(network, wire))
                return true;
        for (size_t i = 0; i < service->networks.n_entries; i++) {
                const NetworkEntry *entry = service->networks.entries[i];

                if (!entry->error && reserves(&entry->network, wire))
                        return true;
        }
        return false;
}

static int plan_given_mac(const Service *service, const Network *network, const MacAddress *own,
                          IpcOpen *wire, Refusal *ret) {
        int r = network_allows_mac(network, wire->network, &wire->mac, ret);

        if (r != 0)
                return r;
        if (mac_equal(&wire->mac, own))
                wire->mac_mode = IPC_MAC_DERIVED;
        else if (is_reserved(service, network, wire))
                wire->mac_mode = IPC_MAC_RESERVED;
        return 0;
}

int open_mac_plan(const Service *service, const Network *network, const OpenOptions *options,
                  uint32_t uid, IpcOpen *wire, Refusal *ret) {
        const MacPrefix *prefix = mac_prefix_to_choose(&network->mac_prefixes);
        MacAddress own = {};

        /* A named lease keeps its address. Without a key there is nothing to derive it from. */
        if (prefix && options->name[0])
                (void)machine_mac_derive(&service->key, prefix, uid, wire->network, options->name,
                                         &own);
        wire->mac_mode = options->mac_mode;
        switch (options->mac_mode) {
        case IPC_MAC_GIVEN:
                wire->mac = options->mac;
                return plan_given_mac(service, network, &own, wire, ret);
        case IPC_MAC_LEARN:
                wire->mac = own;
                return 0;
        default:
                if (!mac_is_zero(&own))
                        wire->mac_mode = IPC_MAC_DERIVED;
                wire->mac = own;
                return network_choose_mac(network, wire->network, &prefix, ret);
        }
}

const char *open_mac_class(const IpcOpen *wire) {
        switch (wire->mac_mode) {
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
