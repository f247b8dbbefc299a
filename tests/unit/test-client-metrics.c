/* SPDX-License-Identifier: GPL-2.0-or-later */

/* OpenMetrics text of a reply: escapes, what is left out, and its form. */

#include "client/metrics.h"

#include <sys/socket.h>

#include "test.h"

/* sd-bus makes messages only for a connection that was begun; nobody is at its other end. */
static sd_bus *begun_bus(int fds[static 2]) {
        sd_bus *bus;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
                         0);
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        return bus;
}

/* What is printed of a message with these types and values; the caller frees. NULL: it is refused,
 * and nothing was printed. */
static char *printed(const char *types, ...) {
        sd_bus_message *m;
        char *text = NULL;
        size_t size;
        sd_bus *bus;
        int fds[2], r;
        FILE *out;
        va_list ap;

        bus = begun_bus(fds);
        assert_true(sd_bus_message_new_signal(bus, &m, "/a", "a.b", "C") >= 0);
        va_start(ap, types);
        assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
        va_end(ap);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        out = open_memstream(&text, &size);
        assert_non_null(out);
        r = metrics_print(m, out);
        assert_int_equal(fclose(out), 0);
        if (r < 0) {
                assert_int_equal(size, 0);
                free(text);
                text = NULL;
        }
        sd_bus_message_unref(m);
        sd_bus_close(bus);
        sd_bus_unref(bus);
        (void)close(fds[1]);
        return text;
}

static void test_form(_unused_ void **state) {
        char *text = printed("ta(sa{ss}t)", UINT64_C(1700000000000042), 3, "leases", 2, "network",
                             "lab", "kind", "tap", UINT64_C(2), "rx_bytes", 1, "network", "lab",
                             UINT64_MAX, "refused", 0, UINT64_C(5));

        assert_non_null(text);
        assert_non_null(strstr(text, "\nrawnet_leases{network=\"lab\",kind=\"tap\"} 2\n"));
        assert_non_null(strstr(text, "# TYPE rawnet_received_bytes counter\n"
                                     "# UNIT rawnet_received_bytes bytes\n"
                                     "# HELP rawnet_received_bytes "));
        assert_non_null(
                strstr(text, "\nrawnet_received_bytes_total{network=\"lab\"} 18446744073709551615\n"
                             "rawnet_received_bytes_created{network=\"lab\"} 1700000000.000042\n"));
        assert_non_null(strstr(text, "\nrawnet_requests_refused_total 5\n"));
        assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
        free(text);
}

/* No value begins a line, a label or a sample of its own. */
static void test_hostile(_unused_ void **state) {
        char *text = printed("ta(sa{ss}t)", UINT64_C(0), 3, "leases", 2, "network",
                             "a\"} 1\nrawnet_leases{x=\"\\", "b\"=\"", "label", UINT64_C(2),
                             "evil\n", 0, UINT64_C(7), "evil", 1, "network", "lab", UINT64_C(8));

        assert_non_null(text);
        assert_non_null(strstr(
                text, "\nrawnet_leases{network=\"a\\\"} 1\\nrawnet_leases{x=\\\"\\\\\"} 2\n"));
        assert_null(strstr(text, "evil"));
        assert_null(strstr(text, "label"));
        free(text);
}

static void test_other_types(_unused_ void **state) {
        assert_null(printed("s", "metrics"));
        assert_null(printed("tas", UINT64_C(1), 1, "leases"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_hostile),
                cmocka_unit_test(test_other_types),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
