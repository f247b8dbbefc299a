/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The names of users in rawnetd's sentences.
 */

#include <errno.h>
#include <pwd.h>

#include "client/user-name.h"

#include "fault.h"
#include "test.h"

struct passwd *__wrap_getpwuid(uid_t uid);
struct passwd *__wrap_getpwuid(uid_t uid) {
        static char alice[] = "alice", root[] = "root";
        static struct passwd entry;

        if (uid != 0 && uid != 1000)
                return NULL;
        entry = (struct passwd){.pw_name = uid == 0 ? root : alice, .pw_uid = uid};
        return &entry;
}

static void assert_becomes(const char *text, const char *expected) {
        _cleanup_free_ char *result = user_names_in(text);

        assert_non_null(result);
        assert_string_equal(result, expected);
}

static void test_names(_unused_ void **state) {
        assert_becomes("you may not close lease rn1 of user 1000: no",
                       "you may not close lease rn1 of user alice: no");
        assert_becomes("user 0 and user 1000", "user root and user alice");
        assert_becomes("lease rn1 of user 1000", "lease rn1 of user alice");
}

/* What is not a user's number stays as it is. */
static void test_others(_unused_ void **state) {
        static const char *const same[] = {"",
                                           "user ",
                                           "user 1001 has no name",
                                           "a user may have 1000 leases",
                                           "user x1000",
                                           "user 01000",
                                           "user 42949672960",
                                           "user 99999999999999999999999"};

        for (size_t i = 0; i < ARRAY_SIZE(same); i++)
                assert_becomes(same[i], same[i]);
}

static void test_faults(_unused_ void **state) {
        unsigned n = 0;
        bool failed;

        do {
                _cleanup_free_ char *result = NULL;

                fault_arm(++n, ENOMEM);
                result = user_names_in("lease rn1 of user 1000");
                failed = fault_disarm();
                if (!failed)
                        assert_string_equal(result, "lease rn1 of user alice");
                else if (result)
                        assert_string_equal(result, "lease rn1 of user 1000");
        } while (failed);
        assert_true(n > 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
