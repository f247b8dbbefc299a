/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/network-file.h"
#include "common/terms.h"

#include <string.h>

int terms_open(NetworkLoad load, IpcOpen *open, Network *ret_network, Refusal *ret_refusal) {
        Network network;
        NetworkName name;
        uint16_t vlan;
        int r;

        r = network_name_parse(open->network, &name, ret_refusal);
        if (r == 0)
                r = load(name.name, &network, ret_refusal);
        if (r == 0)
                r = network_pick_vlan(&network, &name, &vlan, ret_refusal);
        if (r != 0)
                return r;
        open->vlan = vlan;
        r = network_offers(&network, (LeaseKind)open->kind, ret_refusal);
        if (r != 0)
                return r;
        memcpy(open->parent, network.parent, sizeof(open->parent));
        open->protocol = network.protocol;
        open->mode = network.mode;
        open->guest_servers = network.guest_servers;
        memcpy(open->file_digest, network.digest, sizeof(open->file_digest));
        *ret_network = network;
        return 0;
}

int terms_host(NetworkLoad load, IpcHost *host, Network *ret_network, Refusal *ret_refusal) {
        Network network;
        int r;

        r = load(host->network, &network, ret_refusal);
        if (r != 0)
                return r;
        if (network.host_interface[0] == '\0')
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "network %s has no host interface; an administrator adds HostInterface=NAME to %s",
                        host->network, network.path);
        memcpy(host->parent, network.parent, sizeof(host->parent));
        memcpy(host->interface, network.host_interface, sizeof(host->interface));
        /* The parser allows no range together with HostInterface=. */
        host->vlan = network.vlan_first;
        host->protocol = network.protocol;
        memcpy(host->file_digest, network.digest, sizeof(host->file_digest));
        *ret_network = network;
        return 0;
}

static int refuse_changed(const char *name, const Network *network, Refusal *ret_refusal) {
        return refuse(
                ret_refusal, RAWNET_ACCESS_DENIED,
                "network %s: %s was changed while the request was being authorized; try again",
                name, network->path);
}

int terms_confirm_open(const IpcOpen *open, Network *ret_network, Refusal *ret_refusal) {
        IpcOpen terms = *open;
        Network network;
        int r;

        r = terms_open(network_file_load_wait, &terms, &network, ret_refusal);
        if (r != 0)
                return r;
        if (memcmp(&terms, open, sizeof(terms)) != 0)
                return refuse_changed(open->network, &network, ret_refusal);
        *ret_network = network;
        return 0;
}

int terms_confirm_host(const IpcHost *host, Network *ret_network, Refusal *ret_refusal) {
        IpcHost terms = *host;
        Network network;
        int r;

        r = terms_host(network_file_load_wait, &terms, &network, ret_refusal);
        if (r != 0)
                return r;
        if (memcmp(&terms, host, sizeof(terms)) != 0)
                return refuse_changed(host->network, &network, ret_refusal);
        *ret_network = network;
        return 0;
}
