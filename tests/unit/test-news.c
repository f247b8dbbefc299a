/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What rawnetd hears of a lease whose end and whose close are reported in either order. */

#include "helper/daemon/news.h"
#include "test.h"

#define ID (RAWNET_ID_FIRST + 5)

static struct {
        IpcReply list[8];
        size_t n;
} published;

void __wrap_connections_publish(Connections *connections, const IpcReply *reply);
void __wrap_connections_publish(_unused_ Connections *connections, const IpcReply *reply) {
        assert_true(published.n < ARRAY_SIZE(published.list));
        published.list[published.n++] = *reply;
}

static Report report_of(ReportType type, bool gone) {
        Report report = {.type = type, .lease = {.id = ID, .mtu = 1500, .queues = 1}};

        report.lease.gone = gone;
        return report;
}

static void expect_ends(IpcEndReason first, IpcEndReason second) {
        assert_int_equal(published.n, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(published.list[i].type, IPC_ENDED);
                assert_int_equal(published.list[i].lease.id, ID);
        }
        assert_int_equal(published.list[0].reason, first);
        assert_int_equal(published.list[1].reason, second);
        published.n = 0;
}

static void begin(const News *news) {
        const Report opened = report_of(REPORT_LEASE, false);

        published.n = 0;
        assert_int_equal(news_lease(news, &opened, true), 0);
        assert_int_equal(published.n, 0);
}

static void test_closed(_unused_ void **state) {
        const Report closed = report_of(REPORT_CLOSED, true);
        Registry registry = {};
        const News news = {.registry = &registry};

        begin(&news);
        assert_int_equal(news_changed(&news, &closed), 0);
        assert_false(news_ended(&news, ID, true));
        expect_ends(IPC_END_CLOSED, IPC_END_NAMESPACE);
        registry_free(&registry);
}

/* A veth lease's namespace may end before the worker of the close has reported. */
static void test_late_report(_unused_ void **state) {
        const Report closed = report_of(REPORT_CLOSED, true);
        Registry registry = {};
        const News news = {.registry = &registry};

        begin(&news);
        assert_false(news_ended(&news, ID, true));
        expect_ends(IPC_END_CLOSED, IPC_END_NAMESPACE);
        assert_int_equal(news_changed(&news, &closed), 0);
        assert_int_equal(registry.n_entries, 0);
        assert_int_equal(published.n, 0);
        registry_free(&registry);
}

static void test_not_closed(_unused_ void **state) {
        Registry registry = {};
        const News news = {.registry = &registry};

        begin(&news);
        assert_false(news_ended(&news, ID, false));
        assert_int_equal(published.n, 1);
        assert_int_equal(published.list[0].reason, IPC_END_LAST_FD);
        assert_false(news_ended(&news, ID, false));
        assert_int_equal(published.n, 1);
        registry_free(&registry);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_closed),
                cmocka_unit_test(test_late_report),
                cmocka_unit_test(test_not_closed),
        };

        return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
