/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The text of one network file becomes a Network, or a refusal with file:line, the reason and what
 * to write instead. Reads no file itself (network-load.c does), changes nothing, allocates nothing.
 */

#include <assert.h>
#include <linux/if_ether.h>
#include <sha2.h>
#include <string.h>

#include "common/network-file.h"
#include "common/network-hint.h"
#include "common/text.h"

typedef enum Key {
        KEY_DESCRIPTION,
        KEY_PARENT,
        KEY_VLAN,
        KEY_PROTOCOL,
        KEY_MODE,
        KEY_KINDS,
        KEY_ANTI_SPOOF,
        KEY_CONTROL_FRAMES,
        KEY_GUEST_SERVERS,
        KEY_MTU,
        KEY_MAC_PREFIX,
        KEY_MAX_LEASES,
        KEY_MAX_LEASES_PER_USER,
        KEY_HOST_INTERFACE,
        KEY_COUNT,
} Key;

typedef struct Parser {
        Network network;
        unsigned line;            /* being read, from 1 */
        unsigned section;         /* line of [Network], 0 before it */
        unsigned seen[KEY_COUNT]; /* line of each key, 0 where absent */
        Refusal *refusal;
} Parser;

/* "network NAME: PATH:LINE: sentence" */
_printf_(3, 4) static int bad(Parser *p, unsigned line, const char *format, ...) {
        char sentence[REFUSAL_TEXT_MAX];
        va_list ap;

        va_start(ap, format);
        vsnprintf(sentence, sizeof(sentence), format, ap);
        va_end(ap);
        return refuse(p->refusal, RAWNET_BAD_NETWORK_FILE, "network %s: %s:%u: %s", p->network.name,
                      p->network.path, line, sentence);
}

/* "KEY=VALUE: write ...", the form of every complaint about a value. */
static int bad_value(Parser *p, const char *key, const char *value, const char *instead) {
        if (value[0] == '\0')
                return bad(p, p->line, "%s= has no value; write %s", key, instead);
        /* A longer value would push the advice out of the sentence. */
        return bad(p, p->line, "%s=%.80s%s is not allowed; write %s", key, value,
                   strlen(value) > 80 ? "..." : "", instead);
}

typedef struct Choice {
        const char *word;
        unsigned value;
} Choice;

static bool choose(const Choice *choices, size_t n, const char *word, unsigned *ret) {
        for (size_t i = 0; i < n; i++)
                if (strcmp(choices[i].word, word) == 0) {
                        *ret = choices[i].value;
                        return true;
                }
        return false;
}

static int parse_description(Parser *p, const char *key, const char *value) {
        size_t length = strlen(value);

        if (length >= sizeof(p->network.description))
                return bad(p, p->line, "%s= is longer than %zu bytes; shorten it", key,
                           sizeof(p->network.description) - 1);
        if (!text_is_printable_utf8(value, length))
                return bad(
                        p, p->line,
                        "%s= has bytes that are not UTF-8, or a control or invisible format character; "
                        "remove it, and save the file as UTF-8",
                        key);
        memcpy(p->network.description, value, length + 1);
        return 0;
}

static int parse_parent(Parser *p, const char *key, const char *value) {
        if (!interface_name_is_valid(value))
                return bad_value(
                        p, key, value,
                        "the name of a network interface, as ip link shows it (at most 15 characters)");
        memcpy(p->network.parent, value, strlen(value) + 1);
        return 0;
}

static int parse_vlan(Parser *p, const char *key, const char *value) {
        static const char instead[] = "a number from 1 to 4094, none, or a range such as 100-199";
        char first_text[8];
        uint32_t first, last;
        const char *dash = strchr(value, '-');
        size_t length = dash ? (size_t)(dash - value) : strlen(value);

        if (strcmp(value, "none") == 0) {
                p->network.vlan_first = p->network.vlan_last = 0;
                return 0;
        }
        if (length >= sizeof(first_text))
                return bad_value(p, key, value, instead);
        memcpy(first_text, value, length);
        first_text[length] = '\0';
        if (text_parse_u32(first_text, 1, VLAN_ID_MAX, &first) < 0)
                return bad_value(p, key, value, instead);
        last = first;
        if (dash) {
                if (text_parse_u32(dash + 1, 1, VLAN_ID_MAX, &last) < 0)
                        return bad_value(p, key, value, instead);
                if (first >= last)
                        return bad_value(
                                p, key, value,
                                "a range from a smaller to a larger number, such as 100-199");
        }
        p->network.vlan_first = (uint16_t)first;
        p->network.vlan_last = (uint16_t)last;
        return 0;
}

static int parse_protocol(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"802.1Q", ETH_P_8021Q}, {"802.1ad", ETH_P_8021AD}};
        unsigned protocol;

        if (!choose(choices, ARRAY_SIZE(choices), value, &protocol))
                return bad_value(p, key, value, "802.1Q or 802.1ad");
        p->network.protocol = (uint16_t)protocol;
        return 0;
}

static int parse_mode(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"bridge", MODE_BRIDGE},
                                         {"private", MODE_PRIVATE},
                                         {"vepa", MODE_VEPA},
                                         {"exclusive", MODE_EXCLUSIVE}};
        unsigned mode;

        if (!choose(choices, ARRAY_SIZE(choices), value, &mode))
                return bad_value(p, key, value, "exclusive, private, vepa or bridge");
        p->network.mode = (NetworkMode)mode;
        return 0;
}

/* One or more of the words, each once: *ret is their values, joined. */
static int parse_words(Parser *p, const char *key, const char *value, const Choice *choices,
                       size_t n, const char *instead, unsigned *ret) {
        unsigned all = 0;

        for (const char *at = value + strspn(value, " \t"); *at; at += strspn(at, " \t")) {
                size_t length = strcspn(at, " \t");
                char word[8];
                unsigned one;

                if (length >= sizeof(word))
                        return bad_value(p, key, value, instead);
                memcpy(word, at, length);
                word[length] = '\0';
                if (!choose(choices, n, word, &one))
                        return bad_value(p, key, value, instead);
                if (all & one)
                        return bad(p, p->line, "%s= names %s twice; once is enough", key, word);
                all |= one;
                at += length;
        }
        if (all == 0)
                return bad_value(p, key, value, instead);
        *ret = all;
        return 0;
}

static int parse_kinds(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"tap", KIND_BIT(KIND_TAP)},
                                         {"packet", KIND_BIT(KIND_PACKET)},
                                         {"veth", KIND_BIT(KIND_VETH)}};

        return parse_words(p, key, value, choices, ARRAY_SIZE(choices),
                           "tap, packet, veth, or several of them with blanks between",
                           &p->network.kinds);
}

static int parse_anti_spoof(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"yes", true}, {"no", false}};
        unsigned on;

        if (!choose(choices, ARRAY_SIZE(choices), value, &on))
                return bad_value(p, key, value, "yes or no");
        p->network.anti_spoof = on;
        return 0;
}

static int parse_control_frames(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"drop", false}, {"pass", true}};
        unsigned pass;

        if (!choose(choices, ARRAY_SIZE(choices), value, &pass))
                return bad_value(p, key, value, "drop or pass");
        p->network.pass_control = pass;
        return 0;
}

static int parse_guest_servers(Parser *p, const char *key, const char *value) {
        static const Choice choices[] = {{"dhcp", GUEST_SERVER_DHCP}, {"ra", GUEST_SERVER_RA}};

        if (strcmp(value, "none") == 0) {
                p->network.guest_servers = 0;
                return 0;
        }
        return parse_words(p, key, value, choices, ARRAY_SIZE(choices),
                           "none, dhcp, ra, or the last two with a blank between",
                           &p->network.guest_servers);
}

static int parse_mac_prefix(Parser *p, const char *key, const char *value) {
        if (mac_prefixes_parse(value, &p->network.mac_prefixes) < 0)
                return bad_value(
                        p, key, value,
                        "up to 16 prefixes of unicast addresses with blanks between, such as "
                        "52:54:00 bc:24:11, each with 3 to 6 octets, or fewer if it is locally "
                        "administered; or nothing for any locally administered address");
        return 0;
}

static int parse_count(Parser *p, const char *key, const char *value, uint32_t min, uint32_t max,
                       uint32_t *ret) {
        char instead[48];

        if (text_parse_u32(value, min, max, ret) == 0)
                return 0;
        snprintf(instead, sizeof(instead), "a number from %u to %u", min, max);
        return bad_value(p, key, value, instead);
}

static int parse_mtu(Parser *p, const char *key, const char *value) {
        return parse_count(p, key, value, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &p->network.mtu);
}

static int parse_max_leases(Parser *p, const char *key, const char *value) {
        return parse_count(p, key, value, 1, NETWORK_LEASES_MAX, &p->network.max_leases);
}

static int parse_max_leases_per_user(Parser *p, const char *key, const char *value) {
        return parse_count(p, key, value, 1, NETWORK_LEASES_MAX, &p->network.max_leases_per_user);
}

/* '%' would make a pattern of it (net/core/dev.c, dev_alloc_name()); "all" and "default" mean
 * something else in /proc/sys/net, "lo" exists. */
static int parse_host_interface(Parser *p, const char *key, const char *value) {
        static const char *const taken[] = {"lo", "all", "default"};
        bool good = interface_name_is_valid(value) && !strchr(value, '%') &&
                    strncmp(value, RAWNET_OWN_NAME_PREFIX, strlen(RAWNET_OWN_NAME_PREFIX)) != 0;

        for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
                good = good && strcmp(value, taken[i]) != 0;
        if (!good)
                return bad_value(
                        p, key, value,
                        "a name for a new interface of the host, 1 to 15 characters, such as lab0; "
                        "names that begin with rn are rawnet's own");
        memcpy(p->network.host_interface, value, strlen(value) + 1);
        return 0;
}

static const struct {
        const char *name;
        int (*parse)(Parser *p, const char *key, const char *value);
} keys[KEY_COUNT] = {
        [KEY_DESCRIPTION] = {"Description", parse_description},
        [KEY_PARENT] = {"Parent", parse_parent},
        [KEY_VLAN] = {"VLAN", parse_vlan},
        [KEY_PROTOCOL] = {"Protocol", parse_protocol},
        [KEY_MODE] = {"Mode", parse_mode},
        [KEY_KINDS] = {"Kinds", parse_kinds},
        [KEY_ANTI_SPOOF] = {"AntiSpoof", parse_anti_spoof},
        [KEY_CONTROL_FRAMES] = {"ControlFrames", parse_control_frames},
        [KEY_GUEST_SERVERS] = {"GuestServers", parse_guest_servers},
        [KEY_MTU] = {"MTU", parse_mtu},
        [KEY_MAC_PREFIX] = {"MACPrefix", parse_mac_prefix},
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

/* text without the blanks around it, which are overwritten. */
static char *trim(char *text) {
        size_t length;

        text += strspn(text, " \t");
        length = strlen(text);
        while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
                text[--length] = '\0';
        return text;
}

static int parse_section(Parser *p, const char *header) {
        static const char *const sections[] = {"[Network]"};
        bool other_case = network_hint_case(header, sections, 1, sizeof(sections[0]));

        if (strcmp(header, sections[0]) != 0)
                return bad(p, p->line,
                           other_case ? "unknown section %.80s; write [Network], case counts"
                                      : "unknown section %.80s; a network file has [Network] only",
                           header);
        if (p->section != 0)
                return bad(p, p->line,
                           "a second [Network] (the first is in line %u); "
                           "write one file for each network",
                           p->section);
        p->section = p->line;
        return 0;
}

static int parse_assignment(Parser *p, char *line) {
        char *equals = strchr(line, '=');
        const char *name, *value, *hint;

        if (!equals)
                return bad(p, p->line, "'%.80s' is not understood; write Key=value", line);
        *equals = '\0';
        name = trim(line);
        value = trim(equals + 1);
        if (p->section == 0)
                return bad(p, p->line, "%.80s= comes before [Network]; move it below that line",
                           name);
        for (Key key = 0; key < KEY_COUNT; key++) {
                if (strcmp(keys[key].name, name) != 0)
                        continue;
                if (p->seen[key] != 0)
                        return bad(p, p->line,
                                   "%s= is given a second time (the first is in line %u); "
                                   "remove one of them",
                                   name, p->seen[key]);
                p->seen[key] = p->line;
                hint = key == KEY_DESCRIPTION ? NULL : network_hint_value(value);
                if (hint)
                        return bad(p, p->line, "%s=%.80s is not allowed; %s", name, value, hint);
                return keys[key].parse(p, name, value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(gone_keys); i++)
                if (strcmp(gone_keys[i].name, name) == 0)
                        return bad(p, p->line, "the key %s= is gone: %s; delete the line", name,
                                   gone_keys[i].now);
        hint = network_hint_case(name, keys, ARRAY_SIZE(keys), sizeof(keys[0]));
        if (hint)
                return bad(p, p->line, "unknown key %.80s=; write %s=, case counts", name, hint);
        return bad(p, p->line, "unknown key %.80s=; rawnet.network(5) has the list", name);
}

/* No line may have control bytes, not even a comment: an editor hides their effect on a terminal.
 */
static int check_bytes(Parser *p, const char *line, size_t size) {
        if (size > NETWORK_FILE_LINE_MAX)
                return bad(p, p->line, "the line is longer than %u bytes; shorten it",
                           NETWORK_FILE_LINE_MAX);
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)line[i];

                if (c == '\r')
                        return bad(p, p->line,
                                   "a carriage return; save the file with Unix line ends");
                if ((c < ' ' && c != '\t') || c == 0x7f)
                        return bad(p, p->line, "a control character (0x%02x); remove it", c);
        }
        return 0;
}

static int parse_line(Parser *p, const char *line, size_t size) {
        char copy[NETWORK_FILE_LINE_MAX + 1];
        char *text;
        int r;

        r = check_bytes(p, line, size);
        if (r != 0)
                return r;
        memcpy(copy, line, size);
        copy[size] = '\0';
        text = trim(copy);
        if (text[0] == '\0' || text[0] == '#' || text[0] == ';')
                return 0;
        if (text[0] == '[')
                return parse_section(p, text);
        return parse_assignment(p, text);
}

static int check_host_interface(Parser *p) {
        const Network *n = &p->network;
        unsigned line = p->seen[KEY_HOST_INTERFACE];

        if (line == 0)
                return 0;
        if (n->mode != MODE_BRIDGE)
                return bad(
                        p, line,
                        "HostInterface= with Mode=%s: host and guests reach each other in bridge mode "
                        "only; write Mode=bridge, or remove HostInterface=",
                        network_mode_to_string(n->mode));
        if (n->vlan_first != n->vlan_last)
                return bad(
                        p, line,
                        "HostInterface= with a range of VLANs: one interface is on one VLAN; write a "
                        "file of its own for that VLAN, or remove HostInterface=");
        if (strcmp(n->host_interface, n->parent) == 0)
                return bad(
                        p, line,
                        "HostInterface=%s is the parent's own name; choose one that no interface has",
                        n->host_interface);
        return 0;
}

/* Checks what no single line shows. */
static int check_whole(Parser *p) {
        const Network *n = &p->network;

        if (p->section == 0)
                return bad(p, 1, "no [Network] section; rawnet.network(5) has an example");
        if (p->seen[KEY_PARENT] == 0)
                return bad(p, p->section,
                           "Parent= is missing; "
                           "add it with the interface that leads to the network");
        if (p->seen[KEY_VLAN] == 0)
                return bad(p, p->section,
                           "VLAN= is missing; add it with the VLAN's number, or none for no tag");
        /* The uplink of an exclusive lease is the interface itself: untagged that would be the
         * host's own NIC. */
        if (n->mode == MODE_EXCLUSIVE && n->vlan_first == 0)
                return bad(p, p->seen[KEY_MODE],
                           "Mode=exclusive with VLAN=none would take %s away from the host; "
                           "use bridge, private or vepa, or a VLAN",
                           n->parent);
        if (n->protocol == ETH_P_8021AD && n->vlan_first == 0)
                return bad(p, p->seen[KEY_PROTOCOL],
                           "Protocol=802.1ad with VLAN=none: without a tag there is no protocol of "
                           "the tag; remove Protocol=, or name a VLAN");
        return check_host_interface(p);
}

static int parse_text(Parser *p, const char *text, size_t size) {
        const char *end = text + size, *hint = network_hint_text(text, size);

        if (size > NETWORK_FILE_SIZE_MAX)
                return bad(p, 1, "the file is larger than %u bytes; shorten it",
                           NETWORK_FILE_SIZE_MAX);
        if (hint)
                return bad(p, 1, "%s", hint);
        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                const char *line_end = newline ? newline : end;
                int r;

                p->line++;
                r = parse_line(p, text, (size_t)(line_end - text));
                if (r != 0)
                        return r;
                text = newline ? newline + 1 : end;
        }
        return check_whole(p);
}

static void digest_text(const char *text, size_t size, uint8_t ret[static NETWORK_DIGEST_SIZE]) {
        SHA2_CTX context;

        _Static_assert(SHA256_DIGEST_LENGTH == NETWORK_DIGEST_SIZE, "the digest is a SHA-256");
        SHA256Init(&context);
        SHA256Update(&context, (const uint8_t *)text, size);
        SHA256Final(ret, &context);
}

int network_file_parse(const char *path, const char *name, const char *text, size_t size,
                       Network *ret, Refusal *ret_refusal) {
        Parser parser = {
                .network =
                        {
                                .protocol = ETH_P_8021Q,
                                .mode = MODE_BRIDGE,
                                .kinds = KINDS_ALL,
                                .anti_spoof = true,
                                .mac_prefixes = {.prefix = {{.octet = {0x52, 0x54, 0x00},
                                                             .length = 3}},
                                                 .n = 1},
                                .max_leases = 4096,
                                .max_leases_per_user = 64,
                        },
                .refusal = ret_refusal,
        };
        int r;

        /* Both are the caller's own: network_file_load_at() has checked them. */
        assert(strlen(name) < sizeof(parser.network.name));
        assert(strlen(path) < sizeof(parser.network.path));
        memcpy(parser.network.name, name, strlen(name) + 1);
        memcpy(parser.network.path, path, strlen(path) + 1);

        digest_text(text, size, parser.network.digest);
        r = parse_text(&parser, text, size);
        if (r != 0) {
                memcpy(ret->name, parser.network.name, sizeof(ret->name));
                memcpy(ret->path, parser.network.path, sizeof(ret->path));
                return r;
        }
        *ret = parser.network;
        return 0;
}
