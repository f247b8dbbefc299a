/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/drop.h"

#include <string.h>

static const struct {
        const char *name, *text;
} reasons[DROP_REASONS] = {
        [DROP_SPOOFED_SOURCE] = {"spoofed_source", "spoofed source"},
        [DROP_VLAN_TAG] = {"vlan_tag", "VLAN tag"},
        [DROP_CONTROL_FRAME] = {"control_frame", "control frame"},
        [DROP_SERVER] = {"server", "server message"},
        [DROP_NOT_JUDGED] = {"not_judged", "not judged"},
        [DROP_TOO_LONG] = {"too_long", "too long"},
        [DROP_WIRE_VLAN_TAG] = {"wire_vlan_tag", "VLAN tag from the wire"},
        [DROP_WIRE_OWN_SOURCE] = {"wire_own_source", "own address from the wire"},
        [DROP_WIRE_TOO_LONG] = {"wire_too_long", "too long from the wire"},
        [DROP_FOREIGN_ADDRESS] = {"foreign_address", "source address not its own"},
};

const char *drop_name(size_t reason) {
        return reason < DROP_REASONS ? reasons[reason].name : NULL;
}

const char *drop_text(size_t reason) {
        return reason < DROP_REASONS ? reasons[reason].text : NULL;
}

const char *drop_text_of(const char *name) {
        for (size_t i = 0; i < DROP_REASONS; i++)
                if (strcmp(reasons[i].name, name) == 0)
                        return reasons[i].text;
        return NULL;
}
