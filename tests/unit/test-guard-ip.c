/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the guard's programs let a guest send in IP, rule by rule; see test-guard-program.c.
 */

#include "guard-case.h"

static void test_ipv4(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP", TO_GW IP4("06") TCP("0050"), PASS},
                {"TCP to port 68", TO_GW IP4("06") TCP("0044"), PASS},
                {"TCP to port 67", TO_GW IP4("06") TCP("0043"), PASS},
                {"a datagram", TO_GW IP4("11") UDP("0009"), PASS},
                {"a datagram that begins like a reply", TO_GW IP4("11") UDP("0009") "02", PASS},
                {"a datagram to port 69", TO_GW IP4("11") UDP("0045") "02", PASS},
                {"a datagram to port 546", TO_GW IP4("11") UDP("0222") "02", PASS},
                {"an empty datagram", TO_GW IP4("11") UDP("0009"), PASS, .size = 42},
                {"half a UDP header", TO_GW IP4("11") "1388", GUARD_NOT_JUDGED, .size = 37},
                {"ping", TO_GW IP4("01") "0800", PASS},
                {"ESP", TO_GW IP4("32"), PASS},
                {"a packet of three bytes", TO_GW IP4("84"), PASS, .size = 37},
                {"a reply", TO_GW IP4("11") UDP("0044") "02", GUARD_SERVER},
                {"anything to a client's port", TO_GW IP4("11") UDP("0044") "01", GUARD_SERVER},
                {"a broadcast reply", "all own" IP4("11") UDP("0044") "02", GUARD_SERVER},
                {"a reply where it may be", TO_GW IP4("11") UDP("0044") "02", PASS,
                 .flags = GUARD_ALLOW_DHCP},
                {"a reply where routers may be", TO_GW IP4("11") UDP("0044") "02", GUARD_SERVER,
                 .flags = GUARD_ALLOW_RA},
                {"a request", TO_GW IP4("11") UDP("0043") "01", PASS},
                {"a broadcast request", "all own" IP4("11") UDP("0043") "01", PASS},
                {"a reply to a relay", TO_GW IP4("11") UDP("0043") "02", GUARD_SERVER},
                {"a reply to a relay where it may be", TO_GW IP4("11") UDP("0043") "02", PASS,
                 .flags = GUARD_ALLOW_DHCP},
                {"a request that is to be cut", TO_GW IP4("11") UDP("0043") "01", GUARD_NOT_JUDGED,
                 .gso_size = 20},
                {"a datagram that is to be cut", TO_GW IP4("11") UDP("0009") "02", PASS,
                 .gso_size = 20},
                {"a container's datagram that was to be cut before", TO_GW IP4("11") UDP("0009"),
                 GUARD_NOT_JUDGED, .gso_size = 20, .flags = GUARD_CONTAINER},
                {"a container's datagram", TO_GW IP4("11") UDP("0009"), PASS,
                 .flags = GUARD_CONTAINER},
                {"a container's segments", TO_GW IP4("06") TCP("0009"), PASS, .gso_size = 20,
                 .flags = GUARD_CONTAINER},
                {"a request without a byte", TO_GW IP4("11") UDP("0043"), GUARD_NOT_JUDGED,
                 .size = 42},
                {"options", TO_GW IP4_OPTIONS("02"), PASS},
                {"a datagram with options", TO_GW IP4_OPTIONS("11") UDP("0009"), PASS},
                {"a reply with options", TO_GW IP4_OPTIONS("11") UDP("0044"), GUARD_SERVER},
                {"a reply behind options that look like ports",
                 TO_GW " 0800 46 z5 0000 40 11 z10 00090009" UDP("0044"), GUARD_SERVER},
                {"a datagram behind options that look like a reply's",
                 TO_GW " 0800 46 z5 0000 40 11 z10 00430044" UDP("0009"), PASS},
                {"a reply to a relay with options", TO_GW IP4_OPTIONS("11") UDP("0043") "02",
                 GUARD_SERVER},
                {"a request with options", TO_GW IP4_OPTIONS("11") UDP("0043") "01", PASS},
                {"options past the end", TO_GW " 0800 4f z5 0000 40 06 z10", GUARD_NOT_JUDGED},
                {"a header of four words", TO_GW " 0800 44 z5 0000 40 06 z10", GUARD_NOT_JUDGED},
                {"another version", TO_GW " 0800 65 z5 0000 40 06 z10", GUARD_NOT_JUDGED},
                {"half a header", TO_GW PRIORITY IP4("06"), GUARD_NOT_JUDGED, .size = 37},
                {"half a header where servers may be", TO_GW PRIORITY IP4("06"), PASS, .size = 37,
                 .flags = GUARD_ALLOW_DHCP, .untagged = true},
                {"the first fragment", TO_GW IP4_FRAGMENT("2000", "11") UDP("0009"), PASS},
                {"the first fragment of a reply", TO_GW IP4_FRAGMENT("2000", "11") UDP("0044"),
                 GUARD_SERVER},
                {"the first fragment of a request",
                 TO_GW IP4_FRAGMENT("2000", "11") UDP("0043") "01", GUARD_NOT_JUDGED},
                {"a later fragment", TO_GW IP4_FRAGMENT("0001", "11") UDP("0044"), PASS},
                {"the last but one", TO_GW IP4_FRAGMENT("2001", "11") UDP("0043") "02", PASS},
                {"the highest offset", TO_GW IP4_FRAGMENT("1fff", "11") UDP("0044"), PASS},
                {"a reply that must not be fragmented",
                 TO_GW IP4_FRAGMENT("4000", "11") UDP("0044"), GUARD_SERVER},
                {"a request that must not be fragmented",
                 TO_GW IP4_FRAGMENT("4000", "11") UDP("0043") "01", PASS},
                {"a fragment of TCP", TO_GW IP4_FRAGMENT("2000", "06") TCP("0044"), PASS},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_ipv6(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP", TO_GW IP6("06") TCP("0050"), PASS},
                {"TCP to port 546", TO_GW IP6("06") TCP("0222"), PASS},
                {"TCP from a port like a message's type", TO_GW IP6("06") "8600 0050 z16", PASS},
                {"a datagram", TO_GW IP6("11") UDP("0009"), PASS},
                {"a datagram that begins like a reply", TO_GW IP6("11") UDP("0009") "07", PASS},
                {"a datagram from a port like an extension", TO_GW IP6("11") "3c00 0009 z4", PASS},
                {"an empty datagram", TO_GW IP6("11") UDP("0009"), PASS, .size = 62},
                {"half a UDP header", TO_GW IP6("11") "138800", GUARD_NOT_JUDGED, .size = 57},
                {"a datagram to port 68", TO_GW IP6("11") UDP("0044") "02", PASS},
                {"a datagram to a server", TO_GW IP6("11") UDP("0223") "01", PASS},
                {"a server's reply", TO_GW IP6("11") UDP("0222") "07", GUARD_SERVER},
                {"anything to a client's port", TO_GW IP6("11") UDP("0222") "01", GUARD_SERVER},
                {"a reply where it may be", TO_GW IP6("11") UDP("0222") "07", PASS,
                 .flags = GUARD_ALLOW_DHCP},
                {"a reply where routers may be", TO_GW IP6("11") UDP("0222") "07", GUARD_SERVER,
                 .flags = GUARD_ALLOW_RA},
                {"a reply where both may be", TO_GW IP6("11") UDP("0222") "07", PASS,
                 .flags = ALLOW_ALL},
                {"ping", TO_GW IP6("3a") "8000", PASS},
                {"a neighbour's solicitation", TO_GW IP6("3a") "8700", PASS},
                {"a router's solicitation", "all own" IP6("3a") "8500", PASS},
                {"a router's advertisement", TO_GW IP6("3a") "8600", GUARD_SERVER},
                {"an advertisement to all", "333300000001 own" IP6("3a") "8600", GUARD_SERVER},
                {"a redirect", TO_GW IP6("3a") "8900", GUARD_SERVER},
                {"an advertisement where it may be", TO_GW IP6("3a") "8600", PASS,
                 .flags = GUARD_ALLOW_RA},
                {"a redirect where it may be", TO_GW IP6("3a") "8900", PASS,
                 .flags = GUARD_ALLOW_RA},
                {"an advertisement where servers may be", TO_GW IP6("3a") "8600", GUARD_SERVER,
                 .flags = GUARD_ALLOW_DHCP},
                {"ICMPv6 without a byte", TO_GW IP6("3a"), GUARD_NOT_JUDGED, .size = 54},
                {"another version", TO_GW " 86dd 40 z3 0100 06 ff z32", GUARD_NOT_JUDGED},
                {"another version of TCP", TO_GW " 86dd 40 z3 0100 06 ff z32" TCP("0050"),
                 GUARD_NOT_JUDGED},
                {"half a header", TO_GW PRIORITY IP6("06"), GUARD_NOT_JUDGED, .size = 57},
                {"half a header where both may be", TO_GW PRIORITY IP6("06"), PASS, .size = 57,
                 .flags = ALLOW_ALL, .untagged = true},
                {"ESP", TO_GW IP6("32"), PASS},
                {"no next header", TO_GW IP6("3b"), PASS},
                {"an experiment", TO_GW IP6("fd"), GUARD_NOT_JUDGED},
                {"another experiment", TO_GW IP6("fe"), GUARD_NOT_JUDGED},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_extensions(_unused_ void **state) {
        static const Case cases[] = {
                {"a listener's report", TO_GW IP6("00") OPTIONS("3a") "8f00", PASS},
                {"an advertisement behind hop-by-hop options", TO_GW IP6("00") OPTIONS("3a") "8600",
                 GUARD_SERVER},
                {"behind a routing header", TO_GW IP6("2b") OPTIONS("3a") "8600", GUARD_SERVER},
                {"behind destination options", TO_GW IP6("3c") OPTIONS("3a") "8600", GUARD_SERVER},
                {"behind a mobility header", TO_GW IP6("87") OPTIONS("3a") "8600", GUARD_SERVER},
                {"behind HIP", TO_GW IP6("8b") OPTIONS("3a") "8600", GUARD_SERVER},
                {"behind shim6", TO_GW IP6("8c") OPTIONS("3a") "8600", GUARD_SERVER},
                {"behind an authentication header", TO_GW IP6("33") AUTHENTICATION("3a") "8600",
                 GUARD_SERVER},
                {"behind long options", TO_GW IP6("3c") "3a 02 z22 8600", GUARD_SERVER},
                {"a reply behind destination options", TO_GW IP6("3c") OPTIONS("11") UDP("0222"),
                 GUARD_SERVER},
                {"TCP behind destination options", TO_GW IP6("3c") OPTIONS("06") TCP("0222"), PASS},
                {"a datagram to be cut behind options", TO_GW IP6("3c") OPTIONS("11") UDP("0009"),
                 GUARD_NOT_JUDGED, .gso_size = 20},
                {"a datagram to be cut", TO_GW IP6("11") UDP("0009"), PASS, .gso_size = 20},
                {"TCP to be cut behind options", TO_GW IP6("3c") OPTIONS("06") TCP("0222"), PASS,
                 .gso_size = 20},
                {"two hop-by-hop options", TO_GW IP6("00") OPTIONS("00") OPTIONS("06"),
                 GUARD_NOT_JUDGED},
                {"hop-by-hop options in a wrong place", TO_GW IP6("3c") OPTIONS("00") "06",
                 GUARD_NOT_JUDGED},
                {"an experiment behind options", TO_GW IP6("3c") OPTIONS("fd"), GUARD_NOT_JUDGED},
                {"half an extension", TO_GW IP6("3c") "0600", GUARD_NOT_JUDGED, .size = 57},
                {"an extension past the end", TO_GW IP6("3c") "3a 20", GUARD_NOT_JUDGED},
                {"five extensions",
                 TO_GW IP6("00") OPTIONS("3c") OPTIONS("2b") OPTIONS("3c") OPTIONS("3c")
                         OPTIONS("3a") "8000",
                 PASS},
                {"an advertisement behind five",
                 TO_GW IP6("00") OPTIONS("3c") OPTIONS("2b") OPTIONS("3c") OPTIONS("3c")
                         OPTIONS("3a") "8600",
                 GUARD_SERVER},
                {"six extensions",
                 TO_GW IP6("00") OPTIONS("3c") OPTIONS("2b") OPTIONS("3c") OPTIONS("3c")
                         OPTIONS("3c") OPTIONS("3a") "8000",
                 GUARD_NOT_JUDGED},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_ipv6_fragments(_unused_ void **state) {
        static const Case cases[] = {
                {"the first fragment of a datagram",
                 TO_GW IP6("2c") FRAGMENT("11", "0001") UDP("0009"), PASS},
                {"the first fragment of ping", TO_GW IP6("2c") FRAGMENT("3a", "0001") "8000", PASS},
                {"the first fragment of TCP", TO_GW IP6("2c") FRAGMENT("06", "0001"), PASS},
                {"of ESP", TO_GW IP6("2c") FRAGMENT("32", "0001"), PASS},
                {"the first fragment of a reply",
                 TO_GW IP6("2c") FRAGMENT("11", "0001") UDP("0222"), GUARD_SERVER},
                {"the first fragment of an advertisement",
                 TO_GW IP6("2c") FRAGMENT("3a", "0001") "8600", GUARD_SERVER},
                {"an advertisement in one fragment", TO_GW IP6("2c") FRAGMENT("3a", "0000") "8600",
                 GUARD_SERVER},
                {"a later fragment", TO_GW IP6("2c") FRAGMENT("3a", "0008") "8600", PASS},
                {"the highest offset", TO_GW IP6("2c") FRAGMENT("3a", "fff9") "8600", PASS},
                {"a later fragment of options", TO_GW IP6("2c") FRAGMENT("3c", "0008") "3a00",
                 PASS},
                {"options in the first fragment",
                 TO_GW IP6("2c") FRAGMENT("3c", "0001") OPTIONS("3a") "8000", GUARD_NOT_JUDGED},
                {"options before the first fragment",
                 TO_GW IP6("3c") OPTIONS("2c") FRAGMENT("3a", "0001") "8000", PASS},
                {"an advertisement there",
                 TO_GW IP6("3c") OPTIONS("2c") FRAGMENT("3a", "0001") "8600", GUARD_SERVER},
                {"a fragment in a fragment",
                 TO_GW IP6("2c") FRAGMENT("2c", "0001") FRAGMENT("3a", "0001"), GUARD_NOT_JUDGED},
                {"authentication in the first fragment",
                 TO_GW IP6("2c") FRAGMENT("33", "0001") AUTHENTICATION("06") TCP("0050"), PASS},
                {"an advertisement behind it",
                 TO_GW IP6("2c") FRAGMENT("33", "0001") AUTHENTICATION("3a") "8600", GUARD_SERVER},
                {"a type that is padding",
                 TO_GW IP6_SIZED("0008", "2c") FRAGMENT("3a", "0001") "80", GUARD_NOT_JUDGED},
                {"a type that is not", TO_GW IP6_SIZED("0009", "2c") FRAGMENT("3a", "0001") "80",
                 PASS},
                {"ports that are padding",
                 TO_GW IP6_SIZED("000b", "2c") FRAGMENT("11", "0001") UDP("0009"),
                 GUARD_NOT_JUDGED},
                {"ports that are not",
                 TO_GW IP6_SIZED("000c", "2c") FRAGMENT("11", "0001") UDP("0009"), PASS},
                {"authentication that is padding",
                 TO_GW IP6_SIZED("0009", "2c") FRAGMENT("33", "0001") AUTHENTICATION("06"),
                 GUARD_NOT_JUDGED},
                {"an experiment", TO_GW IP6("2c") FRAGMENT("fe", "0001"), GUARD_NOT_JUDGED},
                {"half a fragment header", TO_GW IP6("2c") "3a0000", GUARD_NOT_JUDGED, .size = 57},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void test_llc(_unused_ void **state) {
        static const Case cases[] = {
                {"LLC", "group own 0026 f0f003", PASS},
                {"IPX", "all own 0026 ffff", PASS},
                {"a length that is none", TO_GW " 05ff f0f003", PASS},
                {"an EtherType", TO_GW " 0600 aaaa03000000 0800", PASS},
                {"no LLC at all", TO_GW " 0000", GUARD_NOT_JUDGED, .size = 14},
                {"AppleTalk", TO_GW " 0026 aaaa03080007 809b", PASS},
                {"IPv4 in SNAP", TO_GW " 0026 snap 0800", GUARD_NOT_JUDGED},
                {"IPv6 in SNAP", TO_GW " 0026 snap 86dd", GUARD_NOT_JUDGED},
                {"IPv6 in SNAP of another organization", TO_GW " 0026 aaaa030000f8 86dd",
                 GUARD_NOT_JUDGED},
                {"IPv6 in SNAP to a group of it", TO_GW " 0026 abaa03000000 86dd",
                 GUARD_NOT_JUDGED},
                {"IPv6 in SNAP with a length that is none", TO_GW " 05ff snap 86dd",
                 GUARD_NOT_JUDGED},
                {"a tag in SNAP", TO_GW " 0026 snap 8100 0064", GUARD_VLAN_TAG},
                {"a tag in SNAP where servers may be", TO_GW " 0026 snap 88a8 0064", GUARD_VLAN_TAG,
                 .flags = ALLOW_ALL},
                {"IPv6 in SNAP where servers may be", TO_GW " 0026 snap 86dd", PASS,
                 .flags = ALLOW_ALL},
                {"IPv6 in SNAP where one may be", TO_GW " 0026 snap 86dd", GUARD_NOT_JUDGED,
                 .flags = GUARD_ALLOW_RA},
                {"LLC that is to be cut", TO_GW " 0026 f0f003", GUARD_NOT_JUDGED, .gso_size = 20},
                {"LLC of the length ETH_P_802_2", TO_GW " 0004 f0f003", GUARD_NOT_JUDGED,
                 .gso_size = 20},
                {"half of SNAP", TO_GW " 0026 snap", GUARD_NOT_JUDGED, .size = 21},
                {"RFC 948", TO_GW " 0026 060603 45", GUARD_NOT_JUDGED},
                {"RFC 948 to a group", TO_GW " 0026 070603 45", GUARD_NOT_JUDGED},
                {"RFC 948 where servers may be", TO_GW " 0026 060603 45", PASS, .flags = ALLOW_ALL},
        };

        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

/* What a frame looks like says nothing where a checksum is to be completed later, wherever it is.
 * So only these pass: no two bytes, written anywhere from the 20th on, make a server's message of
 * one. test_guard_model.py tries that. */
static void test_late_checksums(_unused_ void **state) {
        static const struct {
                const char *frame;
                bool passes;
                uint32_t gso_size;
        } cases[] = {
                {TO_GW " 88b5", true},
                {"all own 0806", true},
                {TO_GW IP4("06") TCP("0050"), true},
                {TO_GW IP4("06") TCP("0044"), false},
                {TO_GW IP4("06") TCP("0043"), false},
                {TO_GW IP4("01") "0800 0000", true},
                {TO_GW IP4("01") "0800 0044", false},
                {TO_GW IP4("11") UDP("0009"), true},
                {TO_GW IP4("11") UDP("0009") "01", true},
                {TO_GW IP4("11") UDP("0009") "02", false},
                {TO_GW IP4("11") UDP("0043") "01", false},
                {TO_GW IP4("11") UDP("0009") "01", false, 20},
                {TO_GW IP4("06") TCP("0050"), true, 20},
                {TO_GW IP4_FRAGMENT("2000", "11") UDP("0009"), false},
                {TO_GW IP4_FRAGMENT("0001", "11") UDP("0044"), false},
                {TO_GW IP4_FRAGMENT("0001", "11") UDP("0009"), true},
                {TO_GW IP4_OPTIONS("11") UDP("0009"), false},
                {TO_GW IP4_OPTIONS("02"), true},
                {TO_GW IP6("06") TCP("0050"), true},
                {TO_GW IP6("06") TCP("0222"), false},
                {TO_GW IP6("06") "8600 0050 z16", false},
                {TO_GW IP6("06") "8900 0050 z16", false},
                {TO_GW IP6("06") "1100 0050 z16", false},
                {TO_GW IP6("06") "2b00 0050 z16", false},
                {TO_GW IP6("06") "2c00 0050 z16", false},
                {TO_GW IP6("06") "3300 0050 z16", false},
                {TO_GW IP6("06") "3a00 0050 z16", false},
                {TO_GW IP6("06") "3c00 0050 z16", false},
                {TO_GW IP6("06") "8700 0050 z16", false},
                {TO_GW IP6("06") "8b00 0050 z16", false},
                {TO_GW IP6("06") "8c00 0050 z16", false},
                {"all own" IP6("06") TCP("0050"), true},
                {"all own" IP6("06") TCP("0050"), true, 20},
                {"all own" IP6("06") TCP("0222"), false, 20},
                {"all own" IP6("06") "8600 0050 z16", false, 20},
                {"all own" IP6("06") "3c00 0050 z16", false, 20},
                {"all own" IP6("3c") OPTIONS("06") TCP("0050"), false, 20},
                {TO_GW IP6("11") UDP("0009"), true},
                {TO_GW IP6("11") UDP("0009") "01", true},
                {TO_GW IP6("11") UDP("0009") "02", false},
                {TO_GW IP6("11") UDP("0009") "01", false, 20},
                {TO_GW IP6("06") TCP("0050"), true, 20},
                {TO_GW IP6("11") UDP("0009") "07", false},
                {TO_GW IP6("11") UDP("0009") "0a", false},
                {TO_GW IP6("3a") "8000", false},
                {TO_GW IP6("2c") FRAGMENT("11", "0008"), false},
                {TO_GW " 0026 f0f003", true},
                {TO_GW " 0026 aaaa03080007 809b", false},
        };
        const Case rules = {};
        GuardVerdict verdict;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                GuardFrame frame = guard_case_frame(cases[i].frame, 90);

                frame.gso_size = cases[i].gso_size;
                guard_case_rules(&guard_probe, &rules);
                assert_int_equal(guard_run(&guard_probe, "from_guest", &frame, &verdict), 0);
                if ((verdict.reason == -1) != cases[i].passes)
                        fail_msg("%s: reason %d", cases[i].frame, verdict.reason);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ipv4),       cmocka_unit_test(test_ipv6),
                cmocka_unit_test(test_extensions), cmocka_unit_test(test_ipv6_fragments),
                cmocka_unit_test(test_llc),        cmocka_unit_test(test_late_checksums),
        };

        if (!needs_root())
                return 0;
        return cmocka_run_group_tests_name("guard-ip", tests, guard_case_load, guard_case_unload);
}
