/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/mac.h"
#include "fault.h"
#include "test.h"

static const uint8_t machine[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static MacPrefix prefix_of(const char *text) {
        MacPrefix prefix;

        assert_int_equal(mac_prefix_parse(text, &prefix), 0);
        return prefix;
}

static MacPrefixes prefixes_of(const char *text) {
        MacPrefixes prefixes;

        assert_int_equal(mac_prefixes_parse(text, &prefixes), 0);
        return prefixes;
}

static bool allowed(const MacAddress *mac, const MacPrefix *prefix) {
        const MacPrefixes prefixes = {.prefix = {*prefix}, .n = 1};

        return mac_allowed(mac, &prefixes);
}

static MacAddress mac_of(const char *text) {
        MacAddress mac;

        assert_int_equal(mac_parse(text, &mac), 0);
        return mac;
}

static void test_parse(_unused_ void **state) {
        static const char *const wrong[] = {"",
                                            "52",
                                            "52:54:00:12:34",
                                            "52:54:00:12:34:",
                                            "52:54:00:12:34:56:",
                                            "52:54:00:12:34:56:78",
                                            " 52:54:00:12:34:56",
                                            "52:54:00:12:34:56 ",
                                            "52-54-00-12-34-56",
                                            "525400123456",
                                            "52:54:0:12:34:56",
                                            "52:54:000:12:34:56",
                                            "5g:54:00:12:34:56",
                                            "52:54:00:12:34:5",
                                            "52:54:00:12:34:5\n",
                                            "52::54:00:12:34",
                                            ":52:54:00:12:34:56",
                                            "52:54:00:12:34:+6",
                                            "0x:54:00:12:34:56",
                                            "learn"};
        MacAddress mac, before = mac_of("01:02:03:04:05:06");
        char text[MAC_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                mac = before;
                assert_int_equal(mac_parse(wrong[i], &mac), -EINVAL);
                assert_true(mac_equal(&mac, &before));
        }
        mac = mac_of("aB:Cd:eF:09:90:fF");
        assert_memory_equal(mac.octet, ((uint8_t[]){0xab, 0xcd, 0xef, 0x09, 0x90, 0xff}), 6);
        assert_string_equal(mac_format(&mac, text), "ab:cd:ef:09:90:ff");
        assert_false(mac_is_zero(&mac));
        mac = mac_of("00:00:00:00:00:00");
        assert_true(mac_is_zero(&mac));
        mac = mac_of("00:00:00:00:00:01");
        assert_false(mac_is_zero(&mac));
}

static void test_prefix(_unused_ void **state) {
        static const char *const wrong[] = {":",          "5",
                                            "52:",        "52:54:00:",
                                            "52:54:00:1", "53:54:00",
                                            "00",         "00:0c",
                                            "01",         "fc ",
                                            " 52",        "52 54",
                                            "01:00:5e",   "52:54:00:12:34:56:78",
                                            "52-54-00"};
        static const char *const good[] = {
                "",         "02",          "52:54",          "52:54:00",         "fe:ff:ff",
                "00:16:3e", "bc:24:11:22", "00:0c:29:00:12", "08:00:27:00:00:01"};
        MacPrefix prefix = {.length = 2, .octet = {9, 9}};
        char text[MAC_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                assert_int_equal(mac_prefix_parse(wrong[i], &prefix), -EINVAL);
                assert_int_equal(prefix.length, 2);
                assert_int_equal(prefix.octet[0], 9);
        }
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                prefix = prefix_of(good[i]);
                assert_int_equal(prefix.length, (strlen(good[i]) + 1) / 3);
                assert_string_equal(mac_prefix_format(&prefix, text), good[i]);
        }
        prefix = prefix_of("FE:Ab");
        assert_string_equal(mac_prefix_format(&prefix, text), "fe:ab");
}

static void test_prefixes(_unused_ void **state) {
        char text[MAC_PREFIXES_TEXT_SIZE], many[3 * (MAC_PREFIXES_MAX + 1) + 1] = "";
        MacPrefixes prefixes = prefixes_of("52:54:00");

        assert_int_equal(mac_prefixes_parse("52:54:00, bc:24:11", &prefixes), -EINVAL);
        assert_int_equal(mac_prefixes_parse("52:54:00 00:0c", &prefixes), -EINVAL);
        assert_int_equal(mac_prefixes_parse("52:54:00:12:34:56:78:9a", &prefixes), -EINVAL);
        assert_int_equal(prefixes.n, 1);
        prefixes = prefixes_of("  BC:24:11\t52:54:00 ");
        assert_int_equal(prefixes.n, 2);
        assert_string_equal(mac_prefixes_format(&prefixes, text), "bc:24:11 52:54:00");
        for (const char **nothing = (const char *[]){"", " \t", NULL}; *nothing; nothing++) {
                prefixes = prefixes_of(*nothing);
                assert_int_equal(prefixes.n, 1);
                assert_string_equal(mac_prefixes_format(&prefixes, text), "");
        }
        for (size_t i = 0; i < MAC_PREFIXES_MAX; i++)
                memcpy(many + 3 * i, "02 ", 3);
        assert_int_equal(prefixes_of(many).n, MAC_PREFIXES_MAX);
        memcpy(many + sizeof(many) - 4, "02", 2);
        assert_int_equal(mac_prefixes_parse(many, &prefixes), -EINVAL);
}

static void test_allowed(_unused_ void **state) {
        static const struct {
                const char *mac, *prefixes;
                bool allowed;
        } samples[] = {
                {"52:54:00:12:34:56", "52:54:00", true},
                {"52:54:01:12:34:56", "52:54:00", false},
                {"52:54:01:12:34:56", "52:54", true},
                {"52:54:01:12:34:56", "52", true},
                {"02:00:00:00:00:00", "52", false},
                {"02:00:00:00:00:00", "", true},
                {"fe:ff:ff:ff:ff:ff", "", true},
                {"00:16:3e:00:00:01", "", false},
                {"01:00:5e:00:00:01", "", false},
                {"03:00:00:00:00:01", "", false},
                {"ff:ff:ff:ff:ff:ff", "", false},
                {"00:00:00:00:00:00", "", false},
                {"53:54:00:12:34:56", "52:54:00", false},
                {"00:16:3e:00:00:01", "00:16:3e", true},
                {"bc:24:11:00:00:01", "52:54:00 bc:24:11", true},
                {"bc:24:12:00:00:01", "52:54:00 bc:24:11", false},
                {"08:00:27:00:00:01", "08:00:27:00:00:01", true},
                {"08:00:27:00:00:02", "08:00:27:00:00:01", false},
                {"00:00:00:00:00:00", "00:00:00", false},
                {"00:00:00:00:00:01", "00:00:00", true},
        };

        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                MacAddress mac = mac_of(samples[i].mac);
                MacPrefixes prefixes = prefixes_of(samples[i].prefixes);

                assert_int_equal(mac_allowed(&mac, &prefixes), samples[i].allowed);
        }
}

/* Where rawnet itself chooses. */
static void test_choose(_unused_ void **state) {
        static const struct {
                const char *prefixes, *chosen;
        } samples[] = {{"52:54:00", "52:54:00"},
                       {"bc:24:11 52:54:00 02", "52:54:00"},
                       {"", ""},
                       {"bc:24:11", NULL},
                       {"52:54:00:12:34", NULL},
                       {"52:54:00:12", "52:54:00:12"},
                       {"52:54:00:12:34:56 02:11", "02:11"}};
        char text[MAC_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                MacPrefixes prefixes = prefixes_of(samples[i].prefixes);
                const MacPrefix *prefix = mac_prefix_to_choose(&prefixes);

                assert_int_equal(prefix != NULL, samples[i].chosen != NULL);
                if (prefix)
                        assert_string_equal(mac_prefix_format(prefix, text), samples[i].chosen);
        }
}

static void test_reserved(_unused_ void **state) {
        static const struct {
                const char *mac, *prefix;
                bool reserved;
        } samples[] = {
                {"52:54:00:12:34:56", "52:54:00", false},
                {"52:54:00:ef:ff:ff", "52:54:00", false},
                {"52:54:00:f0:00:00", "52:54:00", true},
                {"52:54:00:ff:ff:ff", "52:54:00", true},
                {"52:54:01:f0:00:00", "52:54:00", false},
                {"52:f4:00:00:00:00", "52", true},
                {"52:54:f0:00:00:00", "52", false},
                {"f2:00:00:00:00:00", "", true},
                {"52:00:00:00:00:00", "", false},
                {"f0:00:00:00:00:00", "", false},
                {"52:54:00:12:f4:56", "52:54:00:12", true},
                {"52:54:00:12:34:f6", "52:54:00:12:34", false},
                {"52:54:00:12:34:f6", "52:54:00:12:34:f6", false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                MacAddress mac = mac_of(samples[i].mac);
                MacPrefix prefix = prefix_of(samples[i].prefix);

                assert_int_equal(mac_is_reserved(&mac, &prefix), samples[i].reserved);
        }
}

static void test_random(_unused_ void **state) {
        for (const char **text =
                     (const char *[]){"", "02", "52:54", "52:54:00", "52:54:00:12", NULL};
             *text; text++) {
                MacPrefix prefix = prefix_of(*text);
                MacAddress a, b;

                for (int i = 0; i < 200; i++) {
                        assert_int_equal(mac_random(&prefix, &a), 0);
                        assert_int_equal(mac_random(&prefix, &b), 0);
                        assert_true(allowed(&a, &prefix));
                        assert_false(mac_is_reserved(&a, &prefix));
                        if (!mac_equal(&a, &b))
                                break;
                        /* Twice the same of 2^24: not a hundred times. */
                        assert_true(i < 100);
                }
        }
}

static void test_random_fails(_unused_ void **state) {
        MacAddress before = mac_of("01:02:03:04:05:06"), mac = before;
        MacPrefix prefix = prefix_of("52:54:00");
        int r;

        fault_arm(1, ENOSYS);
        r = mac_random(&prefix, &mac);
        assert_true(fault_disarm());
        assert_int_equal(r, -ENOSYS);
        assert_true(mac_equal(&mac, &before));

        fault_arm(1, EINTR);
        r = mac_random(&prefix, &mac);
        assert_true(fault_disarm());
        assert_int_equal(r, 0);
        assert_true(allowed(&mac, &prefix));
}

static void check_derived(const char *prefix_text, uint32_t uid, const char *network,
                          const char *name, const char *expected) {
        MacPrefix prefix = prefix_of(prefix_text);
        MacAddress mac;
        char text[MAC_TEXT_SIZE];

        mac_derive(&prefix, machine, uid, network, name, &mac);
        assert_string_equal(mac_format(&mac, text), expected);
        assert_true(mac_is_reserved(&mac, &prefix));
        assert_true(allowed(&mac, &prefix));
}

/* The addresses are the contract: guests' DHCP leases hang on them over an upgrade. By
 * python3 -c 'import hashlib; print(hashlib.sha256(bytes(range(16)) +
 * b"1000\0lab\0vm1\0").hexdigest())' */
static void test_derive(_unused_ void **state) {
        check_derived("52:54:00", 1000, "lab", "vm1", "52:54:00:fb:ee:68");
        check_derived("52", 1000, "lab", "vm1", "52:f3:bf:fb:ee:68");
        check_derived("", 1000, "lab", "vm1", "fe:93:bf:fb:ee:68");
        check_derived("52:54:00:12", 1000, "lab", "vm1", "52:54:00:12:fe:68");
        check_derived("", UINT32_MAX, "lab.100", "", "f6:d6:0d:b7:22:29");
}

/* Nobody may come to another's address by cutting the words elsewhere. */
static void test_derive_differs(_unused_ void **state) {
        static const struct {
                uint32_t uid;
                const char *network, *name;
        } who[] = {{1000, "lab", "vm1"},      {1001, "lab", "vm1"}, {1000, "lab2", "vm1"},
                   {1000, "lab", "vm2"},      {1000, "la", "bvm1"}, {1000, "labvm1", ""},
                   {1000, "", "labvm1"},      {100, "0lab", "vm1"}, {0, "lab", "vm1"},
                   {UINT32_MAX, "lab", "vm1"}};
        MacPrefix prefix = prefix_of("52");
        MacAddress mac[ARRAY_SIZE(who)], other;
        const uint8_t elsewhere[16] = {1};

        for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
                mac_derive(&prefix, machine, who[i].uid, who[i].network, who[i].name, &mac[i]);
                for (size_t k = 0; k < i; k++)
                        assert_false(mac_equal(&mac[i], &mac[k]));
                mac_derive(&prefix, machine, who[i].uid, who[i].network, who[i].name, &other);
                assert_true(mac_equal(&mac[i], &other));
        }
        mac_derive(&prefix, elsewhere, 1000, "lab", "vm1", &other);
        assert_false(mac_equal(&mac[0], &other));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),    cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_prefixes), cmocka_unit_test(test_choose),
                cmocka_unit_test(test_reserved), cmocka_unit_test(test_allowed),
                cmocka_unit_test(test_random),   cmocka_unit_test(test_random_fails),
                cmocka_unit_test(test_derive),   cmocka_unit_test(test_derive_differs),
        };

        return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
