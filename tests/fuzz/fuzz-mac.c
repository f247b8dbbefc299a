/* SPDX-License-Identifier: GPL-2.0-or-later */

/* mac_parse() and mac_prefixes_parse(): what they take comes back in the same words. */

#include <string.h>
#include <strings.h>

#include "common/mac.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        char buffer[MAC_TEXT_SIZE];
        char list[MAC_PREFIXES_TEXT_SIZE];
        MacPrefixes prefixes;
        MacAddress mac;

        if (mac_parse(text, &mac) == 0) {
                MacPrefixes any = {.n = 1};

                assert(strcasecmp(mac_format(&mac, buffer), text) == 0);
                assert(mac_allowed(&mac, &any) == ((mac.octet[0] & 3) == 2));
        }
        if (mac_prefixes_parse(text, &prefixes) == 0) {
                const MacPrefix *prefix = mac_prefix_to_choose(&prefixes);
                MacPrefixes again;

                assert(prefixes.n >= 1 && prefixes.n <= MAC_PREFIXES_MAX);
                for (size_t i = 0; i < prefixes.n; i++)
                        assert(prefixes.prefix[i].length <= 6 &&
                               !(prefixes.prefix[i].octet[0] & 1));
                assert(mac_prefixes_parse(mac_prefixes_format(&prefixes, list), &again) == 0);
                assert(memcmp(&prefixes, &again, sizeof(again)) == 0);
                if (prefix) {
                        mac_derive(prefix, (const uint8_t[MAC_KEY_SIZE]){0}, 0, text, text, &mac);
                        assert(mac_allowed(&mac, &prefixes) && mac_is_reserved(&mac, prefix));
                }
        }
        return 0;
}
