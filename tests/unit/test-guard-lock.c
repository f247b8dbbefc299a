/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the guard's programs let a guest send whose addresses are locked, rule by rule; see
 * test-guard-program.c.
 */

#include "guard-case.h"
#include "helper/lock.h"

#define HERE "0a000002"   /* 10.0.0.2, named */
#define OTHER "0a000003"  /* not named */
#define WITHIN "c000024d" /* 192.0.2.77, in a network that is named */
#define BEHIND "c0000300" /* 192.0.3.0, behind it */
#define NONE4 "00000000"
#define ALL4 "ffffffff"
#define HERE6 "fe80 z13 02"              /* named */
#define OTHER6 "fe80 z13 03"             /* not named */
#define LINK6 "fe80 z6 505400fffe123456" /* the MAC address's own */
#define ALMOST6 "fe80 z6 505400fffe123457"
#define WITHIN6 "fd000001 z11 09" /* in a network that is named */
#define BEHIND6 "fd000002 z11 09"
#define NONE6 "z16"
#define NODES6 "ff02 z13 01"
#define OWN_MAC "525400123456"
#define OTHER_MAC "020000000001"

#define ARP(mac, sender, target) " 0806 0001 0800 06 04 0001 " mac " " sender " z6 " target
#define FROM4(protocol, source, destination)                                                       \
        " 0800 45 z5 0000 40 " protocol " 0000 " source " " destination " "
#define FRAGMENT4(fragment, protocol, source)                                                      \
        " 0800 45 z5 " fragment " 40 " protocol " 0000 " source " " ALL4 " "
#define FROM6(next, size, source) " 86dd 60 z3 " size " " next " ff " source " " NODES6 " "
#define NEIGHBOUR(type, size, source, target) FROM6("3a", size, source) type " z7 " target " "
#define DHCP " 0044 0043 z4 01"

static const char *const lock[] = {"10.0.0.2", "192.0.2.0/24", "fe80::2", "fd00:1::/64"};

static void check(const Case *cases, size_t n) {
        AddressList list = {};
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(lock); i++)
                assert_int_equal(address_list_add(&list, lock[i], "network", "lab", &refusal), 0);
        assert_int_equal(guard_run_lock(&guard_real, &list), 0);
        guard_case_check("from_guest", cases, n);
}

#define L GUARD_LOCKED

static void test_ipv4(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP from the address", TO_GW FROM4("06", HERE, OTHER) TCP("0050"), PASS, L},
                {"TCP from another", TO_GW FROM4("06", OTHER, HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP from another without a lock", TO_GW FROM4("06", OTHER, HERE) TCP("0050"),
                 PASS},
                {"TCP from a network", TO_GW FROM4("06", WITHIN, OTHER) TCP("0050"), PASS, L},
                {"TCP from behind it", TO_GW FROM4("06", BEHIND, OTHER) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"a datagram from another", TO_GW FROM4("11", OTHER, HERE) UDP("0009"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"a group's datagram from another",
                 "group own" FROM4("11", OTHER, "e0000001") UDP("0009"), GUARD_FOREIGN_ADDRESS, L},
                {"a fragment from another", TO_GW FRAGMENT4("2000", "11", OTHER) UDP("0009"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"a later fragment from another", TO_GW FRAGMENT4("0008", "11", OTHER) "0102",
                 GUARD_FOREIGN_ADDRESS, L},
                {"a later fragment", TO_GW FRAGMENT4("0008", "11", HERE) "0102", PASS, L},
                {"segments from another", TO_GW FROM4("06", OTHER, HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L, .gso_size = 20},
                {"behind a priority tag", TO_GW PRIORITY FROM4("06", OTHER, HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L, .untagged = true},
                {"another version", TO_GW " 0800 65 z8 06 0000 " HERE " " HERE, GUARD_NOT_JUDGED,
                 L | ALLOW_ALL},
                {"a header of four words", TO_GW " 0800 44 z8 06 0000 " HERE " " HERE,
                 GUARD_NOT_JUDGED, L | ALLOW_ALL},
                {"from another where servers may be", TO_GW FROM4("06", OTHER, HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L | ALLOW_ALL},
                {"a server's message from the address", TO_GW FROM4("11", HERE, ALL4) UDP("0044"),
                 GUARD_SERVER, L},
                {"a DHCP client", "all own" FROM4("11", NONE4, ALL4) DHCP, PASS, L},
                {"a DHCP client where servers may be", "all own" FROM4("11", NONE4, ALL4) DHCP,
                 PASS, L | ALLOW_ALL},
                {"a DHCP client to one host", TO_GW FROM4("11", NONE4, HERE) DHCP,
                 GUARD_FOREIGN_ADDRESS, L},
                {"a DHCP client's first fragment", "all own" FRAGMENT4("2000", "11", NONE4) DHCP,
                 GUARD_FOREIGN_ADDRESS, L},
                {"without a source to another port", "all own" FROM4("11", NONE4, ALL4) UDP("0042"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP without a source", "all own" FROM4("06", NONE4, ALL4) " 0044 0043 z16",
                 GUARD_FOREIGN_ADDRESS, L},
                {"a DHCP client from another", "all own" FROM4("11", OTHER, ALL4) DHCP,
                 GUARD_FOREIGN_ADDRESS, L},
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_arp(_unused_ void **state) {
        static const Case cases[] = {
                {"a request", "all own" ARP(OWN_MAC, HERE, OTHER), PASS, L},
                {"a request from another", "all own" ARP(OWN_MAC, OTHER, HERE),
                 GUARD_FOREIGN_ADDRESS, L},
                {"without a lock", "all own" ARP(OTHER_MAC, OTHER, HERE), PASS},
                {"another's MAC address", "all own" ARP(OTHER_MAC, HERE, OTHER),
                 GUARD_SPOOFED_SOURCE, L},
                {"a gratuitous one", "all own" ARP(OWN_MAC, HERE, HERE), PASS, L},
                {"a gratuitous one for another", "all own" ARP(OWN_MAC, OTHER, OTHER),
                 GUARD_FOREIGN_ADDRESS, L},
                {"a probe", "all own" ARP(OWN_MAC, NONE4, HERE), PASS, L},
                {"a probe in a network", "all own" ARP(OWN_MAC, NONE4, WITHIN), PASS, L},
                {"a probe for another", "all own" ARP(OWN_MAC, NONE4, OTHER), GUARD_FOREIGN_ADDRESS,
                 L},
                {"other hardware", "all own 0806 0006 0800 06 04 0001 " OWN_MAC HERE " z10",
                 GUARD_NOT_JUDGED, L},
                {"another protocol", "all own 0806 0001 0801 06 04 0001 " OWN_MAC HERE " z10",
                 GUARD_NOT_JUDGED, L},
                {"longer hardware addresses",
                 "all own 0806 0001 0800 08 04 0001 " OWN_MAC HERE " z14", GUARD_NOT_JUDGED, L},
                {"longer addresses", "all own 0806 0001 0800 06 08 0001 " OWN_MAC HERE " z14",
                 GUARD_NOT_JUDGED, L},
                {"half of it", "all own 0806 0001 0800 06 04 0001 " OWN_MAC HERE, GUARD_NOT_JUDGED,
                 L, .size = 41},
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_ipv6(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP from the address", TO_GW FROM6("06", "0014", HERE6) TCP("0050"), PASS, L},
                {"TCP from another", TO_GW FROM6("06", "0014", OTHER6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP from the MAC address's own", TO_GW FROM6("06", "0014", LINK6) TCP("0050"),
                 PASS, L},
                {"from almost that", TO_GW FROM6("06", "0014", ALMOST6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP from a network", TO_GW FROM6("06", "0014", WITHIN6) TCP("0050"), PASS, L},
                {"TCP from behind it", TO_GW FROM6("06", "0014", BEHIND6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"IPv4 in an IPv6 form", TO_GW FROM6("06", "0014", "z10 ffff" HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"IPv4's bytes", TO_GW FROM6("06", "0014", HERE " z12") TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"from another where servers may be", TO_GW FROM6("06", "0014", OTHER6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L | ALLOW_ALL},
                {"behind options", TO_GW FROM6("3c", "001c", OTHER6) OPTIONS("06") TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"a later fragment from another",
                 TO_GW FROM6("2c", "0010", OTHER6) FRAGMENT("11", "0008"), GUARD_FOREIGN_ADDRESS,
                 L},
                {"another version", TO_GW " 86dd 40 z3 0014 06 ff " HERE6 " " HERE6,
                 GUARD_NOT_JUDGED, L | ALLOW_ALL},
                {"a listener's report", TO_GW FROM6("00", "0010", NONE6) OPTIONS("3a") "8f00", PASS,
                 L},
                {"ping without a source", TO_GW FROM6("3a", "0008", NONE6) "8000",
                 GUARD_FOREIGN_ADDRESS, L},
                {"a datagram without a source", TO_GW FROM6("11", "0008", NONE6) UDP("0009"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP without a source", TO_GW FROM6("06", "0014", NONE6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L | ALLOW_ALL},
                {"a later fragment without a source",
                 TO_GW FROM6("2c", "0010", NONE6) FRAGMENT("3a", "0008"), GUARD_FOREIGN_ADDRESS, L},
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_discovery(_unused_ void **state) {
        static const Case cases[] = {
                {"a question", TO_GW NEIGHBOUR("87", "0020", HERE6, OTHER6) "0101" OWN_MAC, PASS,
                 L},
                {"a question with another MAC address",
                 TO_GW NEIGHBOUR("87", "0020", HERE6, OTHER6) "0101" OTHER_MAC,
                 GUARD_SPOOFED_SOURCE, L},
                {"without a lock", TO_GW NEIGHBOUR("87", "0020", HERE6, OTHER6) "0101" OTHER_MAC,
                 PASS},
                {"a claim", TO_GW NEIGHBOUR("87", "0018", NONE6, HERE6), PASS, L},
                {"a claim with a nonce", TO_GW NEIGHBOUR("87", "0020", NONE6, HERE6) "0e01 z6",
                 PASS, L},
                {"a claim of the MAC address's own", TO_GW NEIGHBOUR("87", "0018", NONE6, LINK6),
                 PASS, L},
                {"a claim of another", TO_GW NEIGHBOUR("87", "0018", NONE6, OTHER6),
                 GUARD_FOREIGN_ADDRESS, L},
                {"an answer", TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6) "0201" OWN_MAC, PASS, L},
                {"an answer without options", TO_GW NEIGHBOUR("88", "0018", HERE6, HERE6), PASS, L},
                {"an answer for another",
                 TO_GW NEIGHBOUR("88", "0020", HERE6, OTHER6) "0201" OWN_MAC, GUARD_FOREIGN_ADDRESS,
                 L},
                {"an answer with another MAC address",
                 TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6) "0201" OTHER_MAC, GUARD_SPOOFED_SOURCE,
                 L},
                {"the same behind another option",
                 TO_GW NEIGHBOUR("88", "0028", HERE6, HERE6) "0e01 z6 0201" OTHER_MAC,
                 GUARD_SPOOFED_SOURCE, L},
                {"the same behind a long one",
                 TO_GW NEIGHBOUR("88", "0030", HERE6, HERE6) "0e02 z14 0201" OTHER_MAC,
                 GUARD_SPOOFED_SOURCE, L},
                {"four options",
                 TO_GW NEIGHBOUR("88", "0038", HERE6, HERE6) "0e01 z6 0e01 z6 0e01 z6 0201" OWN_MAC,
                 PASS, L},
                {"five options",
                 TO_GW NEIGHBOUR("88", "0040", HERE6,
                                 HERE6) "0e01 z6 0e01 z6 0e01 z6 0e01 z6 0201" OWN_MAC,
                 GUARD_NOT_JUDGED, L},
                {"an option without a length",
                 TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6) "0e00 z6", GUARD_NOT_JUDGED, L},
                {"a MAC address of another length",
                 TO_GW NEIGHBOUR("88", "0028", HERE6, HERE6) "0202" OWN_MAC " z8", GUARD_NOT_JUDGED,
                 L},
                {"an option past the end", TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6) "0e02 z14",
                 GUARD_NOT_JUDGED, L},
                {"a length past the end", TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6),
                 GUARD_NOT_JUDGED, L, .size = 78},
                {"no length", TO_GW NEIGHBOUR("88", "0000", HERE6, HERE6) "0201" OTHER_MAC,
                 GUARD_SPOOFED_SOURCE, L},
                {"an answer without a source", TO_GW NEIGHBOUR("88", "0018", NONE6, HERE6),
                 GUARD_FOREIGN_ADDRESS, L},
                {"behind an extension header",
                 TO_GW FROM6("3c", "0020", HERE6) OPTIONS("3a") "88 z7 " HERE6, GUARD_NOT_JUDGED,
                 L},
                {"in a fragment",
                 TO_GW FROM6("2c", "0020", HERE6) FRAGMENT("3a", "0001") "88 z7 " HERE6,
                 GUARD_NOT_JUDGED, L},
                {"segments", TO_GW NEIGHBOUR("88", "0018", HERE6, HERE6), GUARD_NOT_JUDGED, L,
                 .gso_size = 20},
                {"a router's question", TO_GW FROM6("3a", "0010", HERE6) "85 z7 0101" OWN_MAC, PASS,
                 L},
                {"without a source", TO_GW FROM6("3a", "0008", NONE6) "85 z7", PASS, L},
                {"a router's question with another MAC address",
                 TO_GW FROM6("3a", "0010", HERE6) "85 z7 0101" OTHER_MAC, GUARD_SPOOFED_SOURCE, L},
                {"a router", TO_GW FROM6("3a", "0010", HERE6) "86 z15", GUARD_SERVER, L},
                {"a router where it may be", TO_GW FROM6("3a", "0010", HERE6) "86 z15", PASS,
                 L | GUARD_ALLOW_RA},
                {"a router from another", TO_GW FROM6("3a", "0010", OTHER6) "86 z15",
                 GUARD_FOREIGN_ADDRESS, L | GUARD_ALLOW_RA},
        };

        check(cases, ARRAY_SIZE(cases));
}

static void test_others(_unused_ void **state) {
        static const Case cases[] = {
                {"another protocol", TO_GW " 88b5", GUARD_NOT_JUDGED, L},
                {"MPLS", TO_GW " 8847", GUARD_NOT_JUDGED, L | ALLOW_ALL},
                {"PPPoE", TO_GW " 8864", GUARD_NOT_JUDGED, L},
                {"reverse ARP", TO_GW " 8035", GUARD_NOT_JUDGED, L},
                {"LLC", TO_GW " 0026 f0f003", GUARD_NOT_JUDGED, L},
                {"SNAP", TO_GW " 0026 snap 0806", GUARD_NOT_JUDGED, L | ALLOW_ALL},
                {"control frames where they may be", "bridges own 0026 424203", PASS,
                 L | GUARD_PASS_CONTROL},
                {"IPv4 to their address", "bridges own" FROM4("06", OTHER, HERE) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L | GUARD_PASS_CONTROL},
                {"IPv4 in LLC to it", "bridges own 0026 060603", GUARD_NOT_JUDGED,
                 L | GUARD_PASS_CONTROL | ALLOW_ALL},
                {"ARP in SNAP to it", "bridges own 0026 snap 0806", GUARD_NOT_JUDGED,
                 L | GUARD_PASS_CONTROL | ALLOW_ALL},
                {"ARP in SNAP without a lock", "gw own 0026 snap 0806", PASS},
                {"another source", "gw other" FROM4("06", HERE, OTHER) TCP("0050"),
                 GUARD_SPOOFED_SOURCE, L},
        };

        check(cases, ARRAY_SIZE(cases));
}

/* An entry whose lock is missing. */
static void test_no_lock(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP", TO_GW FROM4("06", HERE, OTHER) TCP("0050"), GUARD_NOT_JUDGED, L},
                {"ARP", "all own" ARP(OWN_MAC, HERE, OTHER), GUARD_NOT_JUDGED, L},
                {"a claim", TO_GW NEIGHBOUR("87", "0018", NONE6, HERE6), GUARD_NOT_JUDGED, L},
        };

        assert_int_equal(guard_run_unlock(&guard_real), 0);
        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

/* A lock without addresses. */
static void test_no_address(_unused_ void **state) {
        static const Case cases[] = {
                {"TCP", TO_GW FROM4("06", HERE, OTHER) TCP("0050"), GUARD_FOREIGN_ADDRESS, L},
                {"an ARP probe for no address", "all own" ARP(OWN_MAC, NONE4, NONE4),
                 GUARD_FOREIGN_ADDRESS, L},
                {"TCP over IPv6", TO_GW FROM6("06", "0014", HERE6) TCP("0050"),
                 GUARD_FOREIGN_ADDRESS, L},
                {"from the MAC address's own", TO_GW FROM6("06", "0014", LINK6) TCP("0050"), PASS,
                 L},
                {"a DHCP client", "all own" FROM4("11", NONE4, ALL4) DHCP, PASS, L},
        };
        const AddressList none = {};

        assert_int_equal(guard_run_lock(&guard_real, &none), 0);
        guard_case_check("from_guest", cases, ARRAY_SIZE(cases));
}

static void check_last(const char *frame, const char *expected) {
        const Case rules = {.flags = GUARD_LOCKED};
        GuardFrame f = guard_case_frame(frame, 0);
        char text[ADDRESS_TEXT_SIZE];
        GuardVerdict verdict;
        AddressPrefix last;
        GuardLock now;

        guard_case_rules(&guard_real, &rules);
        assert_int_equal(guard_run(&guard_real, "from_guest", &f, &verdict), 0);
        assert_int_equal(guard_run_read_lock(&guard_real, &now), 0);
        lock_last(&now, &last);
        assert_string_equal(address_format(&last, text), expected);
}

/* What an administrator reads. */
static void test_last(_unused_ void **state) {
        const AddressList none = {};

        assert_int_equal(guard_run_lock(&guard_real, &none), 0);
        check_last(TO_GW FROM6("06", "0014", LINK6) TCP("0050"), "");
        check_last(TO_GW FROM4("06", OTHER, HERE) TCP("0050"), "10.0.0.3");
        check_last(TO_GW FROM6("06", "0014", BEHIND6) TCP("0050"), "fd00:2::9");
        check_last("all own" ARP(OWN_MAC, NONE4, WITHIN), "192.0.2.77");
        check_last(TO_GW NEIGHBOUR("88", "0018", LINK6, OTHER6), "fe80::3");
        check_last("all own" ARP(OWN_MAC, HERE, OTHER), "10.0.0.2");
}

/* Nothing that a lock judges may change later. */
static void test_late_checksums(_unused_ void **state) {
        static const char *const frames[] = {
                TO_GW FROM4("06", HERE, OTHER) TCP("0050"),
                "all own" FROM4("11", NONE4, ALL4) DHCP,
                "all own" ARP(OWN_MAC, HERE, OTHER),
                TO_GW FROM6("06", "0014", HERE6) TCP("0050"),
                TO_GW NEIGHBOUR("88", "0020", HERE6, HERE6) "0201" OWN_MAC,
        };
        const Case rules = {.flags = GUARD_LOCKED | ALLOW_ALL};
        AddressList list = {};
        GuardVerdict verdict;
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(lock); i++)
                assert_int_equal(address_list_add(&list, lock[i], "network", "lab", &refusal), 0);
        assert_int_equal(guard_run_lock(&guard_probe, &list), 0);
        for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
                GuardFrame frame = guard_case_frame(frames[i], 100);

                guard_case_rules(&guard_probe, &rules);
                assert_int_equal(guard_run(&guard_probe, "from_guest", &frame, &verdict), 0);
                if (verdict.reason != GUARD_NOT_JUDGED)
                        fail_msg("%s: reason %d", frames[i], verdict.reason);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ipv4),           cmocka_unit_test(test_arp),
                cmocka_unit_test(test_ipv6),           cmocka_unit_test(test_discovery),
                cmocka_unit_test(test_others),         cmocka_unit_test(test_no_lock),
                cmocka_unit_test(test_no_address),     cmocka_unit_test(test_last),
                cmocka_unit_test(test_late_checksums),
        };

        if (!needs_root())
                return 0;
        return cmocka_run_group_tests_name("guard-lock", tests, guard_case_load, guard_case_unload);
}
