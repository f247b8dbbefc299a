/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * QEMU's control socket, with a child that plays QEMU: it says its whole part at once, in pieces
 * that fall as they like.
 */

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "client/qmp.h"
#include "fault.h"
#include "test.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define PATIENCE 60000u /* ms, on a busy machine; nothing waits for it */
#define READY GREETING "{\"return\": {}, \"id\": 1}\r\n"

typedef struct Play {
        TempDir dir;
        char path[sizeof(((TempDir *)NULL)->path) + 8];
        pid_t pid;
} Play;

static _Noreturn void play(int listener, const char *script, size_t piece) {
        int fd = accept(listener, NULL, NULL);
        size_t size = strlen(script);
        char ignored[4096];

        for (size_t at = 0; fd >= 0 && at < size; at += piece)
                if (send(fd, script + at, MIN_OF(piece, size - at), MSG_NOSIGNAL) < 0)
                        _exit(1);
        (void)shutdown(fd, SHUT_WR);
        while (fd >= 0 && recv(fd, ignored, sizeof(ignored), 0) > 0)
                ;
        _exit(0);
}

static int begin_listening(Play *p) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        temp_dir_make(&p->dir);
        snprintf(p->path, sizeof(p->path), "%s/qmp", p->dir.path);
        put_text(address.sun_path, sizeof(address.sun_path), p->path);
        assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(listener, 1), errno);
        return listener;
}

static void begin(Play *p, const char *script, size_t piece) {
        _cleanup_close_ int listener = begin_listening(p);

        p->pid = fork();
        assert_return_code(p->pid, errno);
        if (p->pid == 0)
                play(listener, script, piece);
}

static void end(Play *p) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
        temp_dir_remove(&p->dir);
}

static json_object *arguments(void) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "id", json_object_new_string("n0"));
        return object;
}

static void test_answers(_unused_ void **state) {
        /* The events of others, an answer to somebody else, a device that was gone before
         * device_del's answer. */
        static const char script[] = READY
                "{\"event\": \"RESUME\"}\r\n{\"return\": {}, \"id\": 77}\r\n{\"return\": {}, \"id\": 2}\r\n"
                "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no \\u001b[31mcolour\"}, \"id\": 3}\r\n"
                "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"n1\", \"path\": \"/\"}}\r\n"
                "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/\"}}\r\n"
                "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"n0\", \"path\": \"/\"}}\r\n"
                "{\"return\": {}, \"id\": 4}\r\n";
        static const size_t pieces[] = {1, 7, 1000, sizeof(script)};
        unsigned before = count_fds();

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Qmp *qmp = NULL;
                Play p;

                begin(&p, script, pieces[i]);
                assert_int_equal(qmp_connect(p.path, PATIENCE, &qmp, &refusal), 0);
                assert_int_equal(qmp_execute(qmp, "getfd", arguments(), STDOUT_FILENO, &refusal),
                                 0);
                assert_string_equal(refusal.text, "untouched");
                assert_string_equal(qmp_error_class(qmp), "");
                assert_refused(qmp_execute(qmp, "device_add", arguments(), -1, &refusal),
                               RAWNET_KERNEL_REFUSED, &refusal, p.path, "device_add",
                               "no ?[31mcolour");
                assert_string_equal(qmp_error_class(qmp), "DeviceNotFound");
                qmp_watch_device(qmp, "n0");
                assert_int_equal(qmp_execute(qmp, "device_del", arguments(), -1, &refusal), 0);
                assert_string_equal(qmp_error_class(qmp), "");
                assert_int_equal(qmp_wait_deleted(qmp, 0, &refusal), 0);
                assert_refused(qmp_execute(qmp, "netdev_del", arguments(), -1, &refusal),
                               RAWNET_HELPER_UNAVAILABLE, &refusal, p.path,
                               "closed the connection");
                qmp_close(qmp);
                end(&p);
        }
        assert_int_equal(count_fds(), before);
}

/* What -qmp-pretty says: a message on many lines, its end wherever a piece ends. */
static void test_pretty(_unused_ void **state) {
        static const char script[] =
                "{\r\n    \"QMP\": {\r\n        \"version\": \"}\\\"{\"\r\n    }\r\n}\r\n"
                "{\r\n    \"return\": {\r\n    },\r\n    \"id\": 1\r\n}{\"event\": \"A\"}\r\n"
                "{\r\n    \"error\": {\r\n        \"class\": \"X\",\r\n"
                "        \"desc\": \"no\"\r\n    },\r\n    \"id\": 2\r\n}\r\n";

        for (size_t piece = 1; piece < sizeof(script); piece++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Qmp *qmp = NULL;
                Play p;

                begin(&p, script, piece);
                assert_int_equal(qmp_connect(p.path, PATIENCE, &qmp, &refusal), 0);
                assert_refused(qmp_execute(qmp, "getfd", arguments(), -1, &refusal),
                               RAWNET_KERNEL_REFUSED, &refusal, "no");
                assert_string_equal(qmp_error_class(qmp), "X");
                qmp_close(qmp);
                end(&p);
        }
}

/* A message that never ends. */
static void test_too_long(_unused_ void **state) {
        static const char head[] = GREETING "{\"return\": \"";
        size_t size = 3 * 1024 * 1024;
        Refusal refusal = REFUSAL_UNTOUCHED;
        char *script = malloc(size + 1);
        Qmp *qmp = NULL;
        Play p;

        assert_non_null(script);
        memset(script, 'x', size);
        script[size] = '\0';
        memcpy(script, head, sizeof(head) - 1);
        begin(&p, script, size);
        assert_refused(qmp_connect(p.path, PATIENCE, &qmp, &refusal), RAWNET_HELPER_UNAVAILABLE,
                       &refusal, "does not speak QMP");
        end(&p);
        free(script);
}

static void test_not_gone(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Qmp *qmp = NULL;
        Play p;

        begin(&p, READY, 1000);
        assert_int_equal(qmp_connect(p.path, PATIENCE, &qmp, &refusal), 0);
        qmp_watch_device(qmp, "n0");
        assert_refused(qmp_wait_deleted(qmp, 0, &refusal), RAWNET_NETWORK_BUSY, &refusal, "n0",
                       "try again");
        qmp_close(qmp);
        end(&p);
}

static void test_no_qemu(_unused_ void **state) {
        static const char *const scripts[] = {"",
                                              "HTTP/1.1 400 Bad Request\r\n",
                                              "{}\r\n",
                                              "[]\r\n",
                                              "null\r\n",
                                              "{\"QMP\"\r\n",
                                              "{\"QMP\": {}}",
                                              GREETING "\r\n",
                                              GREETING "{\"id\": 1}\r\n",
                                              GREETING "{\"error\": 5, \"id\": 1}\r\n",
                                              GREETING "{\"error\": {}, \"id\": 1}\r\n"};
        unsigned before = count_fds();

        for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Qmp *qmp = NULL;
                Play p;

                begin(&p, scripts[i], 5);
                assert_true(qmp_connect(p.path, PATIENCE, &qmp, &refusal) > 0);
                assert_non_null(strstr(refusal.text, p.path));
                assert_null(qmp);
                end(&p);
        }
        assert_int_equal(count_fds(), before);
}

/* A server that never says what is awaited, and never hangs up. script: first; endless: said again
 * and again. */
static void begin_useless(Play *p, int listener, const char *script, const char *endless) {
        char ignored[4096];
        int fd;

        p->pid = fork();
        assert_return_code(p->pid, errno);
        if (p->pid > 0)
                return;
        fd = accept(listener, NULL, NULL);
        if (fd >= 0 && *script && send(fd, script, strlen(script), MSG_NOSIGNAL) < 0)
                _exit(1);
        while (fd >= 0 && *endless && send(fd, endless, strlen(endless), MSG_NOSIGNAL) > 0)
                ;
        while (fd >= 0 && recv(fd, ignored, sizeof(ignored), 0) > 0)
                ;
        _exit(0);
}

/* One deadline for everything that is awaited; then the undoing of what was begun does not wait
 * either. */
static void test_useless_server(_unused_ void **state) {
        static const struct {
                const char *script, *endless, *asked_for;
        } cases[] = {
                {"", "", "a greeting"},
                {GREETING, "", "qmp_capabilities"},
                {READY, "", "getfd"},
                {READY, "{\"event\": \"RTC_CHANGE\"}\r\n", "getfd"},
                {READY, "{\"return\": {}, \"id\": 77}\r\n", "getfd"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Qmp *qmp = NULL;
                Play p;
                int listener = begin_listening(&p), r;

                begin_useless(&p, listener, cases[i].script, cases[i].endless);
                close(listener);
                r = qmp_connect(p.path, 500, &qmp, &refusal);
                if (r == 0)
                        r = qmp_execute(qmp, "getfd", arguments(), STDOUT_FILENO, &refusal);
                assert_refused(r, RAWNET_HELPER_UNAVAILABLE, &refusal, p.path, "does not answer",
                               cases[i].asked_for);
                /* With a patience for each this would take a minute and more. */
                for (unsigned n = 0; qmp && n < 200; n++)
                        assert_int_equal(qmp_execute(qmp, "closefd", arguments(), -1, &refusal),
                                         RAWNET_HELPER_UNAVAILABLE);
                qmp_close(qmp);
                end(&p);
        }
}

/* One that does not even accept: connect() waits where the queue is full. */
static void test_full_queue(_unused_ void **state) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int others[64], listener;
        Refusal refusal = REFUSAL_UNTOUCHED;
        Qmp *qmp = NULL;
        size_t n = 0;
        Play p;

        listener = begin_listening(&p);
        put_text(address.sun_path, sizeof(address.sun_path), p.path);
        for (; n < ARRAY_SIZE(others); n++) {
                others[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (connect(others[n], (struct sockaddr *)&address, sizeof(address)) < 0)
                        break;
        }
        assert_true(n < ARRAY_SIZE(others));
        assert_refused(qmp_connect(p.path, 500, &qmp, &refusal), RAWNET_HELPER_UNAVAILABLE,
                       &refusal, p.path, "does not answer a connection");
        assert_null(qmp);
        for (size_t i = 0; i <= n; i++)
                close(others[i]);
        close(listener);
        temp_dir_remove(&p.dir);
}

static void test_no_socket(_unused_ void **state) {
        char path[200];
        Refusal refusal = REFUSAL_UNTOUCHED;
        Qmp *qmp = NULL;

        assert_refused(qmp_connect("/nonexistent/qmp", PATIENCE, &qmp, &refusal),
                       RAWNET_HELPER_UNAVAILABLE, &refusal, "/nonexistent/qmp", "-qmp unix:");
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_refused(qmp_connect(path, PATIENCE, &qmp, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "unix(7)");
        assert_null(qmp);
}

/* Each call on the way to a first answer fails once: told, and nothing left open. */
static void test_faults(_unused_ void **state) {
        static const int errors[] = {ENOMEM, EMFILE, EPIPE};
        unsigned before = count_fds();

        for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                bool fired = true;
                unsigned n = 0;

                while (fired) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        Qmp *qmp = NULL;
                        Play p;
                        int r;

                        begin(&p, READY, 1000);
                        fault_arm(++n, errors[e]);
                        r = qmp_connect(p.path, PATIENCE, &qmp, &refusal);
                        fired = fault_disarm();
                        if (!fired)
                                assert_int_equal(r, 0);
                        else if (r < 0)
                                assert_true(r == -errors[e] || r == -ENOMEM);
                        else
                                assert_refused(r, RAWNET_HELPER_UNAVAILABLE, &refusal, p.path);
                        assert_true(fired == !qmp);
                        qmp_close(qmp);
                        end(&p);
                        assert_int_equal(count_fds(), before);
                }
                assert_int_equal(n - 1,
                                 3); /* the connection's memory and socket, the first command */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),    cmocka_unit_test(test_pretty),
                cmocka_unit_test(test_too_long),   cmocka_unit_test(test_not_gone),
                cmocka_unit_test(test_no_qemu),    cmocka_unit_test(test_useless_server),
                cmocka_unit_test(test_full_queue), cmocka_unit_test(test_no_socket),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("client-qmp", tests, NULL, NULL);
}
