/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/refused.h"

#include <string.h>

typedef struct Words {
        const char *why, *remedy;
} Words;

static const Words words[] = {
        [LEARN_REFUSED_RESERVED] =
                {"it is reserved for an address that rawnet derives from a user and "
                 "a lease name",
                 "give the guest another address"},
        [LEARN_REFUSED_HOST] = {"an interface of the host has it",
                                "give the guest another address"},
        [LEARN_REFUSED_IN_USE] =
                {"another lease or the host has it on this wire",
                 "give the guest another address, or end the other lease (rawnetctl "
                 "list)"},
        [LEARN_REFUSED_FAILED] =
                {"the kernel did not let the port have it, and the port learns no more; "
                 "journalctl -u rawnet-helper has the kernel's words",
                 "end the guest and start it again with a new port"},
};

/* The file may have changed meanwhile: an address that it allows now is allowed to a new port only.
 */
static void say_prefix(const IpcLease *lease, const Network *network, const char *mac,
                       Refusal *ret) {
        char prefixes[MAC_PREFIXES_TEXT_SIZE] = "";
        const char *path = network && network->path[0] ? network->path : "the network's file";

        if (network)
                (void)mac_prefixes_format(&network->mac_prefixes, prefixes);
        if (network && mac_allowed(&lease->refused_mac, &network->mac_prefixes))
                (void)refuse(ret, RAWNET_INVALID_ARGS,
                             "network %s: the port does not take its guest's MAC address %s: "
                             "MACPrefix= in %s did not allow it when the port was opened, and does "
                             "now; end the guest and start it again with a new port",
                             lease->network, mac, path);
        else
                (void)refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "network %s: the port does not take its guest's MAC address %s: "
                        "MACPrefix= in %s %s%s; give the guest such an address, or ask the "
                        "administrator to add %.8s to MACPrefix= and start the guest again with "
                        "a new port then",
                        lease->network, mac, path,
                        prefixes[0] ? "allows addresses that begin with "
                                    : "allows locally administered addresses only",
                        prefixes, mac);
}

const char *refused_text(const IpcLease *lease, const Network *network,
                         char buffer[static REFUSAL_TEXT_MAX]) {
        Refusal refusal = {};
        char mac[MAC_TEXT_SIZE];
        const Words *w;

        buffer[0] = '\0';
        if (lease->refused_why == LEARN_REFUSED_NOTHING ||
            lease->refused_why > LEARN_REFUSED_FAILED)
                return buffer;
        (void)mac_format(&lease->refused_mac, mac);
        if (lease->refused_why == LEARN_REFUSED_PREFIX) {
                say_prefix(lease, network, mac, &refusal);
        } else {
                w = &words[lease->refused_why];
                (void)refuse(
                        &refusal, RAWNET_ADDRESS_IN_USE,
                        "network %s: the port does not take its guest's MAC address %s: %s; %s",
                        lease->network, mac, w->why, w->remedy);
        }
        memcpy(buffer, refusal.text, REFUSAL_TEXT_MAX);
        return buffer;
}
