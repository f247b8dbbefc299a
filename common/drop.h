/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why the guard drops frames, in words. The numbers are those of the guard's own list
 * (helper/guard/guard-entry.h): they are kept, and new ones follow.
 */

#include <stddef.h>

typedef enum DropReason {
        /* sent by the guest */
        DROP_SPOOFED_SOURCE,
        DROP_VLAN_TAG,
        DROP_CONTROL_FRAME,
        DROP_SERVER,
        DROP_NOT_JUDGED,
        DROP_TOO_LONG,
        /* sent to the guest */
        DROP_WIRE_VLAN_TAG,
        DROP_WIRE_OWN_SOURCE,
        DROP_WIRE_TOO_LONG,
        /* sent by the guest */
        DROP_FOREIGN_ADDRESS,
        DROP_REASONS
} DropReason;

/* What GetStatistics() calls a counter of drops begins so. The reason's name follows. */
#define DROP_COUNTER_PREFIX "guard_dropped_"

/* "spoofed_source" … The end of a counter's name, and the journal's RAWNET_REASON=. NULL: there is
 * no such reason. */
const char *drop_name(size_t reason);
/* "spoofed source" … For people, after a number or "a frame: ". NULL as above. */
const char *drop_text(size_t reason);
/* drop_text() of the reason with this name. NULL: it is unknown. */
const char *drop_text_of(const char *name);
