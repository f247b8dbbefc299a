/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/stat.h>

#include "common/namespace-fd.h"
#include "test.h"

#define USER 1000u

/* What the kernel answers, where a test does not ask it itself. A descriptor is a copy of user_fd. */
static struct {
        bool fake;
        int type;         /* NS_GET_NSTYPE */
        int user_errno;   /* NS_GET_USERNS, 0: user_fd */
        int parent_errno; /* NS_GET_PARENT, 0: user_fd */
        int owner_errno;  /* NS_GET_OWNER_UID, 0: owner */
        uid_t owner;
        int user_fd;
        int statx_errno;
} kernel;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument) {
        int errnum = request == NS_GET_USERNS   ? kernel.user_errno
                     : request == NS_GET_PARENT ? kernel.parent_errno
                                                : kernel.owner_errno;

        if (!kernel.fake)
                return __real_ioctl(fd, request, argument);
        if (request == NS_GET_NSTYPE)
                return kernel.type;
        if (errnum != 0) {
                errno = errnum;
                return -1;
        }
        if (request != NS_GET_OWNER_UID)
                return fcntl(kernel.user_fd, F_DUPFD_CLOEXEC, 3);
        *(uid_t *)argument = kernel.owner;
        return 0;
}

int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *ret) {
        /* Nobody but the kernel is asked. */
        assert_true(flags & AT_STATX_DONT_SYNC);
        if (kernel.statx_errno == 0)
                return __real_statx(fd, path, flags, mask, ret);
        errno = kernel.statx_errno;
        return -1;
}

static int open_namespace(const char *name) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

/* A user namespace of USER's, which "mnt" stands for here: it is not this process's "user". */
static int setup(_unused_ void **state) {
        kernel = (__typeof__(kernel)){.fake = true,
                                      .type = CLONE_NEWNET,
                                      .owner = USER,
                                      .user_fd = open_namespace("mnt")};
        return 0;
}

static int teardown(_unused_ void **state) {
        kernel.user_fd = safe_close(kernel.user_fd);
        return 0;
}

/* A descriptor of this process's own network namespace is a good one for the fake kernel. */
static int check(uint32_t uid, Refusal *ret) {
        _cleanup_close_ int fd = open_namespace("net");
        const unsigned before = count_fds();
        int r;

        *ret = (Refusal){};
        r = namespace_fd_check(fd, uid, "lab", ret);
        assert_int_equal(count_fds(), before);
        return r;
}

static void test_owner(_unused_ void **state) {
        Refusal refusal;

        assert_int_equal(check(USER, &refusal), 0);
        assert_refused(check(1001, &refusal), RAWNET_ACCESS_DENIED, &refusal,
                       "network lab: ", "belongs to user 1000", "you are user 1001");
        assert_refused(check(0, &refusal), RAWNET_ACCESS_DENIED, &refusal, "you are user 0");
        kernel.owner = 0;
        assert_int_equal(check(0, &refusal), 0);
        assert_refused(check(USER, &refusal), RAWNET_ACCESS_DENIED, &refusal, "belongs to user 0");
}

/* Whoever asks, and whoever owns it. */
static void test_initial(_unused_ void **state) {
        const uint32_t users[] = {0, USER, 65534};
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
                kernel.owner = users[i];
                kernel.parent_errno = EPERM;
                assert_refused(check(users[i], &refusal), RAWNET_ACCESS_DENIED, &refusal,
                               "the host's own user namespace", "not even root");
                kernel.parent_errno = 0;
                kernel.user_errno = EPERM;
                assert_refused(check(users[i], &refusal), RAWNET_ACCESS_DENIED, &refusal,
                               "the host's own user namespace");
                kernel.user_errno = 0;
        }
        /* This process's own, whatever is above it. */
        safe_close(kernel.user_fd);
        kernel.user_fd = open_namespace("user");
        assert_refused(check(65534, &refusal), RAWNET_ACCESS_DENIED, &refusal,
                       "the host's own user namespace");
}

/* The real kernel: this very namespace is the host's, or a container's own. */
static void test_own(_unused_ void **state) {
        Refusal refusal;

        kernel.fake = false;
        assert_refused(check((uint32_t)getuid(), &refusal), RAWNET_ACCESS_DENIED, &refusal,
                       "the host's own user namespace");
}

static void test_no_namespace(_unused_ void **state) {
        static const char *const others[] = {"user", "mnt", "pid", "ipc", "uts"};
        _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        Refusal refusal;
        int pair[2];

        kernel.fake = false;
        assert_refused(namespace_fd_check(null, USER, "lab", &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "not that of a network namespace", "/proc/PID/ns/net");
        assert_int_equal(namespace_fd_check(-1, USER, "lab", &refusal), RAWNET_INVALID_ARGS);
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        assert_int_equal(namespace_fd_check(pair[0], USER, "lab", &refusal), RAWNET_INVALID_ARGS);
        close(pair[0]);
        close(pair[1]);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                _cleanup_close_ int fd = open_namespace(others[i]);

                assert_int_equal(namespace_fd_check(fd, USER, "lab", &refusal),
                                 RAWNET_INVALID_ARGS);
        }
        /* A file of another file system is not asked anything, whatever it would answer. */
        kernel.fake = true;
        assert_int_equal(namespace_fd_check(null, USER, "lab", &refusal), RAWNET_INVALID_ARGS);
        kernel.type = CLONE_NEWUSER;
        assert_int_equal(check(USER, &refusal), RAWNET_INVALID_ARGS);
        kernel.type = -1;
        assert_int_equal(check(USER, &refusal), RAWNET_INVALID_ARGS);
}

/* A kernel that does not answer is no yes. */
static void test_errors(_unused_ void **state) {
        Refusal refusal;

        kernel.statx_errno = EIO;
        assert_int_equal(check(USER, &refusal), RAWNET_INVALID_ARGS);
        kernel.statx_errno = 0;
        kernel.user_errno = EMFILE;
        assert_int_equal(check(USER, &refusal), -EMFILE);
        kernel.user_errno = 0;
        kernel.parent_errno = EMFILE;
        assert_int_equal(check(USER, &refusal), -EMFILE);
        kernel.parent_errno = 0;
        kernel.owner_errno = EINVAL;
        assert_int_equal(check(USER, &refusal), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
                cmocka_unit_test_setup_teardown(test_initial, setup, teardown),
                cmocka_unit_test_setup_teardown(test_own, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_namespace, setup, teardown),
                cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
