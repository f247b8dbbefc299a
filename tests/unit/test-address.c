/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/address.h"

#include <string.h>

#include "test.h"

static AddressPrefix parsed(const char *text) {
        AddressPrefix a;
        Refusal refusal;

        if (address_parse(text, "network", "lab", &a, &refusal) != 0)
                fail_msg("%s", refusal.text);
        return a;
}

static void check_bad(const char *text, const char *words) {
        AddressPrefix a = {.family = 4, .length = 7}, before = a;
        Refusal refusal;

        assert_refused(address_parse(text, "network", "lab", &a, &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "network lab", words);
        assert_memory_equal(&a, &before, sizeof(a));
}

static void test_text(_unused_ void **state) {
        static const struct {
                const char *text, *canonical;
                uint8_t family, length;
        } good[] = {
                {"10.0.0.9", "10.0.0.9", 4, 32},           {"10.0.0.9/32", "10.0.0.9", 4, 32},
                {"10.0.0.0/24", "10.0.0.0/24", 4, 24},     {"10.0.0.8/31", "10.0.0.8/31", 4, 31},
                {"128.0.0.0/1", "128.0.0.0/1", 4, 1},      {"FD00:0:0::0009", "fd00::9", 6, 128},
                {"fd00::9/128", "fd00::9", 6, 128},        {"fe80::/64", "fe80::/64", 6, 64},
                {"2001:db8::/33", "2001:db8::/33", 6, 33}, {"64:ff9b::/96", "64:ff9b::/96", 6, 96},
        };
        char text[ADDRESS_TEXT_SIZE];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                AddressPrefix a = parsed(good[i].text);

                assert_string_equal(address_format(&a, text), good[i].canonical);
                assert_int_equal(a.family, good[i].family);
                assert_int_equal(a.length, good[i].length);
        }
        assert_string_equal(address_format(&(AddressPrefix){}, text), "");
}

static void test_refused(_unused_ void **state) {
        static const char *const none[] = {"",          "x",          "10.0.0",     "10.0.0.256",
                                           "10.0.0.9 ", " 10.0.0.9",  "010.0.0.9",  "0x0a.0.0.9",
                                           "fd00:::9",  "fd00::9%lo", "[fd00::9]",  "host.example",
                                           "/24",       "10.0.0.9\n", "10.0.0.9,x", "::1::"};
        static const char *const lengths[] = {"10.0.0.0/",   "10.0.0.0/0",    "10.0.0.0/33",
                                              "10.0.0.0/-1", "10.0.0.0/24 ",  "fd00::/129",
                                              "fd00::/0",    "10.0.0.0/24/8", "10.0.0.0/255.0.0.0"};
        static const char *const hosts[] = {
                "0.0.0.0",           "0.0.0.9", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                "240.0.0.0/4",       "::",      "::1",       "ff02::1",   "::ffff:10.0.0.9",
                "::ffff:0.0.0.0/96", "::/64",   "::/1",      "ff00::/8",  "::10.0.0.9"};
        char text[512];

        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                check_bad(none[i], "is no IP address");
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
                check_bad(lengths[i], "the length of this prefix");
        for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
                check_bad(hosts[i], "no address that a host sends from");
        check_bad("10.0.0.9/24", "write 10.0.0.9 for the address");
        check_bad("10.0.0.9/31", "bits behind the prefix");
        check_bad("fd00::1/127", "bits behind the prefix");
        check_bad("fd00::1/64", "with /64");
        memset(text, '1', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        check_bad(text, "is no IP address");
}

static void test_list(_unused_ void **state) {
        char text[ADDRESS_LIST_TEXT_SIZE];
        AddressList list = {};
        Refusal refusal;

        assert_string_equal(address_list_format(&list, text), "");
        assert_true(address_list_is_valid(&list));
        for (size_t i = 0; i < ADDRESSES_MAX; i++) {
                assert_int_equal(address_list_count(&list), i);
                /* The longest text that there is. */
                assert_int_equal(address_list_add(&list,
                                                  "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124",
                                                  "network", "lab", &refusal),
                                 0);
                assert_true(address_list_is_valid(&list));
        }
        assert_int_equal(strlen(address_list_format(&list, text)), 16 * 43 + 15);
        assert_refused(address_list_add(&list, "10.0.0.9", "network", "lab", &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "more than 16");
        memset(&list, 0, sizeof(list));
        assert_int_equal(address_list_add(&list, "10.0.0.9", "network", "lab", &refusal), 0);
        assert_int_equal(address_list_add(&list, "FD00::/64", "network", "lab", &refusal), 0);
        assert_string_equal(address_list_format(&list, text), "10.0.0.9 fd00::/64");
        /* What nobody could have parsed. */
        for (size_t i = 0; i < sizeof(list); i++) {
                AddressList other = list;
                uint8_t *byte = (uint8_t *)&other + i;
                const bool octet = i >= offsetof(AddressPrefix, octet) &&
                                   i < offsetof(AddressPrefix, octet) + 4;
                const bool prefix = i >= sizeof(AddressPrefix) + offsetof(AddressPrefix, octet) &&
                                    i < sizeof(AddressPrefix) + offsetof(AddressPrefix, octet) + 8;

                *byte ^= 0xff;
                if (!octet && !prefix)
                        assert_false(address_list_is_valid(&other));
        }
        list.address[2] = list.address[0];
        list.address[0] = (AddressPrefix){};
        assert_false(address_list_is_valid(&list));
}

static void test_single(_unused_ void **state) {
        AddressPrefix a = parsed("10.0.0.9"), network = parsed("10.0.0.0/24");
        AddressPrefix any = {.family = 4, .length = 32}, none = {};

        assert_true(address_is_single(&a));
        assert_true(address_is_single(&any));
        assert_false(address_is_single(&network));
        assert_false(address_is_single(&none));
        a.octet[4] = 1;
        assert_false(address_is_single(&a));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_single),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
