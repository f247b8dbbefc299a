/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <sys/stat.h>

#include "common/log.h"
#include "fault.h"
#include "test.h"

/* stderr goes into a pipe while the test runs; its text is taken out by captured(). */
typedef struct Capture {
        int saved, read_end;
        char text[8192];
} Capture;

static int setup(void **state) {
        Capture *c = calloc(1, sizeof(*c));
        int p[2];

        assert_non_null(c);
        assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
        c->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        assert_int_equal(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
        close(p[1]);
        c->read_end = p[0];
        unsetenv("JOURNAL_STREAM");
        unsetenv("RAWNET_DEBUG");
        log_open("test");
        *state = c;
        return 0;
}

static int teardown(void **state) {
        Capture *c = *state;

        dup2(c->saved, STDERR_FILENO);
        close(c->saved);
        close(c->read_end);
        free(c);
        return 0;
}

static const char *captured(Capture *c) {
        ssize_t n = read(c->read_end, c->text, sizeof(c->text) - 1);

        c->text[n > 0 ? n : 0] = '\0';
        return c->text;
}

static void test_plain(void **state) {
        Capture *c = *state;

        log_error("one %d", 1);
        log_warning("two");
        log_notice("three");
        log_info("four");
        log_debug("not seen");
        assert_string_equal(captured(c), "test: one 1\ntest: two\ntest: three\ntest: four\n");
        setenv("RAWNET_DEBUG", "1", 1);
        log_open("other");
        log_debug("seen");
        assert_string_equal(captured(c), "other: seen\n");
}

static void test_errno_kept(void **state) {
        Capture *c = *state;

        errno = E2BIG;
        log_error("x");
        assert_int_equal(errno, E2BIG);
        log_event(&(LogEvent){.level = LOG_ERR, .uid = -1}, "x");
        assert_int_equal(errno, E2BIG);
        captured(c);
}

/* Nobody writes a line of his own into the log. */
static void test_injection(void **state) {
        Capture *c = *state;

        log_error("network %s", "x\nrawnetd: all is well\x1b[2J\xff");
        assert_string_equal(captured(c), "test: network x?rawnetd: all is well?[2J?\n");
}

static void test_long(void **state) {
        Capture *c = *state;
        char text[5000];

        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = '\0';
        log_error("%s", text);
        assert_int_equal(strlen(captured(c)), 6 + 4999 + 1);
}

static void test_journal_stream(void **state) {
        Capture *c = *state;
        char stream[64];
        struct stat st;

        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_open("test");
        log_error("one");
        log_info("two");
        assert_string_equal(captured(c), "<3>one\n<6>two\n");
        /* Somebody else's stream. */
        snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
        setenv("JOURNAL_STREAM", stream, 1);
        log_open("test");
        log_error("three");
        assert_string_equal(captured(c), "test: three\n");
        setenv("JOURNAL_STREAM", "nonsense", 1);
        log_open("test");
        log_error("four");
        assert_string_equal(captured(c), "test: four\n");
}

static void test_event(void **state) {
        Capture *c = *state;
        LogEvent event = {.level = LOG_NOTICE,
                          .message_id = "0123456789abcdef0123456789abcdef",
                          .network = "lab",
                          .vlan = "100",
                          .parent = "eth1",
                          .kind = "tap",
                          .name = "web",
                          .mac = "52:54:00:00:00:01",
                          .error = "org.rawnet1.Error.NetworkBusy",
                          .reason = "revoked",
                          .source = "52:54:00:00:00:02",
                          .lease = 0x10000,
                          .since = 1,
                          .uid = 1000,
                          .closer = "0"};

        log_event(&event, "lease %x opened", event.lease);
        assert_string_equal(captured(c), "test: lease 10000 opened\n");
}

/* Out of memory a message is shorter, never lost. */
static void test_faults(void **state) {
        LogEvent event = {.level = LOG_NOTICE, .network = "lab", .uid = -1};
        Capture *c = *state;
        bool fired = true;

        fault_arm(1, ENOMEM);
        log_error("a message");
        assert_true(fault_disarm());
        assert_string_equal(captured(c), "test: a message\n");
        for (unsigned n = 1; fired; n++) {
                fault_arm(n, ENOMEM);
                log_event(&event, "a message");
                fired = fault_disarm();
                assert_string_equal(captured(c), "test: a message\n");
        }
}

#define with_capture(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_capture(test_plain),          with_capture(test_errno_kept),
                with_capture(test_injection),      with_capture(test_long),
                with_capture(test_journal_stream), with_capture(test_event),
                with_capture(test_faults),
        };

        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
