/* SPDX-License-Identifier: GPL-2.0-or-later */

/* network_file_parse(): a network that it makes is one that the daemons may act on, a refusal one
 * they may show. */

#include <linux/if_ether.h>

#include "common/network-file.h"
#include "fuzz.h"

static void check_network(const Network *n) {
        assert(strcmp(n->name, "fuzz") == 0 && strcmp(n->path, "/fuzz.conf") == 0);
        assert(interface_name_is_valid(n->parent));
        assert(text_is_printable_utf8(n->description, strlen(n->description)));
        assert(n->vlan_first <= n->vlan_last && n->vlan_last <= VLAN_ID_MAX);
        assert((n->vlan_first == 0) == (n->vlan_last == 0));
        assert(n->protocol == ETH_P_8021Q || (n->protocol == ETH_P_8021AD && n->vlan_first != 0));
        assert(n->mode <= MODE_EXCLUSIVE && (n->mode != MODE_EXCLUSIVE || n->vlan_first != 0));
        assert(n->kinds >= 1 && n->kinds < KIND_BIT(KIND_UNKNOWN));
        assert(n->guest_servers <= GUEST_SERVERS_ALL);
        assert(n->mtu == 0 || (n->mtu >= NETWORK_MTU_MIN && n->mtu <= NETWORK_MTU_MAX));
        assert(n->mac_prefixes.n >= 1 && n->mac_prefixes.n <= MAC_PREFIXES_MAX);
        assert(n->max_leases >= 1 && n->max_leases <= NETWORK_LEASES_MAX);
        assert(n->host_interface[0] == '\0' ||
               (interface_name_is_valid(n->host_interface) && n->mode == MODE_BRIDGE &&
                n->vlan_first == n->vlan_last && strcmp(n->host_interface, n->parent) != 0 &&
                strncmp(n->host_interface, "rn", 2) != 0));
        assert(n->max_leases_per_user >= 1 && n->max_leases_per_user <= NETWORK_LEASES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Refusal refusal = {0};
        Network network = {0};
        int r;

        r = network_file_parse("/fuzz.conf", "fuzz", (const char *)data, size, &network, &refusal);
        if (r == 0) {
                check_network(&network);
                return 0;
        }
        assert(r == RAWNET_BAD_NETWORK_FILE);
        fuzz_check_refusal(&refusal, r);
        assert(strncmp(refusal.text, "network fuzz: /fuzz.conf:", 25) == 0);
        assert(refusal.text[25] >= '1' && refusal.text[25] <= '9');
        return 0;
}
