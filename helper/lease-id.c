/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/lease-id.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "helper/kernel/nsid.h"

#define N_IDS (RAWNET_ID_MAX - RAWNET_ID_FIRST + 1)

struct LeaseIds {
        _Atomic uint32_t next; /* modulo N_IDS, above RAWNET_ID_FIRST */
};

int lease_ids_new(LeaseIds **ret) {
        uint32_t start;
        LeaseIds *ids;

        if (getrandom(&start, sizeof(start), 0) != sizeof(start))
                return -EIO;
        ids = mmap(NULL, sizeof(*ids), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (ids == MAP_FAILED)
                return -errno;
        atomic_init(&ids->next, start);
        *ret = ids;
        return 0;
}

static void note_used(uint32_t nsid, void *data) {
        *(bool *)data = true;
}

int lease_ids_take(LeaseIds *ids, Netlink *netlink, uint32_t *ret, Refusal *ret_refusal) {
        for (uint32_t tries = 0; tries < N_IDS; tries++) {
                const uint32_t id = RAWNET_ID_FIRST + atomic_fetch_add(&ids->next, 1) % N_IDS;
                bool used = false;
                int r = nsid_ask(netlink, id, id, note_used, &used);

                if (r < 0)
                        return r;
                if (!used) {
                        *ret = id;
                        return 0;
                }
        }
        return refuse(ret_refusal, RAWNET_LIMITS_EXCEEDED,
                      "all of the %u ids that leases may have are in use; end some leases "
                      "(rawnetctl list)",
                      N_IDS);
}
