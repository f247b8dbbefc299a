/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rawnetd's counts by network: they never fall, and no lease is counted twice. */

#include "service/counts.h"
#include "test.h"

static IpcStatistics statistics(uint64_t rx_bytes, uint64_t spoofed) {
        IpcStatistics found = {};

        found.link[2] = rx_bytes; /* ipc_statistics_name() */
        found.drops[DROP_SPOOFED_SOURCE] = spoofed;
        return found;
}

static void read_and_expect(NetworkCounts *network, SeenCounters *seen, uint64_t rx_bytes,
                            uint64_t spoofed, uint64_t total_bytes, uint64_t total_spoofed) {
        const IpcStatistics now = statistics(rx_bytes, spoofed);

        counts_read(network, seen, &now);
        assert_true(seen->known);
        assert_int_equal(network->traffic[2], total_bytes);
        assert_int_equal(network->dropped[DROP_SPOOFED_SOURCE], total_spoofed);
}

static void test_growth(_unused_ void **state) {
        SeenCounters one = {.known = true}, two = {.known = true};
        NetworkCounts network = {};

        read_and_expect(&network, &one, 100, 1, 100, 1);
        read_and_expect(&network, &one, 100, 1, 100, 1);
        read_and_expect(&network, &two, 10, 0, 110, 1);
        read_and_expect(&network, &one, 150, 3, 160, 3);
}

/* rawnetd has found the lease: what it counted before belongs to no total of this one. */
static void test_found_at_start(_unused_ void **state) {
        NetworkCounts network = {};
        SeenCounters seen = {};

        read_and_expect(&network, &seen, 5000, 7, 0, 0);
        read_and_expect(&network, &seen, 5001, 9, 1, 2);
}

/* The guard of another layout begins at 0. */
static void test_fallen(_unused_ void **state) {
        SeenCounters seen = {.known = true};
        NetworkCounts network = {};

        read_and_expect(&network, &seen, 100, 5, 100, 5);
        read_and_expect(&network, &seen, 120, 2, 120, 7);
        read_and_expect(&network, &seen, 120, 3, 120, 8);
}

static void test_names(_unused_ void **state) {
        Counts counts = {};
        char name[8];

        counts_refused(&counts, "", RAWNET_INVALID_ARGS);
        for (unsigned i = 0; i < 100; i++) {
                snprintf(name, sizeof(name), "lab%u", i);
                assert_non_null(counts_of(&counts, name));
        }
        assert_int_equal(counts.n, 101);
        assert_string_equal(counts_of_full(&counts, "lab7.4094")->name, "lab7");
        assert_null(counts_of_full(&counts, "not a name"));
        counts_refused(&counts, "lab7", RAWNET_QUOTA_EXCEEDED);
        counts_ended(counts_of(&counts, "lab7"), "revoked");
        assert_int_equal(counts.n, 101);
        assert_int_equal(counts_of(&counts, "")->refused[RAWNET_INVALID_ARGS], 1);
        assert_int_equal(counts_of(&counts, "lab7")->refused[RAWNET_QUOTA_EXCEEDED], 1);
        assert_int_equal(counts_of(&counts, "lab7")->ended[COUNTED_REVOKED], 1);
        assert_int_equal(counts_of(&counts, "lab7")->ended[COUNTED_CLOSED], 0);
        counts_done(&counts);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_growth),
                cmocka_unit_test(test_found_at_start),
                cmocka_unit_test(test_fallen),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
