/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/lock.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <string.h>

_Static_assert(GUARD_ADDRESSES == ADDRESSES_MAX, "a lock has all addresses of a request");

/* The bits of an address that a prefix of this length covers. */
static void fill_mask(uint8_t *mask, unsigned length) {
        for (; length >= 8; length -= 8)
                *mask++ = 0xff;
        if (length > 0)
                *mask = (uint8_t)(0xff00u >> length);
}

void lock_fill(const AddressList *addresses, GuardLock *ret) {
        const size_t n = address_list_count(addresses);
        GuardLock lock = {};

        for (size_t i = 0; i < n; i++) {
                const AddressPrefix *prefix = &addresses->address[i];
                GuardAddress *address = &lock.address[i];

                address->type = htons(prefix->family == 4 ? ETH_P_IP : ETH_P_IPV6);
                memcpy(address->value, prefix->octet, sizeof(address->value));
                fill_mask((uint8_t *)address->mask, prefix->length);
        }
        *ret = lock;
}

void lock_last(const GuardLock *lock, AddressPrefix *ret) {
        AddressPrefix last = {};

        if (lock->last_type == htons(ETH_P_IP)) {
                last = (AddressPrefix){.family = 4, .length = 32};
                memcpy(last.octet, lock->last, 4);
        } else if (lock->last_type == htons(ETH_P_IPV6)) {
                last = (AddressPrefix){.family = 6, .length = 128};
                memcpy(last.octet, lock->last, sizeof(last.octet));
        }
        *ret = last;
}
