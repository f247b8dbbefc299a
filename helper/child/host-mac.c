/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/host-mac.h"

#include <string.h>

typedef struct Search {
        const MacAddress *mac;
        char found[IFNAMSIZ];
} Search;

static int match(const LinkInfo *link, void *data) {
        Search *search = data;

        if (mac_equal(&link->mac, search->mac))
                memcpy(search->found, link->name, sizeof(search->found));
        return 0;
}

int host_mac_check(Netlink *host, const char *network, const MacAddress *mac,
                   Refusal *ret_refusal) {
        Search search = {.mac = mac};
        char text[MAC_TEXT_SIZE];
        int r;

        r = link_dump(host, NULL, match, &search, ret_refusal);
        if (r != 0 || search.found[0] == '\0')
                return r;
        return refuse(
                ret_refusal, RAWNET_ADDRESS_IN_USE,
                "network %s: MAC address %s is that of the host's interface %s; choose another",
                network, mac_format(mac, text), search.found);
}
