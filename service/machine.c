/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/machine.h"

#include <systemd/sd-id128.h>

/* What makes a machine's id ours (sd_id128_get_machine_app_specific(3)): the id itself is not to be
 * shown around. */
#define RAWNET_APP_ID SD_ID128_MAKE(7e, 52, 1b, 0e, 6f, 0c, 4f, 9d, 9a, 3a, 51, 6e, c7, 3f, 0a, 68)

bool machine_mac_derive(const MacPrefix *prefix, uint32_t uid, const char *network, const char *name,
                        MacAddress *ret) {
        sd_id128_t machine;

        if (sd_id128_get_machine_app_specific(RAWNET_APP_ID, &machine) < 0)
                return false;
        mac_derive(prefix, machine.bytes, uid, network, name, ret);
        return true;
}

int machine_mac(const MacPrefix *prefix, uint32_t uid, const char *network, const char *name, MacAddress *ret) {
        return machine_mac_derive(prefix, uid, network, name, ret) ? 0 : mac_random(prefix, ret);
}
