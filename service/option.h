/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The options a{sv} of OpenTap, OpenPacket and Attach. Everything is checked here, before anything
 * is asked or done: an unknown option, one of the wrong type and one given twice are refused by
 * name, never ignored.
 */

#include <systemd/sd-bus.h>

#include "common/ipc.h"

typedef struct OpenOptions {
        unsigned seen;       /* bits of the options that were given */
        IpcMacMode mac_mode; /* IPC_MAC_RANDOM where no mac was given */
        MacAddress mac;      /* IPC_MAC_GIVEN */
        char name[RAWNET_LEASE_NAME_MAX + 1];
        AddressList addresses;
        uint64_t rate; /* bits a second; 0: not given */
        uint32_t queues;
        bool vhost;
        bool vnet_hdr;
        bool up;
} OpenOptions;

typedef union OptionValue {
        const char *s;
        uint32_t u;
        uint64_t t;
        bool b;
        const char *const *as; /* NULL behind the last one; no more than OPTION_STRINGS_MAX */
} OptionValue;

#define OPTION_STRINGS_MAX (ADDRESSES_MAX + 1) /* one too many is refused by name */

/* Sets the defaults. */
void options_init(OpenOptions *options, LeaseKind kind);

/* The D-Bus type of an option, "s", "u", "t", "b" or "as"; NULL: no such option for this kind. */
const char *option_type(LeaseKind kind, const char *key);

/* Takes one option whose type was checked. network is for the message. 0 or RAWNET_INVALID_ARGS,
 * RAWNET_NOT_SUPPORTED. */
int option_set(OpenOptions *options, LeaseKind kind, const char *network, const char *key,
               OptionValue value, Refusal *ret_refusal);

/* Checks what options must not ask for together: more descriptors than fit in one message. 0 or
 * RAWNET_INVALID_ARGS. */
int options_check(const OpenOptions *options, const char *network, Refusal *ret_refusal);

/* Reads a{sv} at the message's position with all checks above. 0, a RawnetError, or -errno for a
 * broken message. */
int options_read(sd_bus_message *m, LeaseKind kind, const char *network, OpenOptions *ret,
                 Refusal *ret_refusal);
