/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <linux/if_ether.h>

#include "common/network.h"
#include "test.h"

#define NAME_32 "abcdefghijklmnopqrstuvwxyz012345"

static void test_name(_unused_ void **state) {
        static const struct {
                const char *text, *name;
                uint16_t vlan;
        } good[] = {
                {"a", "a", 0},
                {"lab", "lab", 0},
                {"L-a_b9", "L-a_b9", 0},
                {"lab.1", "lab", 1},
                {"lab.4094", "lab", 4094},
                {"-", "-", 0},
                {NAME_32, NAME_32, 0},
                {NAME_32 ".4094", NAME_32, 4094},
                {"0", "0", 0},
        };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                NetworkName name;

                memset(&name, 0xaa, sizeof(name));
                assert_int_equal(network_name_parse(good[i].text, &name, &refusal), 0);
                assert_string_equal(name.name, good[i].name);
                assert_int_equal(name.vlan, good[i].vlan);
                assert_string_equal(refusal.text, "untouched");
        }
}

static void test_bad_name(_unused_ void **state) {
        static const struct {
                const char *text, *word;
        } bad[] = {
                {"", "not a network name"},
                {".", "not a network name"},
                {"..", "not a network name"},
                {".100", "not a network name"},
                {"/etc/passwd", "not a network name"},
                {"../lab", "not a network name"},
                {"lab/x", "not a network name"},
                {"lab x", "not a network name"},
                {" lab", "not a network name"},
                {"lab ", "not a network name"},
                {"lab\n", "not a network name"},
                {"läb", "not a network name"},
                {"lab%n%s", "not a network name"},
                {"lab:100", "not a network name"},
                {"lab.", "VLAN number"},
                {"lab.0", "VLAN number"},
                {"lab.01", "VLAN number"},
                {"lab.4095", "VLAN number"},
                {"lab.65536", "VLAN number"},
                {"lab.99999999999999999999", "VLAN number"},
                {"lab.-1", "VLAN number"},
                {"lab.1x", "VLAN number"},
                {"lab.1.2", "VLAN number"},
                {"lab..1", "VLAN number"},
                {NAME_32 "6", "longer than 32"},
                {NAME_32 NAME_32 NAME_32 NAME_32 NAME_32 NAME_32 NAME_32 NAME_32, "longer than 32"},
                {NAME_32 "6.100", "longer than 32"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                NetworkName name = {.name = "before", .vlan = 7};
                Refusal refusal = REFUSAL_UNTOUCHED;
                int r;

                r = network_name_parse(bad[i].text, &name, &refusal);
                assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "network ", bad[i].word);
                assert_string_equal(name.name, "before");
                assert_int_equal(name.vlan, 7);
                assert_int_equal(network_name_parse(bad[i].text, &name, NULL), RAWNET_INVALID_ARGS);
        }
}

static void test_interface_name(_unused_ void **state) {
        for (const char **good = (const char *[]){"e", "eth0", "enp1s0f0.100", "123456789012345",
                                                  "...", "br-lan", "a@b", NULL};
             *good; good++)
                assert_true(interface_name_is_valid(*good));
        for (const char **bad =
                     (const char *[]){"", ".", "..", "1234567890123456", "a/b", "/", "a b", "a\tb",
                                      "a:1", "eth0\n", "\x01", "\x7f", "ä", NULL};
             *bad; bad++)
                assert_false(interface_name_is_valid(*bad));
}

/* The names that rawnetd, the helper, rawnetctl and podman's driver accept. */
static void test_interface_name_check(_unused_ void **state) {
        for (const char **good =
                     (const char *[]){"e", "eth0", "a.b", "A-b_9", "123456789012345", NULL};
             *good; good++)
                assert_int_equal(interface_name_check(*good, "network", "lab", NULL), 0);
        for (const char **bad =
                     (const char *[]){"", ".", "..", ".a", "-a", "1234567890123456", "a/b", "a b",
                                      "a:1", "a\n", "eth%d", "all", "default", "a@b", "ä", NULL};
             *bad; bad++) {
                Refusal refusal = REFUSAL_UNTOUCHED;

                assert_refused(interface_name_check(*bad, "podman network", "lan", &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "podman network lan: '",
                               "is no name for an interface");
        }
}

static void test_pick_single(_unused_ void **state) {
        Network network = {.name = "lab", .vlan_first = 100, .vlan_last = 100};
        NetworkName name = {.name = "lab"};
        Refusal refusal = REFUSAL_UNTOUCHED;
        uint16_t vlan = 7;

        assert_int_equal(network_pick_vlan(&network, &name, &vlan, &refusal), 0);
        assert_int_equal(vlan, 100);
        network.vlan_first = network.vlan_last = 0;
        assert_int_equal(network_pick_vlan(&network, &name, &vlan, &refusal), 0);
        assert_int_equal(vlan, 0);
        assert_string_equal(refusal.text, "untouched");

        /* Not even its own number, and untagged none at all: one network has one name. */
        vlan = 7;
        name.vlan = 100;
        for (network.vlan_first = 0; network.vlan_first <= 100; network.vlan_first += 100) {
                network.vlan_last = network.vlan_first;
                assert_refused(network_pick_vlan(&network, &name, &vlan, &refusal),
                               RAWNET_NO_SUCH_NETWORK, &refusal, "network lab.100:", "ask for lab");
                assert_int_equal(vlan, 7);
        }
}

static void test_pick_range(_unused_ void **state) {
        Network network = {.name = "lab", .vlan_first = 100, .vlan_last = 199};
        NetworkName name = {.name = "lab"};
        Refusal refusal = REFUSAL_UNTOUCHED;
        uint16_t vlan = 7;

        assert_refused(network_pick_vlan(&network, &name, &vlan, &refusal), RAWNET_NO_SUCH_NETWORK,
                       &refusal, "network lab:", "100 to 199", "lab.100");
        for (const uint16_t *wrong = (const uint16_t[]){1, 99, 200, 4094, 0}; *wrong; wrong++) {
                name.vlan = *wrong;
                assert_refused(network_pick_vlan(&network, &name, &vlan, &refusal),
                               RAWNET_NO_SUCH_NETWORK, &refusal, "network lab.", "100 to 199");
        }
        assert_int_equal(vlan, 7);
        for (const uint16_t *right = (const uint16_t[]){100, 150, 199, 0}; *right; right++) {
                name.vlan = *right;
                assert_int_equal(network_pick_vlan(&network, &name, &vlan, NULL), 0);
                assert_int_equal(vlan, *right);
        }
}

static void test_offers(_unused_ void **state) {
        Network network = {.name = "lab", .path = "/etc/lab.conf"};
        Refusal refusal = REFUSAL_UNTOUCHED;

        network.kinds = KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET);
        assert_int_equal(network_offers(&network, KIND_TAP, &refusal), 0);
        assert_int_equal(network_offers(&network, KIND_PACKET, &refusal), 0);
        assert_string_equal(refusal.text, "untouched");
        network.kinds = KIND_BIT(KIND_TAP);
        assert_int_equal(network_offers(&network, KIND_TAP, &refusal), 0);
        assert_refused(network_offers(&network, KIND_PACKET, &refusal), RAWNET_KIND_NOT_OFFERED,
                       &refusal, "network lab ", "tap leases only", "ask for tap", "/etc/lab.conf");
        network.kinds = KIND_BIT(KIND_PACKET);
        assert_int_equal(network_offers(&network, KIND_PACKET, &refusal), 0);
        assert_refused(network_offers(&network, KIND_TAP, &refusal), RAWNET_KIND_NOT_OFFERED,
                       &refusal, "network lab ", "packet leases only", "ask for packet");
}

static void test_rate(_unused_ void **state) {
        static const uint64_t bad[] = {1, 999999, UINT64_C(100000000001), UINT64_MAX};
        Network network = {.name = "lab", .path = "/etc/lab.conf"};
        uint64_t rate = 7;
        Refusal refusal;

        assert_int_equal(network_rate(&network, "lab", 0, &rate, &refusal), 0);
        assert_int_equal(rate, 0);
        assert_int_equal(network_rate(&network, "lab", 5000000, &rate, &refusal), 0);
        assert_int_equal(rate, 5000000);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_refused(network_rate(&network, "lab", bad[i], &rate, &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "network lab");
        network.rate = 10000000;
        assert_int_equal(network_rate(&network, "lab", 0, &rate, &refusal), 0);
        assert_int_equal(rate, 10000000);
        assert_int_equal(network_rate(&network, "lab", 10000000, &rate, &refusal), 0);
        assert_int_equal(network_rate(&network, "lab", 1000000, &rate, &refusal), 0);
        assert_int_equal(rate, 1000000);
        assert_refused(network_rate(&network, "lab.7", 10000001, &rate, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "network lab.7", "10000001", "Rate=10M",
                       "/etc/lab.conf");
        assert_int_equal(rate, 1000000);
}

static void test_words(_unused_ void **state) {
        LeaseKind kind = KIND_PACKET;
        char buffer[8], wire[WIRE_TEXT_SIZE];

        assert_string_equal(network_mode_to_string(MODE_BRIDGE), "bridge");
        assert_string_equal(network_mode_to_string(MODE_PRIVATE), "private");
        assert_string_equal(network_mode_to_string(MODE_VEPA), "vepa");
        assert_string_equal(network_mode_to_string(MODE_EXCLUSIVE), "exclusive");
        assert_string_equal(lease_kind_to_string(KIND_TAP), "tap");
        assert_string_equal(lease_kind_to_string(KIND_PACKET), "packet");
        assert_int_equal(lease_kind_from_string("tap", &kind), 0);
        assert_int_equal(kind, KIND_TAP);
        assert_int_equal(lease_kind_from_string("packet", &kind), 0);
        assert_int_equal(kind, KIND_PACKET);
        for (const char **bad = (const char *[]){"", "TAP", "tap ", "taps", "raw", NULL}; *bad;
             bad++)
                assert_int_equal(lease_kind_from_string(*bad, &kind), -EINVAL);
        assert_int_equal(kind, KIND_PACKET);
        assert_string_equal(vlan_protocol_to_string(ETH_P_8021Q), "802.1Q");
        assert_string_equal(vlan_protocol_to_string(ETH_P_8021AD), "802.1ad");
        assert_string_equal(vlan_to_string(0, buffer), "none");
        assert_string_equal(vlan_to_string(1, buffer), "1");
        assert_string_equal(vlan_to_string(4094, buffer), "4094");
        assert_string_equal(vlan_to_string(UINT16_MAX, buffer), "65535");
        assert_string_equal(wire_to_string("eth0", 0, wire), "untagged on eth0");
        assert_string_equal(wire_to_string("fifteen-letters", 4094, wire),
                            "VLAN 4094 of fifteen-letters");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_name),           cmocka_unit_test(test_bad_name),
                cmocka_unit_test(test_interface_name), cmocka_unit_test(test_interface_name_check),
                cmocka_unit_test(test_pick_single),    cmocka_unit_test(test_pick_range),
                cmocka_unit_test(test_offers),         cmocka_unit_test(test_words),
                cmocka_unit_test(test_rate),
        };

        return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
