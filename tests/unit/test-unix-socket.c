/* SPDX-License-Identifier: GPL-2.0-or-later */

/* UNIX sockets in the file system: paths, modes, users. */

#include <sys/socket.h>
#include <sys/stat.h>

#include "common/unix-socket.h"
#include "test.h"

static void test_paths(_unused_ void **state) {
        struct sockaddr_un address;
        Refusal refusal = {};
        char path[200];

        assert_refused(unix_address("", &address, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "empty");
        memset(path, 'x', sizeof(path));
        path[108] = '\0';
        assert_refused(unix_address(path, &address, &refusal), RAWNET_INVALID_ARGS, &refusal, path,
                       "108 bytes", "at most 107 bytes", "shorter path");
        path[107] = '\0';
        assert_int_equal(unix_address(path, &address, NULL), 0);
        assert_string_equal(address.sun_path, path);
}

/* The umask is the caller's: it neither adds to the mode nor takes from it, and is the same
 * afterwards. */
static void test_modes(_unused_ void **state) {
        static const mode_t masks[] = {0, 022, 077, 0777}, modes[] = {0600, 0660, 0666};
        mode_t old = umask(0);
        TempDir dir;
        char path[96];

        temp_dir_make(&dir);
        snprintf(path, sizeof(path), "%s/socket", dir.path);
        for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
                for (size_t k = 0; k < ARRAY_SIZE(modes); k++) {
                        struct sockaddr_un address;
                        Refusal refusal = {};
                        struct stat st;
                        uid_t user = 0;
                        int fd = -1, client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

                        umask(masks[i]);
                        assert_int_equal(unix_address(path, &address, NULL), 0);
                        assert_int_equal(unix_listen(&address, modes[k], 1, &fd, NULL), 0);
                        assert_int_equal(umask(0), masks[i]);
                        assert_int_equal(stat(path, &st), 0);
                        assert_int_equal(st.st_mode, S_IFSOCK | modes[k]);
                        assert_int_equal(
                                connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
                        assert_int_equal(unix_peer_user(client, &user), 0);
                        assert_int_equal(user, geteuid());
                        /* Something is there already. */
                        assert_refused(unix_listen(&address, 0600, 1, &(int){-1}, &refusal),
                                       RAWNET_KERNEL_REFUSED, &refusal, "cannot listen on", path);
                        close(client);
                        close(fd);
                        unlink(path);
                }
        umask(old);
        assert_int_equal(unix_peer_user(-1, &(uid_t){0}), -EBADF);
        temp_dir_remove(&dir);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_modes),
        };

        return cmocka_run_group_tests_name("unix-socket", tests, NULL, NULL);
}
