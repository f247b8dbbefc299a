# SPDX-License-Identifier: GPL-2.0-or-later
"""Each rule of the guard about IP and LLC, taken away alone: (name, file, text, what replaces it, test, pattern, because).

Most are seen by the programs' unit tests, case by case; what a checksum could change later also by tests/attack/test_late_checksum.py."""

PROGRAM, IP, ETHERNET = "helper/guard/guard.bpf.c", "helper/guard/guard-ip.h", "helper/guard/guard-ethernet.h"
LOCK = "helper/guard/guard-lock.h"
LOCK_UNIT = "tests/unit/test-guard-lock.c"
UNIT, LATE = "tests/unit/test-guard-ip.c", "tests/attack/test_late_checksum.py"
ETHERNET_UNIT = "tests/unit/test-guard-program.c"
SERVERS = "on the wire are a server's"


def unit(name, path, old, new, pattern, case):
    return name, path, old, new, UNIT, pattern, f"{case}: reason"


def below(name, path, old, new, pattern, case):
    """Of the rules below IP and of the way in."""
    return name, path, old, new, ETHERNET_UNIT, pattern, f"{case}: reason"


def locks(name, old, new, pattern, case, path=LOCK):
    """Of the lock of a lease's addresses."""
    return f"lock: {name}", path, old, new, LOCK_UNIT, pattern, case


def looks(name, old, new, frame):
    """Of what passes unseen: the frame, as the unit test has it, that must not if its checksum is completed later."""
    return f"ordinary: {name}", PROGRAM, old, new, UNIT, "late_checksums", frame


def leads_on(name, old, new, frame):
    """The same of TCP over IPv6."""
    return f"leads on: {name}", IP, old, new, UNIT, "late_checksums", frame


def late(name, path, old, new, pattern, because=SERVERS):
    return f"late checksum: {name}", path, old, new, LATE, pattern, because


def without_word(text, word):
    """The change of a sum of BIT()s that takes one away."""
    return text, text.replace(word, "0")


RULES = [
    # -- the lock
    locks("ordinary frames", "is_longer(skb, entry->ordinary) ||", "is_longer(skb, entry->longest) ||", "ipv4", "TCP from another: reason", PROGRAM),
    locks("no lock is any lock", "if (!lock)\n                return GUARD_NOT_JUDGED;", "if (!lock)\n                return GUARD_PASS;", "no_lock", "TCP: reason"),
    locks("the family", " | (a.type ^ own->type)", "", "ipv6", "reason"),
    locks("the mask", "((a.word[0] & own->mask[0]) ^ own->value[0])", "(a.word[0] ^ own->value[0])", "ipv4", "TCP from a network: reason"),
    locks("half of the MAC address's own", "a.word[1] == link_local_of(entry)", "(uint32_t)a.word[1] == (uint32_t)link_local_of(entry)", "ipv6", "from almost that: reason"),
    locks("ARP: the sender's MAC address", "if (!is_own(arp.sender_mac, entry))\n                return GUARD_SPOOFED_SOURCE;", "", "arp", "another's MAC address: reason"),
    locks("ARP: probes", "a.word[0] != 0 ? a : address4(arp.target)", "a", "arp", "a probe: reason"),
    locks("ARP: any probe", "return judge_address(lock, entry, a.word[0] != 0 ? a : address4(arp.target));",
          "return a.word[0] != 0 ? judge_address(lock, entry, a) : GUARD_PASS;", "arp", "a probe for another: reason"),
    locks("ARP: of any form", "if (arp.hardware != bpf_htons(ARP_ETHERNET) ||", "if (skb->len == 0 ||", "arp", "other hardware: reason"),
    locks("DHCP clients", "if (asks_for_address(skb, &ip))\n                return GUARD_PASS;", "", "ipv4", "a DHCP client: reason"),
    locks("any port without a source", "ports.destination == bpf_htons(BOOTP_SERVER) &&", "", "ipv4", "without a source to another port: reason"),
    locks("any source of neighbour discovery", "if (type == NEIGHBOUR_ADVERTISEMENT || !has_source)", "if (type == NEIGHBOUR_ADVERTISEMENT && !has_source)",
          "discovery", "a claim of another: reason"),
    locks("options with any MAC address", "if (!is_own(option.address, entry))\n                        return GUARD_SPOOFED_SOURCE;", "", "discovery",
          "a question with another MAC address: reason"),
    locks("options of any length", "if (option.length != 1)", "if (option.length == 0)", "discovery", "a MAC address of another length: reason"),
    locks("answers behind extension headers", "if (flags & GUARD_LOCKED && is_out_of_place(skb, type))", "if (flags & GUARD_LOCKED && skb->len == 0)", "discovery",
          "behind an extension header: reason", IP),
    locks("anything without a source", "if (flags & GUARD_NO_SOURCE && chain_of(skb)->next != ICMPV6)", "if (flags & GUARD_NO_SOURCE && skb->len == 0)", "ipv6",
          "a datagram without a source: reason", IP),
    locks("ping without a source", "if (flags & GUARD_NO_SOURCE && !needs_no_source(type))", "if (flags & GUARD_NO_SOURCE && skb->len == 0)", "ipv6",
          "ping without a source: reason", IP),
    locks("fragments without a source", "if (r == GUARD_LATER && skb->cb[4] & GUARD_NO_SOURCE)", "if (r == GUARD_LATER && skb->len == 0)", "ipv6",
          "a later fragment without a source: reason", IP),
    locks("other protocols", "return is_control(ethernet) ? GUARD_PASS : GUARD_NOT_JUDGED;", "return GUARD_PASS;", "others", "another protocol: reason"),
    locks("ARP in SNAP", "if (judge_arp && llc.type == bpf_htons(TYPE_ARP))", "if (judge_arp && skb->len == 0)", "others", "ARP in SNAP to it: reason", PROGRAM),
    locks("ARP's late checksum", "if (!is_final(skb, ETHERNET_HEADER + sizeof(arp)))\n                return GUARD_NOT_JUDGED;", "", "late_checksums", "0806.*: reason"),
    locks("IPv4's late checksum", "(ip.version_length & 0xf) < 5 || !is_final(skb, ETHERNET_HEADER + sizeof(ip)))", "(ip.version_length & 0xf) < 5)", "late_checksums",
          "0800.*: reason"),
    locks("IPv6's late checksum", "!= bpf_htonl(0x60000000) || !is_final(skb, ETHERNET_HEADER + sizeof(ip)))", "!= bpf_htonl(0x60000000))", "late_checksums",
          "86dd.*: reason"),
    unit("containers: unfinished frames", PROGRAM, "if (is_unfinished(skb, entry))", "if (skb->len == 0)", "ipv4", "a container's datagram that was to be cut before"),
    # -- below IP
    *(below(f"{kind} is no tag", ETHERNET, old, new, "tags", case) for kind, old, new, case in (
        ("8100", "type == bpf_htons(0x8100) || type == bpf_htons(0x88a8) || type == bpf_htons(0x9100)", "type == bpf_htons(0x88a8) || type == bpf_htons(0x9100)", "a C-tag"),
        ("88a8", "type == bpf_htons(0x88a8) || type == bpf_htons(0x9100)", "type == bpf_htons(0x9100)", "an S-tag"),
        ("9100", "|| type == bpf_htons(0x9100) ||", "||", "a vendor's first"),
        ("9200", "|| type == bpf_htons(0x9200) ||", "||", "a vendor's second"),
        ("9300", "|| type == bpf_htons(0x9300);", ";", "a vendor's third"))),
    below("every tag is taken off", ETHERNET, "if ((head.control & bpf_htons(VLAN_VID_MASK)) == 0)", "if (head.control != 0xffff)", "tags", "a C-tag"),
    below("half a VID", ETHERNET, "#define VLAN_VID_MASK 0x0fff", "#define VLAN_VID_MASK 0x07ff", "tags", "the highest bit of a VID"),
    below("a vendor's priority is taken off", ETHERNET, "head.ethernet.type != bpf_htons(0x88a8))", "head.ethernet.type != bpf_htons(0x9100))", "tags", "a priority as S-tag"),
    *(below(f"control frames: {what}", ETHERNET, old, new, "ethernet", case) for what, old, new, case in (
        ("PAUSE", "if (ethernet->type == bpf_htons(TYPE_CONTROL)) return true;", "", "PAUSE to one station"),
        ("all of the bridges' addresses", "(to[5] & 0xf0) == 0;", "to[5] == 0;", "its last address"),
        ("CDP", "(to[5] == 0xcc || to[5] == 0xcd)", "to[5] == 0xcd", "CDP"),
        ("PVST+", "(to[5] == 0xcc || to[5] == 0xcd)", "to[5] == 0xcc", r"PVST\+"))),
    below("longer segments pass", PROGRAM, "return skb->gso_size == 0 || skb->gso_size + IPV4_UPPER > longest;", "return skb->gso_size == 0;", "lengths", "longer segments"),
    below("ordinary: any length", PROGRAM, "if (is_longer(skb, entry->ordinary) || skb->vlan_present) return false; if ((const uint8_t *)data + IPV4_UPPER",
          "if (skb->vlan_present) return false; if ((const uint8_t *)data + IPV4_UPPER", "lengths", "TCP a byte longer"),
    below("ordinary: to groups", PROGRAM, "if (AT(uint8_t, data, 0) & 1) return false;", "", "ethernet", "TCP to the bridges' group"),
    below("ordinary: any source", PROGRAM, "if (word == TYPE_WORD(TYPE_IPV4))", "if ((word & TYPE_WORD(0xffff)) == TYPE_WORD(TYPE_IPV4))", "ethernet", "another source with TCP"),
    below("ordinary: any source over IPv6", PROGRAM, "return word == TYPE_WORD(TYPE_IPV6) &&", "return (word & TYPE_WORD(0xffff)) == TYPE_WORD(TYPE_IPV6) &&",
          "ethernet", "another source with TCP over IPv6"),
    # -- from the wire
    below("wire: its own source", PROGRAM, "if ((entry->flags & GUARD_DROP_OWN) && is_own(ethernet.source, entry)) return GUARD_WIRE_OWN_SOURCE;", "",
          "wire", "its own source where that is dropped"),
    below("wire: its own IP", PROGRAM, "return !(entry->flags & GUARD_DROP_OWN) || SOURCE_WORD", "return true || SOURCE_WORD", "wire", "its own IP"),
    below("wire: any length of IP", PROGRAM, "if (skb->len > entry->longest || skb->vlan_present || (const uint8_t *)data + ETHERNET_HEADER",
          "if (skb->vlan_present || (const uint8_t *)data + ETHERNET_HEADER", "wire", "TCP a byte longer"),
    ("an inactive lease sends", PROGRAM, "if (entry->longest == 0) return TC_ACT_SHOT; if (is_unfinished(skb, entry))", "if (is_unfinished(skb, entry))",
     ETHERNET_UNIT, "inactive", "not ok .*test_inactive"),
    ("an inactive lease receives", PROGRAM, "if (entry->longest == 0) return TC_ACT_SHOT; reason = judge_arrival(skb, entry);",
     "if (entry->longest == 0) return TC_ACT_REDIRECT; reason = judge_arrival(skb, entry);",
     ETHERNET_UNIT, "inactive", "not ok .*test_inactive"),
    ("an inactive lease's frames are completed", PROGRAM, "if (guard_entries[number].longest == 0) return TC_ACT_SHOT; return", "return",
     ETHERNET_UNIT, "inactive", "not ok .*test_inactive"),
    ("each drop is reported", PROGRAM, "if (reports && counters->frames[reason] == 0) {", "if (reports) {", ETHERNET_UNIT, "events", "not ok .*test_events"),
    ("drops of the wire are reported", PROGRAM, "if (reports && counters->frames[reason] == 0) {", "if (counters->frames[reason] == 0) {", ETHERNET_UNIT, "events",
     "not ok .*test_events"),
    # -- IPv4
    unit("options are not skipped", IP, "at = ETHERNET_HEADER + (ip.version_length & 0xf) * 4u;", "at = ETHERNET_HEADER + sizeof(ip);", "ipv4", "a reply with options"),
    unit("any version", IP, "if (ip.version_length >> 4 != 4 || at <", "if (at <", "ipv4", "another version"),
    unit("a header of any length", IP, "|| at < ETHERNET_HEADER + sizeof(ip) || at > skb->len)", "|| at > skb->len)", "ipv4", "a header of four words"),
    unit("a header past the end", IP, "|| at > skb->len)", ")", "ipv4", "options past the end"),
    unit("half an IPv4 header passes", IP, "if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0) return GUARD_NOT_JUDGED; at =",
         "if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0) return GUARD_PASS; at =", "ipv4", "half a header"),
    unit("half a UDP header passes", IP, "return udp ? GUARD_NOT_JUDGED : GUARD_PASS;", "return GUARD_PASS;", "ipv4", "half a UDP header"),
    unit("replies to clients pass", IP, "if (udp && ports.destination == bpf_htons(BOOTP_CLIENT)) return GUARD_SERVER;", "", "ipv4", "a reply"),
    unit("replies to relays pass", IP, "if (operation == BOOTREPLY) return GUARD_SERVER;", "", "ipv4", "a reply to a relay"),
    unit("requests without a byte pass", IP, "&operation, sizeof(operation)) != 0) return GUARD_NOT_JUDGED;", "&operation, sizeof(operation)) != 0) return GUARD_PASS;",
         "ipv4", "a request without a byte"),
    unit("fragments of requests pass", IP, "if ((ip->fragment & bpf_htons(IPV4_MORE | IPV4_FRAGMENT)) || skb->gso_size != 0)", "if (skb->gso_size != 0)",
         "ipv4", "the first fragment of a request"),
    unit("later fragments have ports", IP, "udp = ip.protocol == UDP && (ip.fragment & bpf_htons(IPV4_FRAGMENT)) == 0;", "udp = ip.protocol == UDP;", "ipv4", "a later fragment"),
    unit("requests are cut", IP, "(IPV4_MORE | IPV4_FRAGMENT)) || skb->gso_size != 0)", "(IPV4_MORE | IPV4_FRAGMENT)))", "ipv4", "a request that is to be cut"),
    # -- IPv6
    unit("any version of IPv6", IP, "if ((ip.version & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000)) return GUARD_NOT_JUDGED;", "", "ipv6", "another version"),
    unit("half an IPv6 header passes", IP, "if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0) return GUARD_NOT_JUDGED; if",
         "if (take_bytes(skb, ETHERNET_HEADER, &ip, sizeof(ip)) != 0) return GUARD_PASS; if", "ipv6", "half a header"),
    unit("DHCPv6 passes", IP, "if (port == bpf_htons(DHCPV6_CLIENT) && !(flags & GUARD_ALLOW_DHCP)) return GUARD_SERVER;", "", "ipv6", "a server's reply"),
    unit("advertisements pass", IP, "(type == ADVERTISEMENT || type == REDIRECT)", "type == REDIRECT", "ipv6", "a router's advertisement"),
    unit("redirects pass", IP, "(type == ADVERTISEMENT || type == REDIRECT)", "type == ADVERTISEMENT", "ipv6", "a redirect"),
    unit("DHCP allows routers", IP, "!(flags & GUARD_ALLOW_RA)) return GUARD_SERVER;", "!(flags & (GUARD_ALLOW_RA | GUARD_ALLOW_DHCP))) return GUARD_SERVER;",
         "ipv6", "an advertisement where servers may be"),
    unit("routers allow DHCP", IP, "!(flags & GUARD_ALLOW_DHCP)) return GUARD_SERVER;", "!(flags & (GUARD_ALLOW_RA | GUARD_ALLOW_DHCP))) return GUARD_SERVER;",
         "ipv6", "a reply where routers may be"),
    unit("an experiment passes", IP, "case EXPERIMENT_1:", "", "ipv6", "an experiment"),
    unit("another experiment passes", IP, "case EXPERIMENT_2:", "", "ipv6", "another experiment"),
    unit("ICMPv6 without a byte passes", IP, "&type, sizeof(type)) != 0) return GUARD_NOT_JUDGED;", "&type, sizeof(type)) != 0) return GUARD_PASS;", "ipv6", "ICMPv6 without a byte"),
    unit("datagrams behind extensions are cut", IP, "if (skb->gso_size != 0 && at != ETHERNET_HEADER + sizeof(Ipv6)) return GUARD_NOT_JUDGED;", "",
         "extensions", "a datagram to be cut behind options"),
    *(unit(f"{word} is no extension", IP, *change, "extensions", case) for word, change, case in (
        ("HOP_BY_HOP", ("return next == HOP_BY_HOP || next == ROUTING", "return next == ROUTING"), "an advertisement behind hop-by-hop options"),
        ("ROUTING", ("return next == HOP_BY_HOP || next == ROUTING", "return next == HOP_BY_HOP"), "behind a routing header"),
        ("DESTINATION_OPTIONS", ("|| next == DESTINATION_OPTIONS ||", "||"), "behind destination options"),
        ("MOBILITY", ("next == MOBILITY || next == HIP", "next == HIP"), "behind a mobility header"),
        ("HIP", ("next == MOBILITY || next == HIP", "next == MOBILITY"), "behind HIP"),
        ("SHIM6", ("next == HIP || next == SHIM6", "next == HIP"), "behind shim6"),
        ("AUTHENTICATION", ("next != FRAGMENT && next != AUTHENTICATION", "next != FRAGMENT"), "behind an authentication header"))),
    unit("an authentication header has another's length", IP, "chain->at = at + (extension.length + 2u) * 4u;", "chain->at = at + (extension.length + 1u) * 8u;",
         "extensions", "behind an authentication header"),
    unit("extensions have one length", IP, "chain->at = at + (extension.length + 1u) * 8u;", "chain->at = at + 8u;", "extensions", "behind long options"),
    unit("hop-by-hop options anywhere", IP, "if (next == HOP_BY_HOP && !first) return GUARD_NOT_JUDGED;", "", "extensions", "two hop-by-hop options"),
    unit("half an extension passes", IP, "&extension, sizeof(extension)) != 0) return GUARD_NOT_JUDGED;", "&extension, sizeof(extension)) != 0) return GUARD_LATER;",
         "extensions", "half an extension"),
    unit("more extensions than it reads pass", IP, "GUARD_PASS : GUARD_NOT_JUDGED; return GUARD_NOT_JUDGED;", "GUARD_PASS : GUARD_NOT_JUDGED; return r == GUARD_PASS ? GUARD_PASS : GUARD_NOT_JUDGED;",
         "extensions", "six extensions"),
    unit("options in a first fragment", IP, "(next != AUTHENTICATION || at + 2 > chain->end)", "at + 2 > chain->end", "ipv6_fragments", "options in the first fragment"),
    unit("authentication in padding", IP, "(next != AUTHENTICATION || at + 2 > chain->end)", "next != AUTHENTICATION", "ipv6_fragments", "authentication that is padding"),
    unit("a type in padding", IP, "if (at + sizeof(type) > end || take", "if (take", "ipv6_fragments", "a type that is padding"),
    unit("ports in padding", IP, "if (at + sizeof(Ports) > end || take", "if (take", "ipv6_fragments", "ports that are padding"),
    unit("every fragment is a later one", IP, "return extension.fragment & bpf_htons(IPV6_FRAGMENT) ? GUARD_LATER : GUARD_PASS;", "return GUARD_LATER;",
         "ipv6_fragments", "the first fragment of a reply"),
    # -- LLC
    unit("IP in SNAP", PROGRAM, "if (judge_ip && (llc.type == bpf_htons(TYPE_IPV4) || llc.type == bpf_htons(TYPE_IPV6))) return GUARD_NOT_JUDGED;", "",
         "llc", "IPv4 in SNAP"),
    unit("IPv6 in SNAP", PROGRAM, "(llc.type == bpf_htons(TYPE_IPV4) || llc.type == bpf_htons(TYPE_IPV6))", "(llc.type == bpf_htons(TYPE_IPV4))", "llc", "IPv6 in SNAP"),
    unit("SNAP to a group", PROGRAM, "if ((dsap & 0xfe) != LLC_SNAP)", "if (dsap != LLC_SNAP)", "llc", "IPv6 in SNAP to a group of it"),
    unit("a tag in SNAP", PROGRAM, "if (is_tag(llc.type)) return GUARD_VLAN_TAG;", "", "llc", "a tag in SNAP"),
    unit("RFC 948", PROGRAM, "if ((dsap & 0xfe) == LLC_IP && judge_ip) return GUARD_NOT_JUDGED;", "", "llc", "RFC 948"),
    unit("RFC 948 to a group", PROGRAM, "if ((dsap & 0xfe) == LLC_IP && judge_ip)", "if (dsap == LLC_IP && judge_ip)", "llc", "RFC 948 to a group"),
    unit("half of SNAP passes", PROGRAM, "&llc, sizeof(llc)) != 0) return GUARD_NOT_JUDGED;", "&llc, sizeof(llc)) != 0) return GUARD_PASS;", "llc", "half of SNAP"),
    # -- frames of every day, which pass unseen
    unit("ordinary: options", PROGRAM, "if (AT(uint8_t, data, ETHERNET_HEADER) != IPV4_PLAIN || port", "if (port", "ipv4", "a reply with options"),
    unit("ordinary: any version", PROGRAM, "if (AT(uint8_t, data, ETHERNET_HEADER) >> 4 != 6 || could_lead_on", "if (could_lead_on", "ipv6", "another version of TCP"),
    *(looks(*line) for line in (
        ("port 67", "port == bpf_htons(BOOTP_SERVER) || port == bpf_htons(BOOTP_CLIENT))", "port == bpf_htons(BOOTP_CLIENT))", r"06.* 0043"),
        ("port 68", "port == bpf_htons(BOOTP_SERVER) || port == bpf_htons(BOOTP_CLIENT))", "port == bpf_htons(BOOTP_SERVER))", r"06.* 0044"),
        ("fragments", "(AT(uint16_t, data, IPV4_AT(fragment)) & bpf_htons(IPV4_MORE | IPV4_FRAGMENT)) == 0 &&", "", r"2000"),
        ("what begins like a reply", "AT(uint8_t, data, IPV4_UPPER + BOOTP_OFFSET) != BOOTREPLY;", "AT(uint8_t, data, IPV4_UPPER + BOOTP_OFFSET) != 0xff;", r"11 z10 .* 02"),
        ("datagrams that are to be cut", "return AT(uint8_t, data, IPV4_AT(protocol)) == UDP && skb->gso_size == 0 &&", "return AT(uint8_t, data, IPV4_AT(protocol)) == UDP &&",
         r"0800 45 .* 11 .*01: reason -1"),
        ("datagrams over IPv6 that are to be cut", "return AT(uint8_t, data, IPV6_AT(next)) == UDP && skb->gso_size == 0 &&",
         "return AT(uint8_t, data, IPV6_AT(next)) == UDP &&", r"86dd .* 11 .*01: reason -1"),
        *((f"type {number} of DHCPv6", *without_word("(BIT(2) | BIT(7) | BIT(10))", f"BIT({number})"), f"11 ff z32 .* {number:02x}: reason -1") for number in (2, 7, 10)))),
    *(leads_on(*line) for line in (
        ("port 546", "destination == bpf_htons(DHCPV6_CLIENT) ||", "", r"06 ff z32 .*0222"),
        *((f"{word} follows", *without_word("(BIT(UDP) | BIT(ROUTING) | BIT(FRAGMENT) | BIT(AUTHENTICATION) | BIT(ICMPV6) | \\\n BIT(DESTINATION_OPTIONS))", f"BIT({word})"),
           f"06 ff z32 {byte}00 0050") for word, byte in (("UDP", "11"), ("ROUTING", "2b"), ("FRAGMENT", "2c"), ("AUTHENTICATION", "33"), ("ICMPV6", "3a"),
                                                          ("DESTINATION_OPTIONS", "3c"))),
        *((f"{word} follows", *without_word("(BIT(ADVERTISEMENT) | BIT(REDIRECT) | BIT(MOBILITY) | BIT(HIP) | BIT(SHIM6))", f"BIT({word})"),
           f"06 ff z32 {byte}00 0050") for word, byte in (("ADVERTISEMENT", "86"), ("REDIRECT", "89"), ("MOBILITY", "87"), ("HIP", "8b"), ("SHIM6", "8c"))))),
    leads_on("TCP behind extensions", "chain_of(skb)->next == TCP && chain_of(skb)->at == at &&", "chain_of(skb)->next == TCP &&", "all own 86dd .* 3c ff"),
    ("ordinary: what is not in one piece", PROGRAM, "> (const uint8_t *)end) return false; /* Control frames are to groups. */", "> (const uint8_t *)end) return true; /* groups */",
     "tests/attack/test_pieces.py", "sent", "frames got to the wire"),
    # -- frames that are cut as another protocol's
    *((f"segments: what is cut as another protocol's passes{how}", PROGRAM, old, "", "tests/attack/test_other_protocol.py", "protocol", SERVERS) for how, old in (
        ("", "if (is_cut_as_another(skb, ethernet.type)) return GUARD_NOT_JUDGED;"),
        (" unseen", "if (skb->protocol != AT(uint16_t, data, TYPE_OFFSET)) return false;"))),
    # -- checksums that are completed later, on the wire
    late("every checksum is complete", IP, "return level < 0;", "return level > 0;", "ipv4"),
    late("every byte is final", IP, "bpf_skb_change_tail(skb, end + 1, 0) == -EINVAL;", "true;", "ipv4"),
    late("one byte less is final", IP, "bpf_skb_change_tail(skb, end + 1, 0) == -EINVAL;", "bpf_skb_change_tail(skb, end - 1, 0) == -EINVAL;", "ipv6"),
    late("requests are final", IP, "return only_checksum_changes(skb, at) ? GUARD_PASS : GUARD_NOT_JUDGED;", "return GUARD_PASS;", "ipv4"),
    late("requests are final before their checksum", IP, "if (!is_final(skb, at + CHECKSUM_OFFSET)) return false; return", "return", "ipv4"),
    late("requests are final behind their checksum", IP, "return bpf_skb_load_bytes(skb, keep, tail->bytes, bounded(size)) == 0 &&", "return size > 0 ||", "ipv4"),
    late("IPv4 is final", IP, "return is_final(skb, at + CHECKSUM_OFFSET) ? GUARD_PASS : GUARD_NOT_JUDGED; } /* -- IPv6 -- */", "return GUARD_PASS; } /* -- IPv6 -- */", "ipv4"),
    late("IPv6 is final", IP, "return is_final(skb, at + checksum) ? GUARD_PASS : GUARD_NOT_JUDGED;", "return GUARD_PASS;", "ipv6"),
    late("TCP over IPv6 is harmless", IP, "!could_lead_on(ports.first, ports.destination);", "ports.second <= 0xff;", "ipv6"),
    late("a later fragment is final", IP, "return is_final(skb, chain_of(skb)->at) ? GUARD_PASS : GUARD_NOT_JUDGED;", "return GUARD_PASS;", "ipv6"),
    late("LLC is final", PROGRAM, "return is_final(skb, ETHERNET_HEADER + sizeof(llc)) ? GUARD_PASS : GUARD_NOT_JUDGED;", "return GUARD_PASS;", "llc"),
    late("ICMPv6 has its checksum elsewhere", IP, "checksum = ICMPV6_CHECKSUM;", "", "honest_guests", "ICMPv6 128 did not arrive"),
    late("requests are cut", IP, "(IPV4_MORE | IPV4_FRAGMENT)) || skb->gso_size != 0)", "(IPV4_MORE | IPV4_FRAGMENT)))", "pieces"),
    late("datagrams behind extensions are cut", IP, "if (skb->gso_size != 0 && at != ETHERNET_HEADER + sizeof(Ipv6)) return GUARD_NOT_JUDGED;", "", "pieces"),
    *(late(f"{what} pass unseen", PROGRAM, old, new, pattern) for what, old, new, pattern in (
        ("ports 67", "port == bpf_htons(BOOTP_SERVER) || port == bpf_htons(BOOTP_CLIENT))", "port == bpf_htons(BOOTP_CLIENT))", "ipv4"),
        ("extensions", "could_lead_on(AT(uint8_t, data, IPV6_UPPER), AT(uint16_t, data, PORT_AT(IPV6_UPPER))))", "AT(uint8_t, data, ETHERNET_HEADER) == 0)", "ipv6"),
        ("DHCPv6's types", "!has_bit(DHCPV6_TYPES, 0, AT(uint8_t, data, IPV6_UPPER + BOOTP_OFFSET));", "AT(uint8_t, data, ETHERNET_HEADER) != 0;", "ipv6"))),
]
