/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The form of a network file: its text becomes a Network, or a refusal with file:line. Knows bytes,
 * lines and the section, each key's line, and what no single line shows. What one key may have as
 * its value is in network-key.c. Reads no file itself (network-load.c does), changes nothing,
 * allocates nothing.
 */

#include <assert.h>
#include <linux/if_ether.h>
#include <sha2.h>
#include <string.h>

#include "common/network-file.h"
#include "common/network-hint.h"
#include "common/network-key.h"
#include "common/text.h"

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
        const char *name, *value;
        char complaint[REFUSAL_TEXT_MAX];
        NetworkKey key;

        if (!equals)
                return bad(p, p->line, "'%.80s' is not understood; write Key=value", line);
        *equals = '\0';
        name = trim(line);
        value = trim(equals + 1);
        if (p->section == 0)
                return bad(p, p->line, "%.80s= comes before [Network]; move it below that line",
                           name);
        if (network_key_find(name, &key, complaint) < 0)
                return bad(p, p->line, "%s", complaint);
        if (p->seen[key] != 0)
                return bad(p, p->line,
                           "%s= is given a second time (the first is in line %u); "
                           "remove one of them",
                           name, p->seen[key]);
        p->seen[key] = p->line;
        if (network_key_parse(key, value, &p->network, complaint) < 0)
                return bad(p, p->line, "%s", complaint);
        return 0;
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

static int check_mac_choice(Parser *p) {
        const Network *n = &p->network;
        unsigned line = p->seen[KEY_MAC_CHOICE];

        if (!n->derived_macs)
                return 0;
        if (!mac_prefix_to_choose(&n->mac_prefixes))
                return bad(
                        p, line,
                        "MACChoice=derived, and no prefix in MACPrefix= under which rawnet chooses "
                        "an address; add a locally administered one of at most 4 octets, as 52:54:00");
        if (!n->anti_spoof)
                return bad(p, line,
                           "MACChoice=derived with AntiSpoof=no, which lets a guest send from any "
                           "address; write AntiSpoof=yes, or remove MACChoice=");
        return 0;
}

static int check_address_lock(Parser *p) {
        const Network *n = &p->network;

        if (n->address_lock == ADDRESS_LOCK_OFF || n->anti_spoof)
                return 0;
        return bad(
                p, p->seen[KEY_ADDRESS_LOCK],
                "AddressLock=%s with AntiSpoof=no, which lets a guest send from any MAC address; "
                "write AntiSpoof=yes, or remove AddressLock=",
                address_lock_to_string(n->address_lock));
}

/* Checks what no single line shows. */
static int check_whole(Parser *p) {
        const Network *n = &p->network;
        int r;

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
        r = check_mac_choice(p);
        if (r == 0)
                r = check_address_lock(p);
        return r != 0 ? r : check_host_interface(p);
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
        Parser parser = {.refusal = ret_refusal};
        int r;

        network_defaults(&parser.network);
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
