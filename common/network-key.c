/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "common/bit-rate.h"
#include "common/network-hint.h"
#include "common/network-key.h"
#include "common/text.h"

/* One assignment of the file. */
typedef struct Setting {
        const char *key, *value;
        Network *network;
        char *complaint; /* REFUSAL_TEXT_MAX bytes */
} Setting;

_printf_(2, 3) static int bad(Setting *s, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(s->complaint, REFUSAL_TEXT_MAX, format, ap);
        va_end(ap);
        return -EINVAL;
}

/* "KEY=VALUE: write ...", the form of every complaint about a value. */
static int bad_value(Setting *s, const char *instead) {
        if (s->value[0] == '\0')
                return bad(s, "%s= has no value; write %s", s->key, instead);
        /* A longer value would push the advice out of the sentence. */
        return bad(s, "%s=%.80s%s is not allowed; write %s", s->key, s->value,
                   strlen(s->value) > 80 ? "..." : "", instead);
}

typedef struct Choice {
        const char *word;
        unsigned value;
} Choice;

static const Choice *choose(const Choice *choices, size_t n, const char *word) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(choices[i].word, word) == 0)
                        return &choices[i];
        return NULL;
}

/* The value is one of the words. NULL: it is not, and the complaint is written. */
static const Choice *parse_word(Setting *s, const Choice *choices, size_t n, const char *instead) {
        const Choice *choice = choose(choices, n, s->value);

        if (!choice)
                (void)bad_value(s, instead);
        return choice;
}

static int parse_description(Setting *s) {
        size_t length = strlen(s->value);

        if (length >= sizeof(s->network->description))
                return bad(s, "%s= is longer than %zu bytes; shorten it", s->key,
                           sizeof(s->network->description) - 1);
        if (!text_is_printable_utf8(s->value, length))
                return bad(
                        s,
                        "%s= has bytes that are not UTF-8, or a control or invisible format character; "
                        "remove it, and save the file as UTF-8",
                        s->key);
        memcpy(s->network->description, s->value, length + 1);
        return 0;
}

static int parse_parent(Setting *s) {
        if (!interface_name_is_valid(s->value))
                return bad_value(
                        s,
                        "the name of a network interface, as ip link shows it (at most 15 characters)");
        memcpy(s->network->parent, s->value, strlen(s->value) + 1);
        return 0;
}

static int parse_vlan(Setting *s) {
        static const char instead[] = "a number from 1 to 4094, none, or a range such as 100-199";
        char first_text[8];
        uint32_t first, last;
        const char *dash = strchr(s->value, '-');
        size_t length = dash ? (size_t)(dash - s->value) : strlen(s->value);

        if (strcmp(s->value, "none") == 0) {
                s->network->vlan_first = s->network->vlan_last = 0;
                return 0;
        }
        if (length >= sizeof(first_text))
                return bad_value(s, instead);
        memcpy(first_text, s->value, length);
        first_text[length] = '\0';
        if (text_parse_u32(first_text, 1, VLAN_ID_MAX, &first) < 0)
                return bad_value(s, instead);
        last = first;
        if (dash) {
                if (text_parse_u32(dash + 1, 1, VLAN_ID_MAX, &last) < 0)
                        return bad_value(s, instead);
                if (first >= last)
                        return bad_value(
                                s, "a range from a smaller to a larger number, such as 100-199");
        }
        s->network->vlan_first = (uint16_t)first;
        s->network->vlan_last = (uint16_t)last;
        return 0;
}

static int parse_protocol(Setting *s) {
        static const Choice choices[] = {{"802.1Q", ETH_P_8021Q}, {"802.1ad", ETH_P_8021AD}};
        const Choice *choice = parse_word(s, choices, ARRAY_SIZE(choices), "802.1Q or 802.1ad");

        if (!choice)
                return -EINVAL;
        s->network->protocol = (uint16_t)choice->value;
        return 0;
}

static int parse_mode(Setting *s) {
        static const Choice choices[] = {{"bridge", MODE_BRIDGE},
                                         {"private", MODE_PRIVATE},
                                         {"vepa", MODE_VEPA},
                                         {"exclusive", MODE_EXCLUSIVE}};
        const Choice *choice =
                parse_word(s, choices, ARRAY_SIZE(choices), "exclusive, private, vepa or bridge");

        if (!choice)
                return -EINVAL;
        s->network->mode = (NetworkMode)choice->value;
        return 0;
}

/* One or more of the words, each once: *ret is their values, joined. */
static int parse_words(Setting *s, const Choice *choices, size_t n, const char *instead,
                       unsigned *ret) {
        unsigned all = 0;

        for (const char *at = s->value + strspn(s->value, " \t"); *at; at += strspn(at, " \t")) {
                size_t length = strcspn(at, " \t");
                const Choice *choice;
                char word[8];

                if (length >= sizeof(word))
                        return bad_value(s, instead);
                memcpy(word, at, length);
                word[length] = '\0';
                choice = choose(choices, n, word);
                if (!choice)
                        return bad_value(s, instead);
                if (all & choice->value)
                        return bad(s, "%s= names %s twice; once is enough", s->key, word);
                all |= choice->value;
                at += length;
        }
        if (all == 0)
                return bad_value(s, instead);
        *ret = all;
        return 0;
}

static int parse_kinds(Setting *s) {
        static const Choice choices[] = {{"tap", KIND_BIT(KIND_TAP)},
                                         {"packet", KIND_BIT(KIND_PACKET)},
                                         {"veth", KIND_BIT(KIND_VETH)}};

        return parse_words(s, choices, ARRAY_SIZE(choices),
                           "tap, packet, veth, or several of them with blanks between",
                           &s->network->kinds);
}

static int parse_anti_spoof(Setting *s) {
        static const Choice choices[] = {{"yes", true}, {"no", false}};
        const Choice *choice = parse_word(s, choices, ARRAY_SIZE(choices), "yes or no");

        if (!choice)
                return -EINVAL;
        s->network->anti_spoof = choice->value;
        return 0;
}

static int parse_address_lock(Setting *s) {
        static const Choice choices[] = {{"off", ADDRESS_LOCK_OFF}, {"given", ADDRESS_LOCK_GIVEN}};
        const Choice *choice = parse_word(s, choices, ARRAY_SIZE(choices), "off or given");

        if (!choice)
                return -EINVAL;
        s->network->address_lock = (AddressLock)choice->value;
        return 0;
}

static int parse_control_frames(Setting *s) {
        static const Choice choices[] = {{"drop", false}, {"pass", true}};
        const Choice *choice = parse_word(s, choices, ARRAY_SIZE(choices), "drop or pass");

        if (!choice)
                return -EINVAL;
        s->network->pass_control = choice->value;
        return 0;
}

static int parse_guest_servers(Setting *s) {
        static const Choice choices[] = {{"dhcp", GUEST_SERVER_DHCP}, {"ra", GUEST_SERVER_RA}};

        if (strcmp(s->value, "none") == 0) {
                s->network->guest_servers = 0;
                return 0;
        }
        return parse_words(s, choices, ARRAY_SIZE(choices),
                           "none, dhcp, ra, or the last two with a blank between",
                           &s->network->guest_servers);
}

static int parse_rate(Setting *s) {
        if (bit_rate_parse(s->value, &s->network->rate) < 0)
                return bad_value(s, BIT_RATE_INSTEAD);
        return 0;
}

static int parse_mac_prefix(Setting *s) {
        if (mac_prefixes_parse(s->value, &s->network->mac_prefixes) < 0)
                return bad_value(
                        s, "up to 16 prefixes of unicast addresses with blanks between, such as "
                           "52:54:00 bc:24:11, each with 3 to 6 octets, or fewer if it is locally "
                           "administered; or nothing for any locally administered address");
        return 0;
}

static int parse_mac_choice(Setting *s) {
        static const Choice choices[] = {{"any", false}, {"derived", true}};
        const Choice *choice = parse_word(s, choices, ARRAY_SIZE(choices), "any or derived");

        if (!choice)
                return -EINVAL;
        s->network->derived_macs = choice->value;
        return 0;
}

static int parse_count(Setting *s, uint32_t min, uint32_t max, uint32_t *ret) {
        char instead[48];

        if (text_parse_u32(s->value, min, max, ret) == 0)
                return 0;
        snprintf(instead, sizeof(instead), "a number from %u to %u", min, max);
        return bad_value(s, instead);
}

static int parse_mtu(Setting *s) {
        return parse_count(s, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &s->network->mtu);
}

static int parse_max_leases(Setting *s) {
        return parse_count(s, 1, NETWORK_LEASES_MAX, &s->network->max_leases);
}

static int parse_max_leases_per_user(Setting *s) {
        return parse_count(s, 1, NETWORK_LEASES_MAX, &s->network->max_leases_per_user);
}

/* '%' would make a pattern of it (net/core/dev.c, dev_alloc_name()); "all" and "default" mean
 * something else in /proc/sys/net, "lo" exists. */
static int parse_host_interface(Setting *s) {
        static const char *const taken[] = {"lo", "all", "default"};
        bool good = interface_name_is_valid(s->value) && !strchr(s->value, '%') &&
                    strncmp(s->value, RAWNET_OWN_NAME_PREFIX, strlen(RAWNET_OWN_NAME_PREFIX)) != 0;

        for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
                good = good && strcmp(s->value, taken[i]) != 0;
        if (!good)
                return bad_value(
                        s,
                        "a name for a new interface of the host, 1 to 15 characters, such as lab0; "
                        "names that begin with rn are rawnet's own");
        memcpy(s->network->host_interface, s->value, strlen(s->value) + 1);
        return 0;
}

static const struct {
        const char *name;
        int (*parse)(Setting *s);
} keys[KEY_COUNT] = {
        [KEY_DESCRIPTION] = {"Description", parse_description},
        [KEY_PARENT] = {"Parent", parse_parent},
        [KEY_VLAN] = {"VLAN", parse_vlan},
        [KEY_PROTOCOL] = {"Protocol", parse_protocol},
        [KEY_MODE] = {"Mode", parse_mode},
        [KEY_KINDS] = {"Kinds", parse_kinds},
        [KEY_ANTI_SPOOF] = {"AntiSpoof", parse_anti_spoof},
        [KEY_ADDRESS_LOCK] = {"AddressLock", parse_address_lock},
        [KEY_CONTROL_FRAMES] = {"ControlFrames", parse_control_frames},
        [KEY_GUEST_SERVERS] = {"GuestServers", parse_guest_servers},
        [KEY_RATE] = {"Rate", parse_rate},
        [KEY_MTU] = {"MTU", parse_mtu},
        [KEY_MAC_PREFIX] = {"MACPrefix", parse_mac_prefix},
        [KEY_MAC_CHOICE] = {"MACChoice", parse_mac_choice},
        [KEY_MAX_LEASES] = {"MaxLeases", parse_max_leases},
        [KEY_MAX_LEASES_PER_USER] = {"MaxLeasesPerUser", parse_max_leases_per_user},
        [KEY_HOST_INTERFACE] = {"HostInterface", parse_host_interface},
};

/* Keys of earlier versions, with what is true without them. */
static const struct {
        const char *name, *now;
} gone_keys[] = {
        {"Isolation", "all ports are strict now"},
};

void network_defaults(Network *ret) {
        *ret = (Network){
                .protocol = ETH_P_8021Q,
                .mode = MODE_BRIDGE,
                .kinds = KINDS_ALL,
                .anti_spoof = true,
                .mac_prefixes = {.prefix = {{.octet = {0x52, 0x54, 0x00}, .length = 3}}, .n = 1},
                .max_leases = 4096,
                .max_leases_per_user = 64,
        };
}

int network_key_find(const char *name, NetworkKey *ret, char complaint[static REFUSAL_TEXT_MAX]) {
        Setting s = {.key = name, .complaint = complaint};
        const char *hint;

        for (NetworkKey key = 0; key < KEY_COUNT; key++)
                if (strcmp(keys[key].name, name) == 0) {
                        *ret = key;
                        return 0;
                }
        for (size_t i = 0; i < ARRAY_SIZE(gone_keys); i++)
                if (strcmp(gone_keys[i].name, name) == 0)
                        return bad(&s, "the key %s= is gone: %s; delete the line", name,
                                   gone_keys[i].now);
        hint = network_hint_case(name, keys, ARRAY_SIZE(keys), sizeof(keys[0]));
        if (hint)
                return bad(&s, "unknown key %.80s=; write %s=, case counts", name, hint);
        return bad(&s, "unknown key %.80s=; rawnet.network(5) has the list", name);
}

int network_key_parse(NetworkKey key, const char *value, Network *network,
                      char complaint[static REFUSAL_TEXT_MAX]) {
        Setting s = {
                .key = keys[key].name, .value = value, .network = network, .complaint = complaint};
        const char *hint = key == KEY_DESCRIPTION ? NULL : network_hint_value(value);

        if (hint)
                return bad(&s, "%s=%.80s is not allowed; %s", s.key, value, hint);
        return keys[key].parse(&s);
}
