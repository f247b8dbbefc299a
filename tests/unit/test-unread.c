/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Whose calls pass while the bus holds much that is not read. The bus's answers are the test's. */

#include "service/bus-stats.h"
#include "service/unread.h"
#include "test.h"

#define OWN ":1.0"
#define MUCH (9u * 1024 * 1024)
#define TOO_MUCH (97u * 1024 * 1024)
#define SECOND UINT64_C(1000000)

static struct {
        char name[16];
        sd_bus_message_handler_t answer;
        void *userdata;
} question; /* the last one */
static unsigned n_questions, n_known, n_overfull;
static uint32_t number; /* what the next answer says */
static int says = 1;

int __wrap_sd_bus_get_unique_name(sd_bus *bus, const char **ret);
int __wrap_sd_bus_get_unique_name(sd_bus *bus, const char **ret) {
        *ret = OWN;
        return 0;
}

int __wrap_bus_stats_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t answer,
                         void *userdata, sd_bus_slot **ret);
int __wrap_bus_stats_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t answer,
                         void *userdata, sd_bus_slot **ret) {
        put_text(question.name, sizeof(question.name), name);
        question.answer = answer;
        question.userdata = userdata;
        /* Not a slot: only that it is there counts. */
        *ret = (sd_bus_slot *)&question;
        n_questions++;
        return 0;
}

int __wrap_bus_stats_read(sd_bus_message *answer, const char *key, uint32_t *ret);
int __wrap_bus_stats_read(sd_bus_message *answer, const char *key, uint32_t *ret) {
        if (says > 0)
                *ret = number;
        return says;
}

static void on_known(void *userdata) {
        n_known++;
}

static void on_overfull(void *userdata) {
        n_overfull++;
}

static const UnreadEvents events = {.known = on_known, .overfull = on_overfull};

static void answer(const char *name, uint32_t value) {
        assert_string_equal(question.name, name);
        number = value;
        assert_int_equal(question.answer(NULL, question.userdata, NULL), 1);
}

/* Calls of nobody in particular until we are asked about. */
static void answer_about_us(UnreadTable *table, uint32_t value) {
        unsigned before = n_questions;

        for (unsigned i = 0; n_questions == before || strcmp(question.name, OWN) != 0; i++) {
                assert_true(i < 64);
                (void)unread_may_pass(table, ":1.999", SECOND);
        }
        answer(OWN, value);
}

static int setup(void **state) {
        UnreadTable *table;

        says = 1;
        n_questions = n_known = n_overfull = 0;
        assert_int_equal(unread_table_new(NULL, &events, NULL, &table), 0);
        *state = table;
        return 0;
}

static int teardown(void **state) {
        unread_table_free(*state);
        return 0;
}

static void test_nobody_is_asked_about(void **state) {
        UnreadTable *table = *state;

        for (unsigned i = 0; i < 16; i++)
                assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
        assert_int_equal(n_questions, 1);
        /* Until the answer is there, no other question. */
        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
        answer(OWN, MUCH / 2);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
        assert_int_equal(n_questions, 2);
        /* A bus that does not say it. */
        says = -EOPNOTSUPP;
        answer(OWN, TOO_MUCH);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
        assert_int_equal(n_overfull, 0);
}

static void test_careful(void **state) {
        UnreadTable *table = *state;

        answer_about_us(table, MUCH);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 0);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 0);
        answer(":1.1", 64 * 1024);
        assert_int_equal(n_known, 1);
        /* Once. */
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 0);
        answer(":1.1", 64 * 1024 + 1);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND + SECOND / 2 - 1), -EBUSY);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND + SECOND / 2), 0);
        answer(":1.1", 0);
        assert_int_equal(unread_may_pass(table, ":1.1", 2 * SECOND), 1);
        /* A caller who has left is forgotten, and the others that wait are told. */
        assert_int_equal(unread_may_pass(table, ":1.2", SECOND), 0);
        n_known = 0;
        unread_gone(table, ":1.2");
        unread_gone(table, ":1.3");
        assert_int_equal(n_known, 1);
        answer_about_us(table, MUCH / 2);
        assert_int_equal(unread_may_pass(table, ":1.1", SECOND), 1);
}

static void test_many_names(void **state) {
        UnreadTable *table = *state;
        char name[16];

        answer_about_us(table, MUCH);
        for (unsigned i = 0; i < 2000; i++) {
                snprintf(name, sizeof(name), ":2.%u", i);
                assert_int_equal(unread_may_pass(table, name, SECOND), 0);
        }
        assert_int_equal(unread_may_pass(table, ":2.1999", SECOND), 0);
        assert_true(n_known > 0);
}

static void test_overfull(void **state) {
        UnreadTable *table = *state;

        answer_about_us(table, TOO_MUCH);
        answer_about_us(table, TOO_MUCH);
        assert_int_equal(n_overfull, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_nobody_is_asked_about, setup, teardown),
                cmocka_unit_test_setup_teardown(test_careful, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
                cmocka_unit_test_setup_teardown(test_overfull, setup, teardown),
        };

        return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
