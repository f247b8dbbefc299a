/* SPDX-License-Identifier: GPL-2.0-or-later */

/* record_parse(): what it takes for a record is one, word for word. */

#include <strings.h>

#include "fuzz.h"
#include "helper/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        WireLease lease = {.id = RAWNET_ID_MIN}, again = {.id = RAWNET_ID_MIN};
        char alias[LINK_ALIAS_SIZE];

        if (record_parse(text, &lease) != 0)
                return 0;
        record_format(&lease, alias);
        assert(record_parse(alias, &again) == 0);
        assert(memcmp(&lease, &again, sizeof(lease)) == 0);
        assert(strcasecmp(alias, text) == 0 || mac_is_zero(&lease.mac));
        return 0;
}
