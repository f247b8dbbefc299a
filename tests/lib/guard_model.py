# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guard must decide, written a second time and from the other end: from the RFCs, without the program's shortcuts, its order of
reads or its limits of the verifier. tests/netns/test_guard_model.py compares the two; tests/attack/test_late_checksum.py asks it what
came out on the wire."""

import dataclasses
import ipaddress
import struct

SPOOFED, TAG, CONTROL, SERVER, NOT_JUDGED, TOO_LONG, WIRE_TAG, WIRE_OWN, WIRE_LONG, FOREIGN = range(10)
PASSES = -1
REASONS = ("spoofed source", "VLAN tag", "control frame", "server", "not judged", "too long", "VLAN tag from the wire", "own source from the wire",
           "too long from the wire", "foreign address")  # fmt: skip

TAGS = (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300)
IPV4, IPV6, ARP, MAC_CONTROL = 0x0800, 0x86DD, 0x0806, 0x8808
FIRST_ETHERTYPE = 0x600
SEGMENT_HEADERS = 34  # Ethernet and the shortest IP header
# IPv6 extension headers, and the unit of their length field with what it leaves out.
EXTENSIONS = {0: (8, 1), 43: (8, 1), 60: (8, 1), 135: (8, 1), 139: (8, 1), 140: (8, 1), 51: (4, 2)}
FRAGMENT = 44
EXPERIMENTS = (253, 254)
LONGEST_CHAIN = 5
SOLICITS_ROUTER, SOLICITS, ADVERTISES = 133, 135, 136
WITHOUT_SOURCE = (SOLICITS_ROUTER, SOLICITS, 131, 132, 143)
MOST_OPTIONS = 4


@dataclasses.dataclass
class Rules:
    mac: bytes
    longest: int = 1514
    anti_spoof: bool = True
    pass_control: bool = False
    allow_dhcp: bool = False
    allow_ra: bool = False
    drop_own: bool = False
    locked: bool = False
    lock: tuple = ()  # ipaddress networks

    def flags(self):
        """GuardEntry.flags of helper/guard/guard-entry.h."""
        bits = (self.anti_spoof, self.pass_control, self.allow_dhcp, self.allow_ra, self.drop_own)
        return sum(1 << number for number, bit in enumerate(bits) if bit) | (0x100 if self.locked else 0)


class Unclear(Exception):
    """A field that decides is not in the frame."""


def number(frame, at, size):
    if at + size > len(frame):
        raise Unclear
    return int.from_bytes(frame[at : at + size], "big")


def without_priority(frame):
    """The frame, and whether a priority tag was taken off it."""
    if len(frame) >= 18 and frame[12:14] in (b"\x81\x00", b"\x88\xa8") and (frame[14] & 0xF, frame[15]) == (0, 0):
        return frame[:12] + frame[16:], True
    return frame, False


def is_control(frame):
    group = frame[:6]
    return (group[:5] == b"\x01\x80\xc2\0\0" and group[5] < 16) or group in (b"\x01\0\x0c\xcc\xcc\xcc", b"\x01\0\x0c\xcc\xcc\xcd") \
        or number(frame, 12, 2) == MAC_CONTROL  # fmt: skip


def ipv4_servers(frame, gso_size):
    version, words = divmod(number(frame, 14, 1), 16)
    number(frame, 14, 20)
    upper = 14 + words * 4
    if version != 4 or words < 5 or upper > len(frame):
        raise Unclear
    more, offset = bool(number(frame, 20, 2) & 0x2000), number(frame, 20, 2) & 0x1FFF
    if number(frame, 23, 1) != 17 or offset:
        return False
    port = number(frame, upper + 2, 2)
    if port == 67:
        if more or gso_size:  # it is a fragment, or becomes several datagrams or fragments
            raise Unclear
        return number(frame, upper + 8, 1) == 2
    return port == 68


def link_local(mac):
    return ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:6])


def is_named(data, rules):
    address = ipaddress.ip_address(data)
    return address == link_local(rules.mac) or any(address.version == network.version and address in network for network in rules.lock)


def named_or_foreign(data, rules):
    return PASSES if is_named(data, rules) else FOREIGN


def arp_lock(frame, rules):
    number(frame, 14, 28)
    if frame[14:20] != b"\0\1\x08\0\6\4":
        raise Unclear
    if frame[22:28] != rules.mac:
        return SPOOFED
    return named_or_foreign(frame[28:32] if any(frame[28:32]) else frame[38:42], rules)


def ipv4_lock(frame, rules, gso_size):
    version, words = divmod(number(frame, 14, 1), 16)
    number(frame, 14, 20)
    upper = 14 + words * 4
    if version != 4 or words < 5:
        raise Unclear
    if frame[26:34] == bytes(4) + b"\xff" * 4 and frame[23] == 17 and not number(frame, 20, 2) & 0x3FFF and not gso_size:
        if frame[upper : upper + 4][2:] == b"\0\x43":
            return PASSES
    return named_or_foreign(frame[26:30], rules)


def neighbour_options(frame, rules, at, end):
    for _ in range(MOST_OPTIONS + 1):
        if at == end:
            return PASSES
        number(frame, at, 8)
        kind, length = frame[at], frame[at + 1]
        if not length or (kind in (1, 2) and length != 1):
            raise Unclear
        if kind in (1, 2) and frame[at + 2 : at + 8] != rules.mac:
            return SPOOFED
        at += length * 8
    raise Unclear


def ipv6_lock(frame, rules, gso_size):
    number(frame, 14, 40)
    if frame[14] >> 4 != 6:
        raise Unclear
    has_source, end = any(frame[22:38]), 54 + number(frame, 18, 2)
    if has_source and not is_named(frame[22:38], rules):
        return FOREIGN
    if frame[20] != 58:
        return PASSES
    kind = number(frame, 54, 1)
    if kind not in (SOLICITS_ROUTER, SOLICITS, ADVERTISES):
        return PASSES
    if gso_size:
        raise Unclear
    if kind == SOLICITS_ROUTER:
        return neighbour_options(frame, rules, 62, end)
    number(frame, 62, 16)
    if (kind == ADVERTISES or not has_source) and not is_named(frame[62:78], rules):
        return FOREIGN
    return neighbour_options(frame, rules, 78, end)


def lock(frame, rules, gso_size):
    """What the lock says: a reason, or that the other rules decide."""
    kind = number(frame, 12, 2)
    if kind == ARP:
        if gso_size:
            raise Unclear
        return arp_lock(frame, rules)
    if kind == IPV4:
        return ipv4_lock(frame, rules, gso_size)
    if kind == IPV6:
        return ipv6_lock(frame, rules, gso_size)
    if not is_control(frame):
        raise Unclear
    return PASSES


def ipv6_reason(frame, rules, gso_size):
    """Of the whole chain of headers."""
    number(frame, 14, 40)
    if frame[14] >> 4 != 6:
        raise Unclear
    no_source = rules.locked and not any(frame[22:38])
    end = len(frame)  # of what a receiver takes for this packet's
    kind, upper, before, fragmented = frame[20], 54, [], False
    while kind in EXTENSIONS or kind == FRAGMENT:
        if len(before) == LONGEST_CHAIN or (kind == 0 and before) or (fragmented and kind != 51):
            raise Unclear
        before.append(kind)
        if upper + 4 > len(frame) or (fragmented and upper + 2 > end):
            raise Unclear
        if kind == FRAGMENT:
            if number(frame, upper + 2, 2) >> 3:
                return FOREIGN if no_source else PASSES
            fragmented, end = True, 54 + number(frame, 18, 2)
            length = 8
        else:
            unit, more = EXTENSIONS[kind]
            length = (frame[upper + 1] + more) * unit
        kind, upper = frame[upper], upper + length
    if no_source and kind != 58:
        return FOREIGN
    if kind in EXPERIMENTS:
        raise Unclear
    if kind == 17:
        if upper + 4 > end:
            raise Unclear
        if before and gso_size:  # extensions could get into a fragment
            raise Unclear
        return SERVER if number(frame, upper + 2, 2) == 546 and not rules.allow_dhcp else PASSES
    if kind == 58:
        if upper + 1 > end:
            raise Unclear
        kind = number(frame, upper, 1)
        if kind in (134, 137) and not rules.allow_ra:
            return SERVER
        if rules.locked and before and kind in (SOLICITS_ROUTER, SOLICITS, ADVERTISES):
            raise Unclear
        if no_source and kind not in WITHOUT_SOURCE:
            return FOREIGN
    return PASSES


def llc(frame, judge_ip, judge_arp):
    """(tag, hidden IP)"""
    dsap = number(frame, 14, 1) & 0xFE
    if dsap == 6:
        return False, judge_ip
    if dsap != 0xAA:
        return False, False
    kind = number(frame, 20, 2)
    return kind in TAGS, (judge_ip and kind in (IPV4, IPV6)) or (judge_arp and kind == ARP)


def _sent(frame, rules, gso_size):
    kind = number(frame, 12, 2)
    if kind in TAGS:
        return TAG
    if rules.anti_spoof and frame[6:12] != rules.mac:
        return SPOOFED
    if not rules.pass_control and is_control(frame):
        return CONTROL
    if len(frame) > rules.longest and (not gso_size or gso_size + SEGMENT_HEADERS > rules.longest):
        return TOO_LONG
    if gso_size and kind < FIRST_ETHERTYPE:  # nobody cuts it
        return NOT_JUDGED
    judge_ip = rules.locked or not (rules.allow_dhcp and rules.allow_ra)
    reason = lock(frame, rules, gso_size) if rules.locked else PASSES
    if reason != PASSES:
        return reason
    if kind < FIRST_ETHERTYPE:
        tag, hidden = llc(frame, judge_ip, rules.locked)
        return TAG if tag else NOT_JUDGED if hidden else PASSES
    if kind == IPV4 and not rules.allow_dhcp and ipv4_servers(frame, gso_size):
        return SERVER
    if kind == IPV6 and judge_ip:
        return ipv6_reason(frame, rules, gso_size)
    return PASSES


def sent(frame, rules, gso_size=0):
    """(reason or PASSES, without its tag) of a frame that the guest sends."""
    frame, untagged = without_priority(frame)
    try:
        return _sent(frame, rules, gso_size), untagged
    except Unclear:
        return NOT_JUDGED, untagged


def received(frame, rules, gso_size=0):
    """The same of one that comes from the wire."""
    frame, untagged = without_priority(frame)
    if number(frame, 12, 2) in TAGS:
        return WIRE_TAG, untagged
    if rules.drop_own and frame[6:12] == rules.mac:
        return WIRE_OWN, untagged
    if len(frame) > rules.longest and not gso_size:
        return WIRE_LONG, untagged
    return PASSES, untagged


# -- where a received frame of a packet port with virtio_net_hdr goes: is the header enough to describe it?

UNDESCRIBED_TYPES = (0x8847, 0x8848, 0x8906)  # MPLS, FCoE
TUNNELS = (4789, 8472, 6081)


def is_describable(frame, gso_size=0):
    kind = struct.unpack_from("!H", frame, 12)[0]
    if len(frame) < 38:
        return False
    if kind not in (IPV4, IPV6):
        return not gso_size and kind not in UNDESCRIBED_TYPES
    if kind == IPV6 and len(frame) < 58:
        return False
    if kind == IPV4 and frame[14] != 0x45:
        return False
    protocol, upper = (frame[23], 34) if kind == IPV4 else (frame[20], 54)
    if protocol == 6:
        return True
    if protocol in (1, 58):
        return True
    return protocol == 17 and not gso_size and struct.unpack_from("!H", frame, upper + 2)[0] not in TUNNELS
