/* SPDX-License-Identifier: GPL-2.0-or-later */

/* mac_parse() and mac_prefix_parse(): what they take comes back in the same words. */

#include <strings.h>

#include "common/mac.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        char buffer[MAC_TEXT_SIZE];
        MacPrefix prefix;
        MacAddress mac;

        if (mac_parse(text, &mac) == 0) {
                MacPrefix any = {0};

                assert(strcasecmp(mac_format(&mac, buffer), text) == 0);
                assert(mac_allowed(&mac, &any) == ((mac.octet[0] & 3) == 2));
        }
        if (mac_prefix_parse(text, &prefix) == 0) {
                assert(prefix.length <= 3);
                assert(prefix.length == 0 || (prefix.octet[0] & 3) == 2);
                assert(strcasecmp(mac_prefix_format(&prefix, buffer), text) == 0);
                mac_derive(&prefix, (const uint8_t[16]){0}, 0, text, text, &mac);
                assert(mac_allowed(&mac, &prefix));
        }
        return 0;
}
