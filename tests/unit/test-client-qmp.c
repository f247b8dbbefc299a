/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * QEMU's control socket, with a child that plays QEMU: it says its whole part at once, in pieces that fall as they like.
 */

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "client/qmp.h"
#include "fault.h"
#include "test.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
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

static void begin(Play *p, const char *script, size_t piece) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        temp_dir_make(&p->dir);
        snprintf(p->path, sizeof(p->path), "%s/qmp", p->dir.path);
        put_text(address.sun_path, sizeof(address.sun_path), p->path);
        assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
        assert_return_code(listen(listener, 1), errno);
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
        /* The events of others, an answer to somebody else, a device that was gone before device_del's answer. */
        static const char script[] =
                READY "{\"event\": \"RESUME\"}\r\n{\"return\": {}, \"id\": 77}\r\n{\"return\": {}, \"id\": 2}\r\n"
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
                assert_int_equal(qmp_connect(p.path, &qmp, &refusal), 0);
                assert_int_equal(qmp_execute(qmp, "getfd", arguments(), STDOUT_FILENO, &refusal), 0);
                assert_string_equal(refusal.text, "untouched");
                assert_string_equal(qmp_error_class(qmp), "");
                assert_refused(qmp_execute(qmp, "device_add", arguments(), -1, &refusal), RAWNET_KERNEL_REFUSED,
                               &refusal, p.path, "device_add", "no ?[31mcolour");
                assert_string_equal(qmp_error_class(qmp), "DeviceNotFound");
                qmp_watch_device(qmp, "n0");
                assert_int_equal(qmp_execute(qmp, "device_del", arguments(), -1, &refusal), 0);
                assert_string_equal(qmp_error_class(qmp), "");
                assert_int_equal(qmp_wait_deleted(qmp, 0, &refusal), 0);
                assert_refused(qmp_execute(qmp, "netdev_del", arguments(), -1, &refusal),
                               RAWNET_HELPER_UNAVAILABLE, &refusal, p.path, "closed the connection");
                qmp_close(qmp);
                end(&p);
        }
        assert_int_equal(count_fds(), before);
}

static void test_not_gone(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Qmp *qmp = NULL;
        Play p;

        begin(&p, READY, 1000);
        assert_int_equal(qmp_connect(p.path, &qmp, &refusal), 0);
        qmp_watch_device(qmp, "n0");
        assert_refused(qmp_wait_deleted(qmp, 0, &refusal), RAWNET_NETWORK_BUSY, &refusal, "n0", "try again");
        qmp_close(qmp);
        end(&p);
}

static void test_no_qemu(_unused_ void **state) {
        static const char *const scripts[] = {"", "HTTP/1.1 400 Bad Request\r\n", "{}\r\n", "[]\r\n", "null\r\n", "{\"QMP\"\r\n",
                                              "{\"QMP\": {}}", GREETING "\r\n", GREETING "{\"id\": 1}\r\n",
                                              GREETING "{\"error\": 5, \"id\": 1}\r\n", GREETING "{\"error\": {}, \"id\": 1}\r\n"};
        unsigned before = count_fds();

        for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Qmp *qmp = NULL;
                Play p;

                begin(&p, scripts[i], 5);
                assert_true(qmp_connect(p.path, &qmp, &refusal) > 0);
                assert_non_null(strstr(refusal.text, p.path));
                assert_null(qmp);
                end(&p);
        }
        assert_int_equal(count_fds(), before);
}

static void test_no_socket(_unused_ void **state) {
        char path[200];
        Refusal refusal = REFUSAL_UNTOUCHED;
        Qmp *qmp = NULL;

        assert_refused(qmp_connect("/nonexistent/qmp", &qmp, &refusal), RAWNET_HELPER_UNAVAILABLE, &refusal,
                       "/nonexistent/qmp", "-qmp unix:");
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_refused(qmp_connect(path, &qmp, &refusal), RAWNET_INVALID_ARGS, &refusal, "unix(7)");
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
                        r = qmp_connect(p.path, &qmp, &refusal);
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
                assert_int_equal(n - 1, 4); /* the connection's memory and socket, room for an answer, the first command */
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_answers),
                cmocka_unit_test(test_not_gone),
                cmocka_unit_test(test_no_qemu),
                cmocka_unit_test(test_no_socket),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("client-qmp", tests, NULL, NULL);
}
