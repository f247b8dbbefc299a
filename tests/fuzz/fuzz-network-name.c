/* SPDX-License-Identifier: GPL-2.0-or-later */

/* network_name_parse(): a name that it takes is made of NAME and VID and nothing else. */

#include "common/network.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = fuzz_string(data, size);
        char again[RAWNET_FULL_NAME_MAX + 1];
        Refusal refusal = {0};
        NetworkName name;
        int n, r;

        (void)interface_name_is_valid(text);
        r = network_name_parse(text, &name, &refusal);
        if (r != 0) {
                assert(r == RAWNET_INVALID_ARGS);
                fuzz_check_refusal(&refusal, r);
                return 0;
        }
        if (name.vlan != 0)
                n = snprintf(again, sizeof(again), "%s.%u", name.name, name.vlan);
        else
                n = snprintf(again, sizeof(again), "%s", name.name);
        assert(n > 0 && (size_t)n < sizeof(again));
        assert(strcmp(again, text) == 0);
        assert(name.vlan <= VLAN_ID_MAX && !strchr(name.name, '/'));
        return 0;
}
