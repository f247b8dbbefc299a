/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/run-tap.h"

#include "client/interface.h"

/* A bridge keeps frames for the addresses of its ports to itself (net/bridge/br_fdb.c,
 * br_fdb_add_local()), so the interface must not keep the guest's. */
static int give_address_up(const char *interface, Refusal *ret_refusal) {
        static const MacPrefix any = {};
        MacAddress mac;
        int r = mac_random(&any, &mac);

        return r < 0 ? r : interface_set_mac(interface, &mac, ret_refusal);
}

int run_tap_make(const char *tap, const char *interface, uint32_t mtu, Refusal *ret_refusal) {
        int r = interface_make_tap(tap, ret_refusal);

        if (r == 0)
                r = interface_set_mtu(tap, mtu, ret_refusal);
        if (r == 0)
                r = give_address_up(interface, ret_refusal);
        if (r == 0)
                r = interface_make_bridge(RUN_TAP_BRIDGE, ret_refusal);
        if (r == 0)
                r = interface_add_to_bridge(RUN_TAP_BRIDGE, interface, ret_refusal);
        if (r == 0)
                r = interface_add_to_bridge(RUN_TAP_BRIDGE, tap, ret_refusal);
        if (r == 0)
                r = interface_raise(RUN_TAP_BRIDGE, ret_refusal);
        if (r == 0)
                r = interface_raise_running(interface, ret_refusal);
        return r == 0 ? interface_raise(tap, ret_refusal) : r;
}
