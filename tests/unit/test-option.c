/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/option.h"
#include "test.h"

static int set(OpenOptions *options, LeaseKind kind, const char *key, OptionValue value, Refusal *refusal) {
        return option_set(options, kind, "lab", key, value, refusal);
}

static OptionValue text(const char *s) {
        return (OptionValue){.s = s};
}

static void test_defaults(_unused_ void **state) {
        OpenOptions o;

        options_init(&o, KIND_TAP);
        assert_int_equal(o.mac_mode, WIRE_MAC_RANDOM);
        assert_int_equal(o.queues, 1);
        assert_false(o.vhost);
        assert_true(o.vnet_hdr);
        assert_string_equal(o.name, "");
        assert_int_equal(options_check(&o, "lab", NULL), 0);
        options_init(&o, KIND_PACKET);
        assert_false(o.vnet_hdr);
}

static void test_types(_unused_ void **state) {
        assert_string_equal(option_type(KIND_TAP, "mac"), "s");
        assert_string_equal(option_type(KIND_TAP, "name"), "s");
        assert_string_equal(option_type(KIND_PACKET, "queues"), "u");
        assert_string_equal(option_type(KIND_TAP, "vhost"), "b");
        assert_null(option_type(KIND_PACKET, "vhost"));
        assert_string_equal(option_type(KIND_PACKET, "vnet-hdr"), "b");
        for (const char **bad = (const char *[]){"", "Mac", "mac ", "vnet_hdr", "mtu", "network", NULL}; *bad; bad++)
                assert_null(option_type(KIND_TAP, *bad));
}

static void test_mac(_unused_ void **state) {
        static const char *const wrong[] = {"", "Learn", "learn ", "52:54:00:12:34", "random", "52-54-00-12-34-56"};
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "mac", text("52:54:00:AB:cd:ef"), &refusal), 0);
        assert_int_equal(o.mac_mode, WIRE_MAC_GIVEN);
        assert_int_equal(o.mac.octet[3], 0xab);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "mac", text("learn"), &refusal), 0);
        assert_int_equal(o.mac_mode, WIRE_MAC_LEARN);
        options_init(&o, KIND_PACKET);
        assert_refused(set(&o, KIND_PACKET, "mac", text("learn"), &refusal), RAWNET_NOT_SUPPORTED, &refusal,
                       "network lab", "learn");
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "mac", text(wrong[i]), &refusal), RAWNET_INVALID_ARGS, &refusal,
                               "network lab", "mac");
                assert_int_equal(o.mac_mode, WIRE_MAC_RANDOM);
        }
}

static void test_name(_unused_ void **state) {
        char name[RAWNET_LEASE_NAME_MAX + 2];
        Refusal refusal;
        OpenOptions o;

        memset(name, 'x', sizeof(name));
        name[RAWNET_LEASE_NAME_MAX + 1] = '\0';
        options_init(&o, KIND_TAP);
        assert_refused(set(&o, KIND_TAP, "name", text(name), &refusal), RAWNET_INVALID_ARGS, &refusal, "65");
        for (const char **bad = (const char *[]){"", "a\nb", "\x7f", "vm\xc3\xa4", "\t", NULL}; *bad; bad++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "name", text(*bad), &refusal), RAWNET_INVALID_ARGS, &refusal,
                               "network lab", "name");
                assert_string_equal(o.name, "");
        }
        name[RAWNET_LEASE_NAME_MAX] = '\0';
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "name", text(name), &refusal), 0);
        assert_string_equal(o.name, name);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "name", text(" ~"), &refusal), 0);
}

static void test_queues(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        for (uint32_t n = 1; n <= RAWNET_QUEUES_MAX; n++) {
                options_init(&o, KIND_PACKET);
                assert_int_equal(set(&o, KIND_PACKET, "queues", (OptionValue){.u = n}, &refusal), 0);
                assert_int_equal(options_check(&o, "lab", &refusal), 0);
        }
        for (const uint32_t *bad = (const uint32_t[]){0, 17, UINT32_C(0x80000001), UINT32_MAX}; ; bad++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "queues", (OptionValue){.u = *bad}, &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "network lab", "queues");
                assert_int_equal(o.queues, 1);
                if (*bad == UINT32_MAX)
                        break;
        }
}

/* More descriptors than a D-Bus message carries would cost the service its connection. */
static void test_descriptors(_unused_ void **state) {
        Refusal refusal;

        for (uint32_t n = 1; n <= RAWNET_QUEUES_MAX; n++) {
                OpenOptions o;
                int r;

                options_init(&o, KIND_TAP);
                assert_int_equal(set(&o, KIND_TAP, "vhost", (OptionValue){.b = true}, &refusal), 0);
                assert_int_equal(set(&o, KIND_TAP, "queues", (OptionValue){.u = n}, &refusal), 0);
                r = options_check(&o, "lab", &refusal);
                if (n <= 8)
                        assert_int_equal(r, 0);
                else
                        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "network lab", "at most 16");
        }
}

static void test_vnet_hdr(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_PACKET);
        assert_int_equal(set(&o, KIND_PACKET, "vnet-hdr", (OptionValue){.b = true}, &refusal), 0);
        assert_true(o.vnet_hdr);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "vnet-hdr", (OptionValue){.b = true}, &refusal), 0);
        options_init(&o, KIND_TAP);
        assert_refused(set(&o, KIND_TAP, "vnet-hdr", (OptionValue){.b = false}, &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, "network lab");
}

static void test_unknown_and_twice(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_PACKET);
        assert_refused(set(&o, KIND_PACKET, "vhost", (OptionValue){.b = true}, &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "network lab", "vhost");
        assert_refused(set(&o, KIND_PACKET, "mtu", (OptionValue){.u = 1}, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "unknown option \"mtu\"");
        assert_int_equal(set(&o, KIND_PACKET, "queues", (OptionValue){.u = 2}, &refusal), 0);
        assert_refused(set(&o, KIND_PACKET, "queues", (OptionValue){.u = 2}, &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "queues is given twice");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults), cmocka_unit_test(test_types),
                cmocka_unit_test(test_mac),      cmocka_unit_test(test_name),
                cmocka_unit_test(test_queues),   cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_vnet_hdr), cmocka_unit_test(test_unknown_and_twice),
        };

        return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
