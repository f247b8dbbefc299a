/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Standard input, output and error that the caller has closed, in every combination, each in a
 * process of its own. */

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "common/streams.h"
#include "test.h"

/* The child's exit status: what went wrong first. */
enum {
        GOOD,
        NOT_ENSURED,
        CHANGED,
        NOT_NULL,
        NOT_INHERITED,
        WRITABLE,
        NUMBER_TAKEN
};

static bool is_null(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int check(unsigned closed) {
        int pipes[2];

        /* What was open stays what it was: a pipe's ends tell. */
        if (pipe(pipes) < 0)
                return NOT_ENSURED;
        for (int fd = 0; fd <= 2; fd++)
                if (closed & 1u << fd)
                        close(fd);
                else if (dup2(pipes[fd > 0], fd) < 0)
                        return NOT_ENSURED;
        if (streams_ensure() < 0)
                return NOT_ENSURED;
        for (int fd = 0; fd <= 2; fd++) {
                if (is_null(fd) != !!(closed & 1u << fd))
                        return closed & 1u << fd ? NOT_NULL : CHANGED;
                if (fcntl(fd, F_GETFD) != 0)
                        return NOT_INHERITED;
        }
        if ((closed & 2) && (write(1, "x", 1) >= 0 || errno != EBADF))
                return WRITABLE;
        return open("/dev/null", O_RDONLY) > 2 ? GOOD : NUMBER_TAKEN;
}

static void test_closed(_unused_ void **state) {
        for (unsigned closed = 0; closed < 8; closed++) {
                pid_t child = fork();
                int status;

                assert_true(child >= 0);
                if (child == 0)
                        _exit(check(closed));
                assert_int_equal(waitpid(child, &status, 0), child);
                assert_true(WIFEXITED(status));
                if (WEXITSTATUS(status) != GOOD)
                        fail_msg("with %#x closed: %d", closed, WEXITSTATUS(status));
        }
}

/* No number is left for it. */
static void test_no_room(_unused_ void **state) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
                const struct rlimit none = {0, 0};

                close(0);
                _exit(setrlimit(RLIMIT_NOFILE, &none) == 0 && streams_ensure() == -EMFILE ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_closed),
                cmocka_unit_test(test_no_room),
        };

        return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
