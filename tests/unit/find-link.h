/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* link_find() for a test that plays link_get(): -Wl,--wrap=link_get,--wrap=link_find. */

#include "helper/kernel/link-info.h"

int __wrap_link_get(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
                    Refusal *ret_refusal);

int __wrap_link_find(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
                     Refusal *ret_refusal);
int __wrap_link_find(Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
                     Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = __wrap_link_get(netlink, nsid, name, ret, &refusal);

        if (link_is_missing_in(nsid, r, &refusal)) {
                *ret = (LinkInfo){};
                return 0;
        }
        if (r > 0)
                *ret_refusal = refusal;
        return r;
}
