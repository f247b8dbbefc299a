/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the guard's programs decide below IP and on the way in, rule by rule; test-guard-ip.c has
 * the rest. tests/netns/test_guard_model.py compares them with a model on a million frames; here
 * each rule has a name.
 */

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "guard-case.h"

static void test_ethernet(_unused_ void **state) {
        static const Case cases[] = {
                {"any protocol", TO_GW " 88b5", PASS},
                {"the shortest frame", TO_GW " 88b5", PASS, .size = 14},
                {"a broadcast", "all own 0806", PASS},
                {"a group", "group own" IP4("02"), PASS},
                {"another source", "gw other 88b5", GUARD_SPOOFED_SOURCE},
                {"another source with a broadcast", "all other 0806", GUARD_SPOOFED_SOURCE},
                {"another source with TCP", "gw other" IP4("06") TCP("0050"), GUARD_SPOOFED_SOURCE},
                {"another source with TCP over IPv6", "gw other" IP6("06") TCP("0050"),
                 GUARD_SPOOFED_SOURCE},
                {"another source in its first byte", "gw 505400123456 88b5", GUARD_SPOOFED_SOURCE},
                {"another source in its last byte", "gw 525400123457 88b5", GUARD_SPOOFED_SOURCE},
                {"a source of the guest's choice", "gw other 88b5", PASS, .flags = SPOOF},
                {"TCP from it", "gw other" IP4("06") TCP("0050"), PASS, .flags = SPOOF},
                {"the bridges' group", "bridges own 88b5", GUARD_CONTROL_FRAME},
                {"its last address", "0180c200000f own 88cc", GUARD_CONTROL_FRAME},
                {"the first address above it", "above own 88b5", PASS},
                {"its neighbour", "0180c2000100 own 88b5", PASS},
                {"another neighbour", "0180c3000000 own 88b5", PASS},
                {"STP", "bridges own 0026 424203", GUARD_CONTROL_FRAME},
                {"CDP", "cdp own 0026 aaaa0300000c2000", GUARD_CONTROL_FRAME},
                {"PVST+", "pvst own 0032 aaaa0300000c010b", GUARD_CONTROL_FRAME},
                {"Cisco's next group", "01000cccccce own 88b5", PASS},
                {"another Cisco group", "01000ccccbcc own 88b5", PASS},
                {"PAUSE to one station", TO_GW " 8808 0001", GUARD_CONTROL_FRAME},
                {"TCP to the bridges' group", "bridges own" IP4("06") TCP("0050"),
                 GUARD_CONTROL_FRAME},
                {"control frames that may pass", "bridges own 88b5", PASS,
                 .flags = GUARD_PASS_CONTROL},
                {"PAUSE that may pass", TO_GW " 8808 0001", PASS, .flags = GUARD_PASS_CONTROL},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_tags(_unused_ void **state) {
        static const Case cases[] = {
                {"a C-tag", TO_GW " 8100 0064 88b5", GUARD_VLAN_TAG},
                {"an S-tag", TO_GW " 88a8 0064 88b5", GUARD_VLAN_TAG},
                {"a vendor's first", TO_GW " 9100 0064 88b5", GUARD_VLAN_TAG},
                {"a vendor's second", TO_GW " 9200 0064 88b5", GUARD_VLAN_TAG},
                {"a vendor's third", TO_GW " 9300 0064 88b5", GUARD_VLAN_TAG},
                {"VID 4095", TO_GW " 8100 0fff 88b5", GUARD_VLAN_TAG},
                {"the highest bit of a VID", TO_GW " 8100 0800 88b5", GUARD_VLAN_TAG},
                {"a tag and another source", "gw other 8100 0064 88b5", GUARD_VLAN_TAG},
                {"a tag where control frames may pass", "bridges own 8100 0064 88b5",
                 GUARD_VLAN_TAG, .flags = GUARD_PASS_CONTROL},
                {"a priority", TO_GW " 8100 0000 88b5", PASS, .untagged = true},
                {"the highest priority", TO_GW " 8100 e000 88b5", PASS, .untagged = true},
                {"drop eligible", TO_GW " 8100 1000 88b5", PASS, .untagged = true},
                {"a priority as S-tag", TO_GW " 88a8 6000 88b5", PASS, .untagged = true},
                {"a priority with a vendor's type", TO_GW " 9100 0000 88b5", GUARD_VLAN_TAG},
                {"a priority before TCP", TO_GW " 8100 0000" IP4("06") TCP("0050"), PASS,
                 .untagged = true},
                {"two priorities", TO_GW " 8100 0000 8100 0000 88b5", GUARD_VLAN_TAG},
                {"a tag behind a priority", TO_GW " 8100 0000 8100 0064 88b5", GUARD_VLAN_TAG},
                {"an S-tag behind a priority", TO_GW " 8100 0000 88a8 0064 88b5", GUARD_VLAN_TAG},
                {"a vendor's tag behind a priority", TO_GW " 8100 0000 9100 0064 88b5",
                 GUARD_VLAN_TAG},
                {"half a tag", TO_GW " 8100", GUARD_VLAN_TAG, .size = 15},
                {"another source behind a priority", "gw other 8100 0000 88b5",
                 GUARD_SPOOFED_SOURCE},
                {"a server behind a priority", TO_GW " 8100 0000" IP4("11") UDP("0044") "02",
                 GUARD_SERVER},
                {"PAUSE behind a priority", TO_GW " 8100 0000 8808 0001", GUARD_CONTROL_FRAME},
                {"as long as it may be, with a priority", TO_GW " 8100 0000 88b5", PASS,
                 .size = 1518, .untagged = true},
                {"longer, with a priority", TO_GW " 8100 0000 88b5", GUARD_TOO_LONG, .size = 1519},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_lengths(_unused_ void **state) {
        static const Case cases[] = {
                {"as long as it may be", TO_GW " 88b5", PASS, .size = 1514},
                {"a byte longer", TO_GW " 88b5", GUARD_TOO_LONG, .size = 1515},
                {"TCP as long as it may be", TO_GW IP4("06") TCP("0050"), PASS, .size = 1514},
                {"TCP a byte longer", TO_GW IP4("06") TCP("0050"), GUARD_TOO_LONG, .size = 1515},
                {"segments", TO_GW IP4("06") TCP("0050"), PASS, .size = 3000, .gso_size = 1448},
                {"segments as long as they may be", TO_GW IP4("06") TCP("0050"), PASS, .size = 3000,
                 .gso_size = 1480},
                {"longer segments", TO_GW IP4("06") TCP("0050"), GUARD_TOO_LONG, .size = 3000,
                 .gso_size = 1481},
                {"segments over IPv6", TO_GW IP6("06") TCP("0050"), PASS, .size = 3000,
                 .gso_size = 1428},
                {"a container's segments", TO_GW IP4("06") TCP("0050"), PASS, .size = 3000,
                 .gso_size = 1448, .flags = GUARD_CONTAINER},
                {"a container's segments over IPv6", TO_GW IP6("06") TCP("0050"), PASS,
                 .size = 3000, .gso_size = 1428, .flags = GUARD_CONTAINER},
                {"a container's longer segments", TO_GW IP4("06") TCP("0050"), GUARD_NOT_JUDGED,
                 .size = 3000, .gso_size = 1481, .flags = GUARD_CONTAINER},
                {"segments of a server", TO_GW IP4("11") UDP("0044"), GUARD_SERVER, .size = 3000,
                 .gso_size = 1400},
                {"a longer frame of a larger MTU", TO_GW " 88b5", PASS, .size = 3000,
                 .longest = 9014},
                {"a frame of a smaller MTU", TO_GW " 88b5", GUARD_TOO_LONG, .size = 100,
                 .longest = 99},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_wire(_unused_ void **state) {
        static const Case cases[] = {
                {"any protocol", "own gw 88b5", PASS},
                {"the shortest frame", "own gw 88b5", PASS, .size = 14},
                {"TCP", "own gw" IP4("06") TCP("0050"), PASS},
                {"TCP over IPv6", "own gw" IP6("06") TCP("0050"), PASS},
                {"a server's reply", "own gw" IP4("11") UDP("0044") "02", PASS},
                {"an advertisement", "all gw" IP6("3a") "8600", PASS},
                {"a control frame", "bridges gw 0026 424203", PASS},
                {"half an IPv4 header", "own gw" PRIORITY IP4("06"), PASS, .size = 24,
                 .untagged = true},
                {"a C-tag", "own gw 8100 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"an S-tag", "own gw 88a8 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"a vendor's first", "own gw 9100 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"a vendor's second", "own gw 9200 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"a vendor's third", "own gw 9300 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"a priority", "own gw 8100 6000 88b5", PASS, .untagged = true},
                {"a priority as S-tag", "own gw 88a8 6000 88b5", PASS, .untagged = true},
                {"a priority before TCP", "own gw 8100 6000" IP4("06") TCP("0050"), PASS,
                 .untagged = true},
                {"two priorities", "own gw 8100 0000 8100 0000 88b5", GUARD_WIRE_VLAN_TAG},
                {"a tag behind a priority", "own gw 8100 0000 8100 0064 88b5", GUARD_WIRE_VLAN_TAG},
                {"its own source", "all own 88b5", PASS},
                {"its own source where that is dropped", "all own 88b5", GUARD_WIRE_OWN_SOURCE,
                 .flags = GUARD_DROP_OWN},
                {"its own IP", "all own" IP4("11"), GUARD_WIRE_OWN_SOURCE, .flags = GUARD_DROP_OWN},
                {"its own IPv6 behind a priority", "all own 8100 0000" IP6("3a"),
                 GUARD_WIRE_OWN_SOURCE, .flags = GUARD_DROP_OWN},
                {"another's where its own is dropped", "all gw 88b5", PASS,
                 .flags = GUARD_DROP_OWN},
                {"another's IP", "all gw" IP4("11"), PASS, .flags = GUARD_DROP_OWN},
                {"a source with another first byte", "all 505400123456" IP4("11"), PASS,
                 .flags = GUARD_DROP_OWN},
                {"a source with another last byte", "all 525400123457" IP4("11"), PASS,
                 .flags = GUARD_DROP_OWN},
                {"as long as it may be", "own gw 88b5", PASS, .size = 1514},
                {"a byte longer", "own gw 88b5", GUARD_WIRE_TOO_LONG, .size = 1515},
                {"TCP a byte longer", "own gw" IP4("06") TCP("0050"), GUARD_WIRE_TOO_LONG,
                 .size = 1515},
                {"as long as it may be, with a priority", "own gw 8100 0000 88b5", PASS,
                 .size = 1518, .untagged = true},
                {"segments", "own gw" IP4("06") TCP("0050"), PASS, .size = 3000, .gso_size = 1448},
                {"segments with a smaller MTU", "own gw" IP4("06") TCP("0050"), PASS, .size = 3000,
                 .gso_size = 1448, .longest = 1314},
        };

        guard_case_check("from_wire", cases, ARRAY_SIZE(cases));
}

/* Where a frame goes, which only the probe's programs tell. */
static void check_target(const char *program, const char *text, uint32_t gso_size,
                         uint32_t to_index, uint32_t to_flags, uint32_t expected) {
        const Case rules = {.longest = LONGEST};
        GuardFrame frame = guard_case_frame(text, gso_size > 0 ? 3000 : 0);
        GuardVerdict verdict;

        frame.gso_size = gso_size;
        guard_case_rules(&guard_probe, &rules);
        guard_probe.entry->to_index = to_index;
        guard_probe.entry->to_flags = to_flags;
        assert_int_equal(guard_run(&guard_probe, program, &frame, &verdict), 0);
        if (verdict.returned != expected)
                fail_msg("%s: to %#x, not %#x", text, verdict.returned, expected);
}

static void test_targets(_unused_ void **state) {
        const char *const tcp = "own gw" IP4("06") TCP("0050");

        check_target("from_guest", TO_GW " 88b5", 0, 0, 0, GUARD_RUN_TO(GUARD_UPLINK));
        check_target("from_guest", TO_GW IP4("06") TCP("0050"), 0, 0, 0,
                     GUARD_RUN_TO(GUARD_UPLINK));
        check_target("to_check", TO_GW " 88b5", 0, 0, 0, GUARD_RUN_TO(GUARD_CHECK));
        check_target("dead_end", TO_GW " 88b5", 0, 0, 0, TC_ACT_SHOT);
        /* a tap, and wire frames: wherever the entry says, whatever comes */
        check_target("from_wire", tcp, 0, GUARD_PORT, 0, GUARD_RUN_TO(GUARD_PORT));
        check_target("from_wire", tcp, 1448, GUARD_PORT, 0, GUARD_RUN_TO(GUARD_PORT));
        check_target("from_wire", tcp, 0, GUARD_INNER, 0, GUARD_RUN_TO(GUARD_INNER));
        check_target("from_wire", "own gw" IP4("84"), 0, GUARD_PORT, 0, GUARD_RUN_TO(GUARD_PORT));
}

/* A packet port with virtio_net_hdr. */
static void test_describable(_unused_ void **state) {
        static const struct {
                const char *frame;
                uint32_t gso_size;
                bool describable;
        } cases[] = {
                {"own gw" IP4("06") TCP("0050"), 0, true},
                {"own gw" IP4("06") TCP("0050"), 1448, true},
                {"own gw" IP6("06") TCP("0050"), 0, true},
                {"own gw" IP6("06") TCP("0050"), 1428, true},
                {"own gw" IP4("11") UDP("0009"), 0, true},
                {"own gw" IP6("11") UDP("0009"), 0, true},
                {"own gw" IP4("01"), 0, true},
                {"own gw" IP6("3a"), 0, true},
                {"own gw 0806", 0, true},
                {"own gw 88b5", 0, true},
                /* segments of UDP and of tunnels */
                {"own gw" IP4("11") UDP("0009"), 1400, false},
                {"own gw" IP6("11") UDP("0009"), 1400, false},
                {"own gw 88b5", 1400, false},
                /* what may hold SCTP: itself, in VXLAN (two ports), Geneve, GRE, IP, MPLS */
                {"own gw" IP4("84"), 0, false},
                {"own gw" IP6("84"), 0, false},
                {"own gw" IP4("11") UDP("12b5"), 0, false},
                {"own gw" IP4("11") UDP("2118"), 0, false},
                {"own gw" IP4("11") UDP("17c1"), 0, false},
                {"own gw" IP6("11") UDP("12b5"), 0, false},
                {"own gw" IP4("2f"), 0, false},
                {"own gw" IP4("04"), 0, false},
                {"own gw" IP6("29"), 0, false},
                {"own gw 8847", 0, false},
                {"own gw 8848", 0, false},
                /* FCoE, and headers that are somewhere else */
                {"own gw 8906", 0, false},
                {"own gw" IP4_OPTIONS("06") TCP("0050"), 0, false},
                {"own gw" IP6("3c") OPTIONS("06") TCP("0050"), 0, false},
        };
        const uint32_t inner = GUARD_RUN_TO(GUARD_INNER);
        const uint32_t port = GUARD_RUN_TO(GUARD_PORT) | GUARD_RUN_INGRESS;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                check_target("from_wire", cases[i].frame, cases[i].gso_size, GUARD_PORT,
                             BPF_F_INGRESS, cases[i].describable ? port : inner);
}

static void test_inactive(_unused_ void **state) {
        static const char *const programs[] = {"from_guest", "from_wire", "to_check", "dead_end"};
        const GuardFrame frame = guard_case_frame(TO_GW IP4("06") TCP("0050"), 0);
        const Case rules = {.flags = SPOOF | GUARD_PASS_CONTROL | ALLOW_ALL};
        GuardVerdict verdict;

        guard_case_rules(&guard_real, &rules);
        guard_real.entry->longest = guard_real.entry->ordinary = 0;
        for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
                assert_int_equal(guard_run(&guard_real, programs[i], &frame, &verdict), 0);
                assert_int_equal(verdict.returned, TC_ACT_SHOT);
                assert_int_equal(verdict.reason, -1);
        }
}

typedef struct Events {
        unsigned n;
        GuardEvent last;
} Events;

static int note_event(void *context, void *data, size_t size) {
        Events *events = context;

        assert_int_equal(size, sizeof(events->last));
        memcpy(&events->last, data, size);
        events->n++;
        return 0;
}

/* One event for a reason, however many frames, and none of what the wire sends; and the counter
 * counts them all. */
static void test_events(_unused_ void **state) {
        static const uint8_t other[] = {2, 0, 0, 0, 0, 1};
        const GuardFrame spoofed = guard_case_frame("gw other 88b5", 0);
        const GuardFrame tagged = guard_case_frame(TO_GW " 8100 0064", 0);
        struct ring_buffer *ring;
        const Case rules = {};
        GuardVerdict verdict;
        Events events = {};

        ring = ring_buffer__new(bpf_object__find_map_fd_by_name(guard_real.object, "guard_events"),
                                note_event, &events, NULL);
        assert_non_null(ring);
        ring_buffer__consume(ring);
        events.n = 0;
        assert_int_equal(guard_run_forget(&guard_real), 0);
        guard_case_rules(&guard_real, &rules);
        for (unsigned i = 1; i <= 3; i++) {
                assert_int_equal(guard_run(&guard_real, "from_guest", &spoofed, &verdict), 0);
                assert_int_equal(guard_real.counted[GUARD_SPOOFED_SOURCE], i);
        }
        ring_buffer__consume(ring);
        assert_int_equal(events.n, 1);
        assert_int_equal(events.last.id, GUARD_PORT | GUARD_RUN_NUMBER);
        assert_int_equal(events.last.reason, GUARD_SPOOFED_SOURCE);
        assert_memory_equal(events.last.source, other, sizeof(other));
        assert_int_equal(guard_run(&guard_real, "from_guest", &tagged, &verdict), 0);
        ring_buffer__consume(ring);
        assert_int_equal(events.n, 2);
        assert_int_equal(events.last.reason, GUARD_VLAN_TAG);
        assert_int_equal(guard_run(&guard_real, "from_wire", &tagged, &verdict), 0);
        assert_int_equal(verdict.reason, GUARD_WIRE_VLAN_TAG);
        ring_buffer__consume(ring);
        assert_int_equal(events.n, 2);
        ring_buffer__free(ring);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ethernet), cmocka_unit_test(test_tags),
                cmocka_unit_test(test_lengths),  cmocka_unit_test(test_wire),
                cmocka_unit_test(test_targets),  cmocka_unit_test(test_describable),
                cmocka_unit_test(test_inactive), cmocka_unit_test(test_events),
        };

        if (!needs_root())
                return 0;
        return cmocka_run_group_tests_name("guard-program", tests, guard_case_load,
                                           guard_case_unload);
}
