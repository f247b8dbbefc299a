/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/text.h"
#include "test.h"

static void test_refuse(_unused_ void **state) {
        Refusal r;

        memset(&r, 0xaa, sizeof(r));
        assert_int_equal(refuse(&r, RAWNET_NETWORK_BUSY, "network %s: busy", "lab"),
                         RAWNET_NETWORK_BUSY);
        assert_int_equal(r.error, RAWNET_NETWORK_BUSY);
        assert_int_equal(r.kernel_errno, 0);
        assert_string_equal(r.text, "network lab: busy");
        /* Nothing of what was there before travels on. */
        for (size_t i = strlen(r.text); i < sizeof(r.text); i++)
                assert_int_equal(r.text[i], 0);
}

static void test_without_a_place(_unused_ void **state) {
        assert_int_equal(refuse(NULL, RAWNET_INVALID_ARGS, "x"), RAWNET_INVALID_ARGS);
        assert_int_equal(refuse_errno(NULL, EPERM, "x"), RAWNET_KERNEL_REFUSED);
}

static void test_errno(_unused_ void **state) {
        Refusal r;

        assert_int_equal(refuse_errno(&r, EPERM, "network %s: make it", "lab"),
                         RAWNET_KERNEL_REFUSED);
        assert_string_equal(r.text, "network lab: make it: Operation not permitted");
        assert_int_equal(r.kernel_errno, EPERM);
        refuse_errno(&r, -EBUSY, "x");
        assert_string_equal(r.text, "x: Device or resource busy");
        assert_int_equal(r.kernel_errno, EBUSY);
        refuse_errno(&r, 4000, "x");
        assert_string_equal(r.text, "x: error 4000");
        assert_int_equal(r.kernel_errno, 4000);
}

static void test_too_long(_unused_ void **state) {
        char text[2 * REFUSAL_TEXT_MAX];
        Refusal r;

        memset(text, 'a', sizeof(text));
        for (size_t length = REFUSAL_TEXT_MAX - 2; length < REFUSAL_TEXT_MAX + 3; length++) {
                text[length] = '\0';
                refuse(&r, RAWNET_INVALID_ARGS, "%s", text);
                if (length < REFUSAL_TEXT_MAX)
                        assert_string_equal(r.text, text);
                else {
                        assert_int_equal(strlen(r.text), REFUSAL_TEXT_MAX - 1);
                        assert_string_equal(r.text + REFUSAL_TEXT_MAX - 4, "...");
                }
                text[length] = 'a';
        }
        /* Also where only the kernel's words do not fit any more. */
        text[REFUSAL_TEXT_MAX - 10] = '\0';
        refuse_errno(&r, EPERM, "%s", text);
        assert_string_equal(r.text + REFUSAL_TEXT_MAX - 4, "...");
}

static void test_bad_bytes(_unused_ void **state) {
        char text[REFUSAL_TEXT_MAX + 1];
        Refusal r;

        refuse(&r, RAWNET_INVALID_ARGS, "%s", "a\nb\xff\x1b[2Jc");
        assert_string_equal(r.text, "a?b??[2Jc");
        /* A cut never leaves half a character. */
        for (size_t offset = 0; offset < 4; offset++) {
                memset(text, 'a', sizeof(text));
                for (size_t i = offset; i + 3 < sizeof(text); i += 3)
                        memcpy(text + i, "\xe2\x82\xac", 3);
                text[sizeof(text) - 1] = '\0';
                refuse(&r, RAWNET_INVALID_ARGS, "%s", text);
                assert_true(text_is_printable_utf8(r.text, strlen(r.text)));
                assert_null(strchr(r.text, '?'));
        }
}

/* Someone higher up puts more around a sentence. */
static void test_wrapped(_unused_ void **state) {
        Refusal r;

        refuse(&r, RAWNET_INVALID_ARGS, "the reason");
        refuse(&r, RAWNET_NOT_SUPPORTED, "network lab: %s; do this", r.text);
        assert_string_equal(r.text, "network lab: the reason; do this");
}

static void test_dbus_names(_unused_ void **state) {
        for (int i = 1; i < RAWNET_ERROR_COUNT; i++) {
                const char *name = rawnet_error_to_dbus((RawnetError)i);

                assert_non_null(name);
                assert_true(strncmp(name, "org.rawnet1.Error.", 18) == 0 ||
                            strncmp(name, "org.freedesktop.DBus.Error.", 27) == 0);
                for (int other = 1; other < i; other++)
                        assert_string_not_equal(name, rawnet_error_to_dbus((RawnetError)other));
        }
        assert_null(rawnet_error_to_dbus(RAWNET_OK));
        assert_null(rawnet_error_to_dbus(RAWNET_ERROR_COUNT));
        assert_null(rawnet_error_to_dbus((RawnetError)-1));
        assert_string_equal(rawnet_error_to_dbus(RAWNET_KERNEL_REFUSED),
                            "org.rawnet1.Error.KernelRefused");
        assert_string_equal(rawnet_error_to_dbus(RAWNET_LIMITS_EXCEEDED),
                            "org.freedesktop.DBus.Error.LimitsExceeded");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_refuse),     cmocka_unit_test(test_without_a_place),
                cmocka_unit_test(test_errno),      cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_bad_bytes),  cmocka_unit_test(test_wrapped),
                cmocka_unit_test(test_dbus_names),
        };

        return cmocka_run_group_tests_name("refusal", tests, NULL, NULL);
}
