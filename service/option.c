/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/option.h"

#include <inttypes.h>
#include <string.h>

#include "common/bit-rate.h"
#include "common/text.h"

typedef enum OptionId {
        OPTION_ADDRESSES,
        OPTION_MAC,
        OPTION_NAME,
        OPTION_RATE,
        OPTION_QUEUES,
        OPTION_VHOST,
        OPTION_VNET_HDR,
        OPTION_UP
} OptionId;

static const struct {
        const char *key;
        const char *type;
        unsigned kinds;
} option_table[] = {
        [OPTION_ADDRESSES] = {"addresses", "as", KINDS_ALL},
        [OPTION_MAC] = {"mac", "s", KINDS_ALL},
        [OPTION_NAME] = {"name", "s", KINDS_ALL},
        [OPTION_RATE] = {"rate", "t", KINDS_ALL},
        [OPTION_QUEUES] = {"queues", "u", KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET)},
        [OPTION_VHOST] = {"vhost", "b", KIND_BIT(KIND_TAP)},
        [OPTION_VNET_HDR] = {"vnet-hdr", "b", KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET)},
        [OPTION_UP] = {"up", "b", KIND_BIT(KIND_VETH)},
};

void options_init(OpenOptions *options, LeaseKind kind) {
        *options = (OpenOptions){
                .mac_mode = IPC_MAC_RANDOM,
                .queues = 1,
                .vnet_hdr = kind == KIND_TAP,
        };
}

static int option_find(LeaseKind kind, const char *key) {
        for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
                if (strcmp(option_table[i].key, key) == 0 &&
                    (option_table[i].kinds & KIND_BIT(kind)))
                        return (int)i;
        return -ENOENT;
}

const char *option_type(LeaseKind kind, const char *key) {
        int id = option_find(kind, key);

        return id < 0 ? NULL : option_table[id].type;
}

static int option_set_mac(OpenOptions *options, LeaseKind kind, const char *network,
                          const char *text, Refusal *ret) {
        MacAddress mac;

        if (strcmp(text, "learn") == 0) {
                if (kind != KIND_TAP)
                        return refuse(
                                ret, RAWNET_NOT_SUPPORTED,
                                "network %s: mac=learn works with kind tap only; give an address, or leave "
                                "mac out for one that rawnet chooses",
                                network);
                options->mac_mode = IPC_MAC_LEARN;
                return 0;
        }
        if (mac_parse(text, &mac) < 0)
                return refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "network %s: option mac is neither an address such as 52:54:00:12:34:56 nor "
                        "learn",
                        network);
        options->mac = mac;
        options->mac_mode = IPC_MAC_GIVEN;
        return 0;
}

static int option_set_name(OpenOptions *options, const char *network, const char *text,
                           Refusal *ret) {
        size_t length = strlen(text);

        if (length < 1 || length > RAWNET_LEASE_NAME_MAX)
                return refuse(ret, RAWNET_INVALID_ARGS,
                              "network %s: option name has %zu characters, it takes 1 to %u",
                              network, length, RAWNET_LEASE_NAME_MAX);
        if (!text_is_printable_ascii(text))
                return refuse(ret, RAWNET_INVALID_ARGS,
                              "network %s: option name takes printable ASCII characters only",
                              network);
        memcpy(options->name, text, length + 1);
        return 0;
}

static int option_set_addresses(OpenOptions *options, const char *network, const char *const *texts,
                                Refusal *ret) {
        AddressList list = {};
        int r = 0;

        for (; r == 0 && *texts; texts++)
                r = address_list_add(&list, *texts, "network", network, ret);
        if (r == 0)
                options->addresses = list;
        return r;
}

int option_set(OpenOptions *options, LeaseKind kind, const char *network, const char *key,
               OptionValue value, Refusal *ret) {
        int id = option_find(kind, key);

        if (id < 0)
                return refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "network %s: unknown option '%.64s' for a %s port; there are addresses, mac%s",
                        network, key, lease_kind_to_string(kind),
                        kind == KIND_TAP      ? ", name, rate, queues, vhost, vnet-hdr"
                        : kind == KIND_PACKET ? ", name, rate, queues, vnet-hdr"
                                              : ", name, rate, up");
        if (options->seen & (1u << id))
                return refuse(ret, RAWNET_INVALID_ARGS, "network %s: option %s is given twice",
                              network, key);
        options->seen |= 1u << id;

        switch ((OptionId)id) {
        case OPTION_ADDRESSES:
                return option_set_addresses(options, network, value.as, ret);
        case OPTION_MAC:
                return option_set_mac(options, kind, network, value.s, ret);
        case OPTION_NAME:
                return option_set_name(options, network, value.s, ret);
        case OPTION_RATE:
                if (!bit_rate_is_valid(value.t))
                        return refuse(ret, RAWNET_INVALID_ARGS,
                                      "network %s: option rate is %" PRIu64
                                      ", it takes " BIT_RATE_INSTEAD,
                                      network, value.t);
                options->rate = value.t;
                return 0;
        case OPTION_QUEUES:
                if (value.u < 1 || value.u > RAWNET_QUEUES_MAX)
                        return refuse(ret, RAWNET_INVALID_ARGS,
                                      "network %s: option queues is %u, it takes 1 to %u", network,
                                      value.u, RAWNET_QUEUES_MAX);
                options->queues = value.u;
                return 0;
        case OPTION_VHOST:
                options->vhost = value.b;
                return 0;
        case OPTION_VNET_HDR:
                /* An attached tap's flags cannot be changed, and no VMM needs one without the
                 * header. */
                if (kind == KIND_TAP && !value.b)
                        return refuse(
                                ret, RAWNET_NOT_SUPPORTED,
                                "network %s: a tap port always has vnet-hdr; leave the option out, or "
                                "open a packet port",
                                network);
                options->vnet_hdr = value.b;
                return 0;
        case OPTION_UP:
                options->up = value.b;
                return 0;
        }
        return -EINVAL;
}

int options_check(const OpenOptions *options, const char *network, Refusal *ret) {
        unsigned fds = options->queues * (options->vhost ? 2u : 1u);

        /* dbus-daemon(1), max_message_unix_fds: it disconnects the sender of more, and the sender
         * is rawnetd. */
        if (fds > RAWNET_FDS_MAX)
                return refuse(
                        ret, RAWNET_INVALID_ARGS,
                        "network %s: %u queues%s are %u file descriptors, one reply carries at most %u; "
                        "ask for fewer queues",
                        network, options->queues, options->vhost ? " with vhost" : "", fds,
                        RAWNET_FDS_MAX);
        return 0;
}

/* No more than could be taken: what is behind them is skipped. */
static int read_strings(sd_bus_message *m, const char *ret[static OPTION_STRINGS_MAX + 1]) {
        const char *text;
        size_t n = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &text)) > 0)
                if (n < OPTION_STRINGS_MAX)
                        ret[n++] = text;
        ret[n] = NULL;
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Reads one {sv}; the message is inside the dictionary entry. */
static int option_read(sd_bus_message *m, LeaseKind kind, const char *network, OpenOptions *options,
                       Refusal *ret) {
        const char *key, *type, *contents, *strings[OPTION_STRINGS_MAX + 1];
        OptionValue value = {};
        int r, boolean = 0;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r < 0)
                return r;
        type = option_type(kind, key);
        if (!type)
                return option_set(options, kind, network, key, value, ret);
        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (strcmp(contents, type) != 0)
                return refuse(ret, RAWNET_INVALID_ARGS,
                              "network %s: option %s has D-Bus type %.20s, it takes %s", network,
                              key, contents, type);
        r = sd_bus_message_enter_container(m, 'v', type);
        if (r < 0)
                return r;
        if (type[0] == 'a') {
                r = read_strings(m, strings);
                value.as = strings;
        } else if (type[0] == 's')
                r = sd_bus_message_read_basic(m, 's', &value.s);
        else if (type[0] == 'u')
                r = sd_bus_message_read_basic(m, 'u', &value.u);
        else if (type[0] == 't')
                r = sd_bus_message_read_basic(m, 't', &value.t);
        else {
                r = sd_bus_message_read_basic(m, 'b', &boolean);
                value.b = boolean;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        return option_set(options, kind, network, key, value, ret);
}

int options_read(sd_bus_message *m, LeaseKind kind, const char *network, OpenOptions *ret,
                 Refusal *ret_refusal) {
        OpenOptions options;
        int r;

        options_init(&options, kind);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = option_read(m, kind, network, &options, ret_refusal);
                if (r != 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        r = options_check(&options, network, ret_refusal);
        if (r != 0)
                return r;
        *ret = options;
        return 0;
}
