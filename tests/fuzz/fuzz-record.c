/* SPDX-License-Identifier: GPL-2.0-or-later */

/* record_parse(): what it takes for a record of this version is one, word for word. What it
 * understands of a later version's can be sent to rawnetd. */

#include <strings.h>

#include "fuzz.h"
#include "helper/kernel/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        IpcLease lease = {.id = RAWNET_ID_MIN}, again = {.id = RAWNET_ID_MIN};
        char alias[LINK_ALIAS_SIZE];

        if (record_parse(text, &lease) != 0)
                return 0;
        if (lease.later) {
                /* Only these can make it one that cannot be shown. */
                lease.uid = lease.vlan = 0;
                lease.queues = MAX_OF(lease.queues, 1);
                memset(lease.network, 0, sizeof(lease.network));
                memset(lease.parent, 0, sizeof(lease.parent));
                lease.network[0] = lease.parent[0] = 'x';
                assert(ipc_lease_check(&lease) == 0);
                return 0;
        }
        record_format(&lease, alias);
        assert(record_parse(alias, &again) == 0);
        assert(memcmp(&lease, &again, sizeof(lease)) == 0);
        assert(strcasecmp(alias, text) == 0 || mac_is_zero(&lease.mac));
        return 0;
}
