# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard's programs against a model of them (tests/lib/guard_model.py), on frames that a generator makes of real ones and of noise: the
same verdict, the same reason, the same frame afterwards.

RAWNET_SEED=N makes the same frames again, RAWNET_FRAMES=N as many."""

import concurrent.futures
import ipaddress
import os
import random
import struct
import subprocess

import frames
import guard_model as model
import lab
import tap

PROGRAM = f"{lab.build_dir}/tests/unit/guard-judge"
QUESTION, ANSWER = struct.Struct("=IIIII6sBB"), struct.Struct("=HbB")
SEED = int(os.environ.get("RAWNET_SEED") or random.SystemRandom().randrange(1 << 32))
FRAMES = int(os.environ.get("RAWNET_FRAMES") or 1_000_000 // tap.SLOWNESS**2)
BATCH = 50_000
REDIRECT, SHOT = 7, 2  # linux/pkt_cls.h, TC_ACT_
INGRESS = 1  # BPF_F_INGRESS
PROBE_TO_INNER, PROBE_TO_PORT, PROBE_INGRESS = 0x1FD, 0x1FF, 0x200  # tests/unit/guard-run.h
OWN, OTHER, GATEWAY = "52:54:00:12:34:56", "02:00:00:00:00:01", "02:00:00:00:00:fe"
MAC = frames.mac_bytes(OWN)
HERE, THERE, HERE6, THERE6 = "10.0.0.2", "10.0.0.1", "fe80::2", "fe80::1"
LOCK = (HERE, "192.0.2.0/24", HERE6, "fd00:1::/64")
NETWORKS = tuple(ipaddress.ip_network(text) for text in LOCK)
# What the fields of addresses are about.
ADDRESSES4 = [ipaddress.ip_address(text).packed for text in (HERE, HERE, THERE, "10.0.0.3", "192.0.2.77", "192.0.3.0", "0.0.0.0", "255.255.255.255")]
ADDRESSES6 = [ipaddress.ip_address(text).packed for text in (HERE6, HERE6, THERE6, "::", "::", "fe80::5054:ff:fe12:3456", "fe80::5054:ff:fe12:3457",
              "fd00:1::9", "fd00:2::9", "::ffff:10.0.0.2")]  # fmt: skip
PLACES4, PLACES6 = (26, 26, 28, 30, 38), (22, 22, 38, 62)
LONGEST_FRAME = 3400

# What fields of headers are about.
BYTES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 43, 44, 45, 50, 51, 58, 59, 60, 67, 68, 69, 70, 79, 128, 133, 134, 135, 136, 137, 139, 140,
         0xAA, 0xAB, 132, 253, 254, 255)  # fmt: skip
WORDS = (0, 1, 8, 9, 67, 68, 546, 547, 0x2000, 0x1FFF, 0x4000, 0xFFF8, 0x05FF, 0x0600, 0x0800, 0x86DD, 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300,
         0x8808, 0x0806, 0x8847, 0x8906, 4789, 6081, 8472)  # fmt: skip
# Where they are, in a frame without and with a tag, with options and extension headers.
PLACES = (*range(0, 6), *range(12, 26), *range(34, 48), *range(54, 80))
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)


def bases():
    """Frames as they are on wires."""

    def ip(data, kind=frames.IPV4, to=GATEWAY):
        return frames.ether(to, OWN, kind, data, pad=False)

    def ip6(data, to=GATEWAY):
        return ip(data, frames.IPV6, to)

    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1, 1, 0x50, 0x10, 1024, 0, 0) + b"GET / HTTP/1.0"
    served = struct.pack("!HHIIBBHHH", 443, 50000, 1, 1, 0x50, 0x10, 1024, 0, 0) + b"hello"
    reply, request = b"\2\1\6\0" + bytes(296), b"\1\1\6\0" + bytes(296)
    advertisement = frames.icmp6(HERE6, "ff02::1", b"\x86\0\0\0\x40\0\x07\x08" + bytes(8))
    redirect = frames.icmp6(HERE6, THERE6, b"\x89\0\0\0" + bytes(36))
    echo = frames.icmp6(HERE6, THERE6, b"\x80\0\0\0\0\1\0\1ping")
    options = b"\x3a\0\5\2\0\0\1\0"
    fragment = struct.pack("!BBHI", 58, 0, 1, 7)
    source_link, target_link, nonce = b"\1\1" + MAC, b"\2\1" + MAC, b"\x0e\1" + bytes(6)

    def neighbour(kind, source, target, link):
        body = bytes([kind, 0, 0, 0]) + bytes(4) + (ipaddress.ip_address(target).packed if target else b"")
        return ip6(frames.ipv6(source, "ff02::1", 58, frames.icmp6(source, "ff02::1", body + link)), "33:33:00:00:00:01")

    router_alert = frames.ipv4(HERE, "224.0.0.22", 2, b"\x22\0\0\0\0\0\0\0")
    return [
        ip(frames.ipv4(HERE, THERE, 6, tcp)), ip(frames.ipv4(HERE, THERE, 6, served)), ip6(frames.ipv6(HERE6, THERE6, 6, tcp)),
        ip6(frames.ipv6(HERE6, THERE6, 6, served)), ip(frames.udp(HERE, THERE, 5000, 53, b"query")),
        ip6(frames.udp(HERE6, THERE6, 5000, 53, b"query")), ip(frames.udp("0.0.0.0", "255.255.255.255", 68, 67, request), to=frames.BROADCAST),
        ip(frames.udp(HERE, "255.255.255.255", 67, 68, reply), to=frames.BROADCAST), ip(frames.udp(HERE, THERE, 67, 67, reply)),
        ip(frames.udp(HERE, THERE, 68, 67, request)), ip6(frames.udp(HERE6, "ff02::1:2", 546, 547, b"\1\0\0\1"), "33:33:00:01:00:02"),
        ip6(frames.udp(HERE6, THERE6, 547, 546, b"\7\0\0\1")), ip6(frames.udp(HERE6, THERE6, 547, 547, b"\x0d\0")),
        ip(frames.icmp_echo(HERE, THERE)), ip6(frames.icmp_echo(HERE6, THERE6)), frames.arp(1, OWN, HERE, THERE),
        frames.arp(1, OWN, "0.0.0.0", HERE), frames.arp(2, OWN, HERE, HERE), neighbour(135, "::", HERE6, b""), neighbour(135, "::", HERE6, nonce),
        neighbour(136, HERE6, HERE6, target_link), neighbour(133, HERE6, None, source_link), neighbour(133, "::", None, b""),
        neighbour(135, HERE6, THERE6, nonce + source_link), neighbour(143, "::", None, b""),
        ip6(frames.ipv6("::", "ff02::16", 0, options + b"\x8f\0\0\0\0\0\0\0"), "33:33:00:00:00:16"),
        frames.neighbour_solicitation(OWN, HERE6, THERE6), ip6(frames.ipv6(HERE6, "ff02::1", 58, advertisement), "33:33:00:00:00:01"),
        ip6(frames.ipv6(HERE6, THERE6, 58, redirect)), ip6(frames.ipv6(HERE6, THERE6, 58, echo)),
        ip6(frames.ipv6(HERE6, "ff02::16", 0, options + b"\x8f\0\0\0\0\0\0\0"), "33:33:00:00:00:16"),
        ip6(frames.ipv6(HERE6, THERE6, 60, options + advertisement)), ip6(frames.ipv6(HERE6, THERE6, 44, fragment + advertisement)),
        ip6(frames.ipv6(HERE6, THERE6, 44, fragment + echo)), ip6(frames.ipv6(HERE6, THERE6, 50, bytes(64))),
        ip6(frames.ipv6(HERE6, THERE6, 51, b"\x06\x04" + bytes(22) + tcp)), ip(frames.ipv4(HERE, THERE, 50, bytes(64))),
        ip(frames.ipv4(HERE, THERE, 132, bytes(40))), ip(frames.ipv4(HERE, THERE, 47, bytes(40))),
        ip(b"\x46" + router_alert[1:20] + b"\x94\4\0\0" + router_alert[20:], to="01:00:5e:00:00:16"),
        frames.ether("01:80:c2:00:00:00", OWN, 38, b"\x42\x42\3" + bytes(35)), frames.ether("01:00:0c:cc:cc:cc", OWN, 40, b"\xaa\xaa\3\0\0\x0c\x20\0"),
        frames.ether(GATEWAY, OWN, 100, b"\xaa\xaa\3\0\0\0\x86\xdd" + frames.ipv6(HERE6, THERE6, 58, advertisement)),
        frames.ether(GATEWAY, OWN, 60, b"\6\6\3" + frames.udp(HERE, THERE, 67, 68, reply)), frames.ether(GATEWAY, OWN, 60, b"\xf0\xf0\3" + bytes(40)),
        frames.ether("01:80:c2:00:00:01", OWN, 0x8808, b"\0\1\xff\xff"), frames.ether(GATEWAY, OWN, frames.TEST, b"test"),
    ]  # fmt: skip


BASES = bases()


def put_extension(r, frame):
    """An IPv6 extension header in front of what there is."""
    kind, size = r.choice(EXTENSIONS), 8 * r.choice((1, 1, 1, 2, 3))
    length = size // 4 - 2 if kind == 51 else 0 if kind == 44 else size // 8 - 1
    offset = r.choice((0, 0, 0, 8, 0xFFF8)) | r.choice((0, 1)) if kind == 44 else 0
    header = struct.pack("!BBH", frame[20], length, offset) + bytes((8 if kind == 44 else size) - 4)
    return frame[:20] + bytes([kind]) + frame[21:54] + header + frame[54:]


def mutate(r, frame):
    what = r.randrange(16)
    if what == 14:
        at, address = r.choice(PLACES4), r.choice(ADDRESSES4)
    elif what == 15:
        at, address = r.choice(PLACES6), r.choice(ADDRESSES6)
    if what >= 14:
        return frame[:at] + address + frame[at + len(address) :] if at + len(address) <= len(frame) else frame
    if what < 3:
        at = r.choice(PLACES)
        return frame[:at] + bytes([r.choice(BYTES)]) + frame[at + 1 :] if at < len(frame) else frame
    if what < 6:
        at = r.choice(PLACES)
        return frame[:at] + struct.pack("!H", r.choice(WORDS)) + frame[at + 2 :] if at + 2 <= len(frame) else frame
    if what == 6:
        at = r.randrange(len(frame))
        return frame[:at] + bytes([r.randrange(256)]) + frame[at + 1 :]
    if what == 7:
        return frame[: r.randrange(14, len(frame) + 1)]
    if what == 8:
        return frame + bytes(r.choice((1, 2, 4, 20, 500, 1400)))
    if what == 9:
        return frames.tagged(frame, (r.choice((0x8100, 0x8100, 0x88A8, 0x9100)), r.choice((0, 0, 0, 0xE000, 0x1000, 1, 100, 0x800, 0xFFF))))
    if what == 10:
        return r.choice((b"\2\0\0\0\0\1", b"\xff" * 6, MAC, b"\x01\x80\xc2\0\0\x0e")) + frame[6:]
    if what == 11:
        return frame[:6] + r.choice((b"\2\0\0\0\0\1", MAC[:5] + b"\x57", b"\x50" + MAC[1:])) + frame[12:]
    if what == 12 and len(frame) > 62 and frame[12:14] == b"\x86\xdd":
        return put_extension(r, frame)
    if what == 13 and len(frame) > 38 and frame[12:14] == b"\x08\0":  # fragments of IPv4
        return frame[:20] + struct.pack("!H", r.choice((0x2000, 0x2000, 1, 0x2001, 0x1FFF, 0x4000, 0x8000))) + frame[22:]
    return frame


def make_frame(r):
    if r.randrange(50) == 0:
        frame = r.choice((b"", MAC + MAC)) + r.randbytes(r.randrange(14, 120))
    else:
        frame = r.choice(BASES)
    for _ in range(r.choice((0, 1, 1, 2, 2, 3, 4))):
        frame = mutate(r, frame)
    # BPF_PROG_TEST_RUN of newer kernels refuses half an IP header (net/bpf/test_run.c), but for one behind a tag.
    shortest = {b"\x08\0": 34, b"\x86\xdd": 54}.get(frame[12:14], 14)
    return frame.ljust(shortest, b"\0")[:LONGEST_FRAME]


def make_rules(r):
    def chance(of):
        return r.randrange(of) == 0

    return model.Rules(MAC, r.choice((1514, 1514, 1514, 1514, 114, 300, 9014)), not chance(6), chance(6), chance(8), chance(8), chance(3), chance(2), NETWORKS)


def ask(questions, *words):
    """[(returned, reason, change)] of [(frame, rules, gso_size, from_wire, to_flags)]."""
    data = b"".join(QUESTION.pack(len(frame), gso_size, rules.longest, rules.flags(), to_flags, rules.mac, from_wire, 0) + frame
                    for frame, rules, gso_size, from_wire, to_flags in questions)  # fmt: skip
    done = subprocess.run([PROGRAM, *words, *LOCK], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = list(ANSWER.iter_unpack(done.stdout))
    assert len(answers) == len(questions)
    return answers


def describe(question, seed):
    frame, rules, gso_size, from_wire, _ = question
    return f"{'from the wire' if from_wire else 'from the guest'}, gso_size {gso_size}, {rules}, RAWNET_SEED={seed}: {frame.hex()}"


def batches(total):
    """(seed, number) of each batch, each of which can be made alone."""
    return [(SEED + number, min(BATCH, total - number * BATCH)) for number in range((total + BATCH - 1) // BATCH)]


def compare(batch):
    """(how often each reason was right, what was wrong)"""
    seed, total = batch
    r = random.Random(seed)
    questions, expected, counts, wrong = [], [], {}, []
    for _ in range(total):
        frame, rules = make_frame(r), make_rules(r)
        gso_size = r.choice((0, 0, 0, 0, 100, 1448, 1480, 1481))
        from_wire = r.randrange(5) == 0
        questions.append((frame, rules, gso_size, from_wire, 0))
        expected.append((model.received if from_wire else model.sent)(frame, rules, gso_size))
    for question, (reason, untagged), answer in zip(questions, expected, ask(questions)):
        counts[reason] = counts.get(reason, 0) + 1
        right = (REDIRECT, -1, int(untagged)) if reason == model.PASSES else (SHOT, reason, answer[2])
        if answer != right:
            wrong.append(f"the model says {right}, the program {answer}: {describe(question, seed)}")
    return counts, wrong[:3]


def all_batches(function, total):
    tap.diag(f"RAWNET_SEED={SEED}, {total} frames")
    sums = {}
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for counts, wrong in pool.map(function, batches(total)):
            assert not wrong, "\n".join(wrong)
            for key, count in counts.items():
                sums[key] = sums.get(key, 0) + count
    return sums


@tap.limit(600)
def test_verdicts():
    counts = all_batches(compare, FRAMES)
    tap.diag(", ".join(f"{count} {'pass' if reason < 0 else model.REASONS[reason]}" for reason, count in sorted(counts.items())))
    for reason in range(-1, len(model.REASONS)):
        assert counts.get(reason, 0) > FRAMES // 1000, f"the generator makes next to no frames for reason {reason}: {counts}"


def is_message(frame, rules):
    """A server's message that a client takes for one."""
    if model.sent(frame, rules)[0] != model.SERVER:
        return False
    frame, _ = model.without_priority(frame)
    if frame[12:14] == b"\x08\0":
        upper = 14 + (frame[14] & 15) * 4
        return frame[upper + 2 : upper + 4] == b"\0\x43" or frame[upper + 8 : upper + 9] == b"\2"
    kind, upper = frame[20], 54
    while kind in model.EXTENSIONS or kind == model.FRAGMENT:
        unit, more = model.EXTENSIONS.get(kind, (0, 0))
        kind, upper = frame[upper], upper + ((frame[upper + 1] + more) * unit or 8)
    return kind != 17 or frame[upper + 8 : upper + 9] in (b"\2", b"\7", b"\x0a")


def rewrite(r, frame):
    """The frame before a checksum of two bytes was completed in it, which turned it into this one."""
    at = r.choice((20, 20, 22, 23, r.randrange(20, 64), r.randrange(20, len(frame) - 1)))
    before = struct.pack("!H", r.choice((r.choice(WORDS), r.choice(BYTES) << 8 | r.choice(BYTES), r.randrange(65536))))
    # Most of what passes unseen is TCP and UDP.
    if at in (20, 22, 23) and r.randrange(4):
        protocol = bytes([r.choice((6, 17))])
        before = b"\x40" + protocol if at == 22 else protocol + b"\x40"
    return frame[:at] + before + frame[at + 2 :]


def compare_late(batch):
    """Frames that would be messages after one write, to the programs that take every checksum for incomplete."""
    seed, total = batch
    r = random.Random(seed)
    rules = model.Rules(MAC)
    questions, messages = [], []
    while len(questions) < total:
        frame = make_frame(r)
        if len(frame) > 40 and is_message(frame, rules):
            messages.append(frame)
        for frame in messages[-1:]:
            before = rewrite(r, frame).ljust(60, b"\0")
            # Longer than the network's frames, as what the kernel is to cut.
            questions.append((before, model.Rules(MAC, 114), 80, 0, 0) if len(before) > 114 and r.randrange(2) else (before, rules, 0, 0, 0))
    wrong = [f"it passes, and one checksum later it is a server's message: {describe(question, seed)}"
             for question, (_, reason, _) in zip(questions, ask(questions, "--probe")) if reason == -1]  # fmt: skip
    return {"asked": total}, wrong[:3]


@tap.limit(600)
def test_late_checksums():
    """Whatever passes without a look at its checksum is not a server's message, whatever two bytes are written into it afterwards."""
    all_batches(compare_late, FRAMES // 2)


def compare_late_lock(batch):
    """The same of frames that would name an address that is not the lease's own."""
    seed, total = batch
    r = random.Random(seed)
    rules = model.Rules(MAC, locked=True, lock=NETWORKS)
    questions = []
    while len(questions) < total:
        frame = make_frame(r)
        if len(frame) > 40 and frame[6:12] == MAC and model.sent(frame, rules)[0] in (model.FOREIGN, model.SPOOFED):
            questions.append((rewrite(r, frame).ljust(60, b"\0"), rules, 0, 0, 0))
    wrong = [f"it passes, and one checksum later it names another address: {describe(question, seed)}"
             for question, (_, reason, _) in zip(questions, ask(questions, "--probe")) if reason == -1]  # fmt: skip
    return {"asked": total}, wrong[:3]


@tap.limit(600)
def test_late_addresses():
    """Whatever passes a lock without a look at its checksum names no other address, whatever two bytes are written into it afterwards."""
    all_batches(compare_late_lock, FRAMES // 5)


def compare_targets(batch):
    seed, total = batch
    r = random.Random(seed)
    rules = model.Rules(MAC, 9014)
    questions = []
    while len(questions) < total:
        frame, gso_size = make_frame(r), r.choice((0, 0, 1448))
        if model.received(frame, rules, gso_size)[0] == model.PASSES:
            questions.append((frame, rules, gso_size, 1, INGRESS))
    counts, wrong = {True: 0, False: 0}, []
    for question, (returned, _, _) in zip(questions, ask(questions, "--probe")):
        describable = model.is_describable(model.without_priority(question[0])[0], question[2])
        counts[describable] += 1
        if returned != (PROBE_TO_PORT | PROBE_INGRESS if describable else PROBE_TO_INNER):
            wrong.append(f"{returned:#x}, and the model says {describable}: {describe(question, seed)}")
    return counts, wrong[:3]


@tap.limit(600)
def test_targets():
    """Where frames for a packet port with virtio_net_hdr go."""
    counts = all_batches(compare_targets, FRAMES // 5)
    assert min(counts.values()) > FRAMES // 100, counts


if __name__ == "__main__":
    tap.main()
