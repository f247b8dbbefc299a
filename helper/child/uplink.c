/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/child/uplink.h"

#include <net/if.h>

#include "common/clock.h"
#include "helper/kernel/record.h"

int uplink_raise(const LeasePlan *plan, Netlink *netlink, uint32_t uplink, Refusal *ret_refusal) {
        char name[IFNAMSIZ];

        for (;;) {
                /* Without ALLMULTI a macvlan hands no multicast up but what was joined: the guest
                 * would get no IPv6 neighbour discovery. */
                const LinkChange up = {.link = record_uplink_name(&plan->lease, name),
                                       .mac = &plan->lease.mac,
                                       .flags_on = IFF_UP | IFF_ALLMULTI};
                Refusal refusal = {};
                char mac[MAC_TEXT_SIZE];
                int r = link_change(netlink, uplink, &up, &refusal);

                if (r <= 0 || refusal.kernel_errno != EADDRINUSE)
                        return refusal_forward(r, &refusal, ret_refusal);
                /* Another random address needs another guard: the worker starts over. */
                if (plan->mac_mode == IPC_MAC_RANDOM ||
                    clock_usec(CLOCK_MONOTONIC) >= plan->deadline)
                        return refuse(ret_refusal, RAWNET_ADDRESS_IN_USE,
                                      "network %s: MAC address %s is in use on its wire by another "
                                      "lease or by the host; choose another%s",
                                      plan->lease.network, mac_format(&plan->lease.mac, mac),
                                      plan->lease.lease_name[0] ? ", or another lease name" : "");
                clock_pause(PLAN_PAUSE_USEC);
        }
}

int uplink_write_record(const LeasePlan *plan, Netlink *netlink, Refusal *ret_refusal) {
        char alias[LINK_ALIAS_SIZE];
        const LinkChange change = {.link = "lo", .alias = alias};
        LinkInfo lo;
        int r;

        record_format(&plan->lease, alias);
        r = link_get(netlink, LINK_HERE, "lo", &lo, ret_refusal);
        return r != 0 ? r : link_change(netlink, lo.index, &change, ret_refusal);
}
