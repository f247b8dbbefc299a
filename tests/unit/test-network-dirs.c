/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "common/network-file.h"
#include "fault.h"
#include "test.h"

#define GOOD "[Network]\nParent=eth0\nVLAN=100\n"
#define NAME_32 "abcdefghijklmnopqrstuvwxyz012345"

/* The clock that the code under test sees. now: CLOCK_REALTIME in µs; 0: the real one and ten
 * seconds, so that what a test has just written is an old file. A nap takes no time but its own,
 * and calls on_nap. */
static uint64_t now, naps;
static void (*on_nap)(void);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        int r = __real_clock_gettime(id, ret);

        if (id == CLOCK_MONOTONIC)
                *ret = (struct timespec){.tv_sec = (time_t)(naps / 1000000),
                                         .tv_nsec = (long)(naps % 1000000) * 1000};
        else if (now == 0)
                ret->tv_sec += 10;
        else
                *ret = (struct timespec){.tv_sec = (time_t)(now / 1000000),
                                         .tv_nsec = (long)(now % 1000000) * 1000};
        return r;
}

int __wrap_nanosleep(const struct timespec *request, struct timespec *ret_left);
int __wrap_nanosleep(const struct timespec *request, _unused_ struct timespec *ret_left) {
        assert_true(request->tv_sec > 0 || request->tv_nsec >= 10000000); /* no busy loop */
        naps += (uint64_t)request->tv_sec * 1000000 + (uint64_t)request->tv_nsec / 1000;
        if (on_nap)
                on_nap();
        return 0;
}

/* A search path of two directories, and an empty one for links to point into. */
typedef struct Fixture {
        TempDir first, second, other;
        const char *dirs[4];
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        temp_dir_make(&f->first);
        temp_dir_make(&f->second);
        temp_dir_make(&f->other);
        f->dirs[0] = f->first.path;
        f->dirs[1] = "/nonexistent/rawnet";
        f->dirs[2] = f->second.path;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        temp_dir_remove(&f->first);
        temp_dir_remove(&f->second);
        temp_dir_remove(&f->other);
        free(f);
        now = naps = 0;
        on_nap = NULL;
        return 0;
}

static void put(const TempDir *dir, const char *name, const char *text) {
        temp_dir_write(dir, name, text, strlen(text));
}

static char *path_in(const TempDir *dir, const char *name, char buffer[static 128]) {
        assert_true(snprintf(buffer, 128, "%s/%s", dir->path, name) < 128);
        return buffer;
}

static void link_to(const TempDir *dir, const char *name, const char *target) {
        char path[128];

        assert_int_equal(symlink(target, path_in(dir, name, path)), 0);
}

static int load(const Fixture *f, const char *name, Network *ret, Refusal *ret_refusal) {
        return network_file_load_at(f->dirs, getuid(), name, ret, ret_refusal);
}

/* Loads a network that must be good and gives back its MTU, by which files are told apart. */
static unsigned loaded_mtu(const Fixture *f, const char *name) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Network network;
        int r;

        r = load(f, name, &network, &refusal);
        if (r != 0)
                print_error("%d %s\n", r, refusal.text);
        assert_int_equal(r, 0);
        assert_string_equal(refusal.text, "untouched");
        assert_string_equal(network.name, name);
        return network.mtu;
}

/* Must be refused as a bad file, with name and path told and nothing else touched. */
static void check_bad(const Fixture *f, uid_t owner, const char *name, const TempDir *dir,
                      const char *word) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        char file[64], path[128];
        Network network = {.mtu = 77, .description = "before"};
        unsigned fds = count_fds();
        int r;

        snprintf(file, sizeof(file), "%s.conf", name);
        path_in(dir, file, path);
        r = network_file_load_at(f->dirs, owner, name, &network, &refusal);
        assert_refused(r, RAWNET_BAD_NETWORK_FILE, &refusal, "network ", name, path, word);
        assert_string_equal(network.name, name);
        assert_string_equal(network.path, path);
        assert_int_equal(network.mtu, 77);
        assert_string_equal(network.description, "before");
        assert_int_equal(count_fds(), fds);
}

static void check_none(const Fixture *f, const char *name, const char *word) {
        Network network = {.mtu = 77, .name = "before"};
        Refusal refusal = REFUSAL_UNTOUCHED;
        unsigned fds = count_fds();
        int r;

        r = load(f, name, &network, &refusal);
        assert_refused(r, RAWNET_NO_SUCH_NETWORK, &refusal, "network ", word);
        assert_string_equal(network.name, "before");
        assert_int_equal(network.mtu, 77);
        assert_int_equal(count_fds(), fds);
}

static void check_being_written(const Fixture *f, const char *name) {
        Network network = {.mtu = 77, .name = "before"};
        Refusal refusal = REFUSAL_UNTOUCHED;
        unsigned fds = count_fds();

        assert_refused(load(f, name, &network, &refusal), RAWNET_NETWORK_BUSY, &refusal, "network ",
                       name, ".conf is being written");
        assert_string_equal(network.name, "before");
        assert_int_equal(network.mtu, 77);
        assert_int_equal(count_fds(), fds);
}

/* When the file was changed last, as the kernel has it, in µs. */
static uint64_t changed(const TempDir *dir, const char *name) {
        char path[128];
        struct stat st;

        assert_int_equal(stat(path_in(dir, name, path), &st), 0);
        return (uint64_t)st.st_ctim.tv_sec * 1000000 + (uint64_t)st.st_ctim.tv_nsec / 1000;
}

static void test_just_written(void **state) {
        Fixture *f = *state;
        uint64_t time;

        put(&f->first, "lab.conf", GOOD "MTU=1000\n");
        time = changed(&f->first, "lab.conf");
        now = time + 99999;
        check_being_written(f, "lab");
        now = time + 100000;
        assert_int_equal(loaded_mtu(f, "lab"), 1000);
        /* A mistake is not reported before the file is finished. */
        put(&f->first, "lab.conf", GOOD "MTU=1\n");
        time = now = changed(&f->first, "lab.conf");
        check_being_written(f, "lab");
        now = time + 100000;
        check_bad(f, getuid(), "lab", &f->first, ".conf:4: MTU=1 ");
        /* The clock was set back since: nothing is waited for. */
        put(&f->first, "lab.conf", GOOD "MTU=1000");
        now = changed(&f->first, "lab.conf") - 1;
        assert_int_equal(loaded_mtu(f, "lab"), 1000);
}

/* VLAN=10 of VLAN=100: valid, and another network. */
static void test_cut_off(void **state) {
        Fixture *f = *state;
        uint64_t time;

        put(&f->first, "lab.conf", "[Network]\nParent=eth0\nVLAN=10");
        time = changed(&f->first, "lab.conf");
        now = time + 999999;
        check_being_written(f, "lab");
        /* An editor that writes no last newline. */
        now = time + 1000000;
        assert_int_equal(loaded_mtu(f, "lab"), 0);
        /* Emptied, to be written: it masks nothing, and no older file appears. */
        put(&f->second, "lab.conf", GOOD);
        put(&f->first, "lab.conf", "");
        time = changed(&f->first, "lab.conf");
        now = time + 999999;
        check_being_written(f, "lab");
        now = time + 1000000;
        check_none(f, "lab", "disables (masks)");
}

/* Whoever may not write network files cannot keep the daemons waiting by writing one. */
static void test_untrusted_is_not_waited_for(void **state) {
        Fixture *f = *state;
        char path[128];

        put(&f->first, "lab.conf", GOOD);
        assert_int_equal(chmod(path_in(&f->first, "lab.conf", path), 0666), 0);
        now = changed(&f->first, "lab.conf");
        check_bad(f, getuid(), "lab", &f->first, "others may write to it");
        put(&f->first, "lab.conf", "");
        assert_int_equal(chmod(path, 0666), 0);
        now = changed(&f->first, "lab.conf");
        check_none(f, "lab", "disables (masks)");
}

static char changing[128];

static void grow(void) {
        int fd = open(changing, O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, "\n", 1), 1);
        assert_int_equal(close(fd), 0);
}

static void touch(void) {
        const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};

        assert_int_equal(utimensat(AT_FDCWD, changing, times, 0), 0);
}

static void test_changed_while_read(void **state) {
        void (*const changes[])(void) = {grow, touch};
        Fixture *f = *state;

        path_in(&f->first, "lab.conf", changing);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                put(&f->first, "lab.conf", GOOD "MTU=1000\n");
                /* After the first look at it, before the reading. */
                fault_before("malloc", changes[i]);
                check_being_written(f, "lab");
                assert_int_equal(loaded_mtu(f, "lab"), 1000);
        }
}

static void finish(void) {
        if (naps > 500000 && now != 0) {
                assert_int_equal(unlink(changing), 0);
                assert_int_equal(symlink("real", changing), 0);
                now = 0;
        }
}

static void test_wait(void **state) {
        Fixture *f = *state;
        Refusal refusal = REFUSAL_UNTOUCHED;
        Network network = {.mtu = 77};

        /* Finished meanwhile. */
        path_in(&f->first, "lab.conf", changing);
        put(&f->first, "real", GOOD "MTU=1000\n");
        put(&f->first, "lab.conf", "[Network]\nParent=eth0\nVLAN=10");
        now = changed(&f->first, "lab.conf");
        on_nap = finish;
        assert_int_equal(network_file_load_wait_at(f->dirs, getuid(), "lab", &network, &refusal),
                         0);
        assert_string_equal(refusal.text, "untouched");
        assert_int_equal(network.mtu, 1000);
        assert_int_equal(network.vlan_first, 100);
        /* Never. */
        on_nap = NULL;
        naps = 0;
        now = changed(&f->first, "lab.conf");
        assert_refused(network_file_load_wait_at(f->dirs, getuid(), "lab", &network, &refusal),
                       RAWNET_NETWORK_BUSY, &refusal, "lab.conf is being written");
        assert_true(naps >= NETWORK_FILE_PATIENCE_USEC && naps < 2 * NETWORK_FILE_PATIENCE_USEC);
        /* Nothing to wait for. */
        naps = 0;
        assert_int_equal(network_file_load_wait_at(f->dirs, getuid(), "nolab", &network, &refusal),
                         RAWNET_NO_SUCH_NETWORK);
        assert_int_equal(naps, 0);
}

static void test_first_wins(void **state) {
        Fixture *f = *state;

        put(&f->second, "lab.conf", GOOD "MTU=2000\n");
        assert_int_equal(loaded_mtu(f, "lab"), 2000);
        put(&f->first, "lab.conf", GOOD "MTU=1000\n");
        assert_int_equal(loaded_mtu(f, "lab"), 1000);
        /* Also when it is bad: an older file behind it must not come back to life. */
        put(&f->first, "lab.conf", GOOD "MTU=1\n");
        check_bad(f, getuid(), "lab", &f->first, ".conf:4: MTU=1 ");
        put(&f->second, NAME_32 ".conf", GOOD "MTU=3000\n");
        assert_int_equal(loaded_mtu(f, NAME_32), 3000);
}

static void test_none(void **state) {
        static const char *const names[] = {
                "",        ".",        "..",        "../lab", "/etc/passwd", "lab/",
                "lab.100", "lab.conf", NAME_32 "6", "l b",    "\xff",        "lab\n"};
        Fixture *f = *state;

        check_none(f, "lab", "no such network");
        check_none(f, "lab", f->first.path);
        /* Nothing but a name gets into a path. */
        put(&f->other, "lab.conf", GOOD);
        put(&f->first, NAME_32 "6.conf", GOOD);
        put(&f->first, "lab.100.conf", GOOD);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                check_none(f, names[i], "no such network");
}

static void test_suffix_forgotten(void **state) {
        Fixture *f = *state;
        char path[128];

        put(&f->second, "lab", GOOD);
        check_none(f, "lab", path_in(&f->second, "lab", path));
        check_none(f, "lab", "renames it to lab.conf");
        assert_int_equal(mkdir(path_in(&f->first, "dir", path), 0755), 0);
        check_none(f, "dir", "no such network");
        put(&f->first, "lab.conf", GOOD "MTU=1000\n");
        assert_int_equal(loaded_mtu(f, "lab"), 1000);
}

static void test_masks(void **state) {
        Fixture *f = *state;
        char path[128];

        put(&f->second, "a.conf", GOOD);
        put(&f->first, "a.conf", "");
        check_none(f, "a", path_in(&f->first, "a.conf", path));
        put(&f->second, "b.conf", GOOD);
        link_to(&f->first, "b.conf", "/dev/null");
        check_none(f, "b", path_in(&f->first, "b.conf", path));
        check_none(f, "b", "disables (masks)");
        /* By way of another link, and an empty file in the last directory. */
        link_to(&f->other, "null", "/dev/null");
        link_to(&f->first, "c.conf", path_in(&f->other, "null", path));
        check_none(f, "c", "disables (masks)");
        put(&f->second, "d.conf", "");
        check_none(f, "d", "disables (masks)");
        /* One line's end is not nothing. */
        put(&f->first, "e.conf", "\n");
        check_bad(f, getuid(), "e", &f->first, "no [Network]");
}

static void test_links(void **state) {
        Fixture *f = *state;
        char path[128];

        put(&f->other, "real", GOOD "MTU=4000\n");
        link_to(&f->first, "a.conf", path_in(&f->other, "real", path));
        assert_int_equal(loaded_mtu(f, "a"), 4000);
        assert_int_equal(chmod(path, 0664), 0);
        check_bad(f, getuid(), "a", &f->first, "others may write to it");
        /* A link that leads nowhere hides files of later directories, and the refusal says so. */
        put(&f->second, "b.conf", GOOD);
        link_to(&f->first, "b.conf", "/nonexistent/file");
        check_bad(f, getuid(), "b", &f->first, "cannot be opened");
        link_to(&f->first, "c.conf", "c.conf");
        check_bad(f, getuid(), "c", &f->first, "cannot be opened");
        link_to(&f->first, "d.conf", "/dev/zero");
        check_bad(f, getuid(), "d", &f->first, "not a regular file");
}

static void test_owner_and_mode(void **state) {
        static const struct {
                mode_t mode;
                bool good;
        } modes[] = {{0644, true},  {0600, true},  {0444, true},  {0755, true}, {0664, false},
                     {0646, false}, {0666, false}, {0620, false}, {0602, false}};
        Fixture *f = *state;
        char path[128];

        put(&f->first, "lab.conf", GOOD "MTU=1000\n");
        path_in(&f->first, "lab.conf", path);
        for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
                assert_int_equal(chmod(path, modes[i].mode), 0);
                if (modes[i].good)
                        assert_int_equal(loaded_mtu(f, "lab"), 1000);
                else
                        check_bad(f, getuid(), "lab", &f->first, "others may write to it");
        }
        assert_int_equal(chmod(path, 0644), 0);
        check_bad(f, getuid() + 1, "lab", &f->first, "it belongs to user ");
}

static void test_not_a_file(void **state) {
        _cleanup_close_ int s = -1;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        Fixture *f = *state;
        char path[128];

        assert_int_equal(mkdir(path_in(&f->first, "dir.conf", path), 0755), 0);
        check_bad(f, getuid(), "dir", &f->first, "not a regular file");
        /* No writer will ever come: this must not wait for one. */
        assert_int_equal(mkfifo(path_in(&f->first, "fifo.conf", path), 0644), 0);
        check_bad(f, getuid(), "fifo", &f->first, "not a regular file");
        s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        path_in(&f->first, "sock.conf", path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof(address)), 0);
        check_bad(f, getuid(), "sock", &f->first, "cannot be opened");
}

static void test_too_large(void **state) {
        _cleanup_free_ char *text = malloc(1 << 20);
        Fixture *f = *state;

        assert_non_null(text);
        memset(text, '\n', 1 << 20);
        memcpy(text, GOOD "MTU=1000\n", strlen(GOOD "MTU=1000\n"));
        temp_dir_write(&f->first, "lab.conf", text, NETWORK_FILE_SIZE_MAX);
        assert_int_equal(loaded_mtu(f, "lab"), 1000);
        temp_dir_write(&f->first, "lab.conf", text, NETWORK_FILE_SIZE_MAX + 1);
        check_bad(f, getuid(), "lab", &f->first, "larger than 65536 bytes");
        temp_dir_write(&f->first, "lab.conf", text, 1 << 20);
        check_bad(f, getuid(), "lab", &f->first, "larger than 65536 bytes");
}

static void test_long_path(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        const char *dirs[2] = {0};
        char dir[200];
        Network network;

        memset(dir, 'd', sizeof(dir));
        dir[0] = '/';
        dir[sizeof(dir) - 1] = '\0';
        dirs[0] = dir;
        assert_int_equal(network_file_load_at(dirs, 0, "lab", &network, &refusal), -ENAMETOOLONG);
        assert_string_equal(refusal.text, "untouched");
}

static void check_list(const Fixture *f, const char *expected) {
        unsigned fds = count_fds();
        char joined[512] = "";
        char **names;
        size_t count, used = 0;

        assert_int_equal(network_file_list_at(f->dirs, &names, &count), 0);
        for (size_t i = 0; i < count; i++) {
                used += (size_t)snprintf(joined + used, sizeof(joined) - used, "%s ", names[i]);
                assert_true(used < sizeof(joined));
        }
        network_names_free(names, count);
        assert_string_equal(joined, expected);
        assert_int_equal(count_fds(), fds);
}

static void test_list(void **state) {
        Fixture *f = *state;

        check_list(f, "");
        put(&f->second, "b.conf", GOOD);
        put(&f->second, "masked.conf", GOOD);
        put(&f->second, "z-masked.conf", GOOD);
        put(&f->second, "unmasked.conf", "");
        put(&f->first, "masked.conf", "");
        link_to(&f->first, "z-masked.conf", "/dev/null");
        put(&f->first, "unmasked.conf", GOOD);
        put(&f->first, "b.conf", GOOD);
        put(&f->first, "a.conf", "nonsense");
        put(&f->first, NAME_32 ".conf", GOOD);
        link_to(&f->first, "dangling.conf", "/nonexistent");
        /* Left out: names that cannot be, other files. */
        put(&f->first, NAME_32 "6.conf", GOOD);
        put(&f->first, "x y.conf", GOOD);
        put(&f->first, "lab.100.conf", GOOD);
        put(&f->first, ".conf", GOOD);
        put(&f->first, "\xff.conf", GOOD);
        put(&f->first, "README", GOOD);
        put(&f->first, "c.conf~", GOOD);
        put(&f->first, "conf", GOOD);
        check_list(f, "a " NAME_32 " b dangling unmasked ");
}

static void test_list_many(void **state) {
        Fixture *f = *state;
        char **names;
        size_t count;

        for (int i = 999; i >= 0; i--) {
                char name[16];

                snprintf(name, sizeof(name), "n%03d.conf", i);
                put(i % 2 ? &f->first : &f->second, name, i % 3 ? GOOD : "");
        }
        assert_int_equal(network_file_list_at(f->dirs, &names, &count), 0);
        assert_int_equal(count, 666);
        for (size_t i = 1; i < count; i++)
                assert_true(strcmp(names[i - 1], names[i]) < 0);
        network_names_free(names, count);
}

/* Fatal trouble or a bad file, each n-th call failing once with each of these; outputs untouched,
 * nothing left open. */
static const int errors[] = {EIO, EACCES, EMFILE, ENFILE, ENOMEM, EINTR, ELOOP, EPERM};

static void test_load_faults(void **state) {
        Fixture *f = *state;

        put(&f->second, "lab.conf", GOOD "MTU=1000\n");
        for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                unsigned n = 0, fds = count_fds();
                bool fired = true;

                while (fired) {
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        Network network = {.mtu = 77, .name = "before"};
                        int r;

                        fault_arm(++n, errors[e]);
                        r = load(f, "lab", &network, &refusal);
                        fired = fault_disarm();
                        assert_int_equal(count_fds(), fds);
                        if (r == 0) {
                                assert_true(!fired || errors[e] == EINTR);
                                assert_int_equal(network.mtu, 1000);
                                continue;
                        }
                        assert_true(fired);
                        assert_int_equal(network.mtu, 77);
                        if (r < 0)
                                assert_string_equal(network.name, "before");
                        if (r < 0)
                                assert_string_equal(refusal.text, "untouched");
                        else
                                assert_refused(r, RAWNET_BAD_NETWORK_FILE, &refusal,
                                               "network lab: ", "cannot be opened");
                }
                /* open, open, open, fstat, malloc, read, read: more than a few were there to fail
                 */
                assert_true(n > 5);
        }
}

/* Not readable for the daemon's user is the administrator's mistake, told with what to do. */
static void test_no_permission(void **state) {
        Fixture *f = *state;
        Refusal refusal = REFUSAL_UNTOUCHED;
        Network network;
        int r;

        put(&f->first, "lab.conf", GOOD);
        fault_arm(1, EACCES);
        r = load(f, "lab", &network, &refusal);
        assert_true(fault_disarm());
        assert_refused(r, RAWNET_BAD_NETWORK_FILE, &refusal, "Permission denied", "chmod 644");
}

static void test_list_faults(void **state) {
        Fixture *f = *state;

        put(&f->first, "a.conf", GOOD);
        put(&f->first, "b.conf", "");
        put(&f->second, "b.conf", GOOD);
        put(&f->second, "c.conf", GOOD);
        link_to(&f->second, "d.conf", "/nonexistent");
        put(&f->second, "x y.conf", GOOD);
        for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                unsigned n = 0, fds = count_fds();
                bool fired = true;

                while (fired) {
                        char *untouched = NULL, **names = &untouched;
                        size_t count = 77;
                        int r;

                        fault_arm(++n, errors[e]);
                        r = network_file_list_at(f->dirs, &names, &count);
                        fired = fault_disarm();
                        assert_int_equal(count_fds(), fds);
                        if (r == 0) {
                                /* A file that cannot be opened is listed: its error is for load to
                                 * tell. */
                                assert_true(count == 3 || (fired && count == 4) ||
                                            (fired && count == 2));
                                network_names_free(names, count);
                                continue;
                        }
                        assert_true(r < 0 && fired);
                        assert_ptr_equal(names, &untouched);
                        assert_int_equal(count, 77);
                }
                assert_true(n > 10);
        }
}

/* The real search path: whatever this machine has there, it is read and nothing is left open. */
static void test_real_path(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        unsigned fds = count_fds();
        Network network;
        char **names;
        size_t count;

        assert_int_equal(network_file_list(&names, &count), 0);
        network_names_free(names, count);
        assert_refused(network_file_load("no-such-network-here", &network, &refusal),
                       RAWNET_NO_SUCH_NETWORK, &refusal,
                       "/etc/rawnet/networks/no-such-network-here.conf");
        assert_int_equal(count_fds(), fds);
}

#define with_dirs(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_dirs(test_first_wins),
                with_dirs(test_none),
                with_dirs(test_suffix_forgotten),
                with_dirs(test_masks),
                with_dirs(test_links),
                with_dirs(test_owner_and_mode),
                with_dirs(test_not_a_file),
                with_dirs(test_too_large),
                cmocka_unit_test(test_long_path),
                with_dirs(test_list),
                with_dirs(test_list_many),
                with_dirs(test_load_faults),
                with_dirs(test_no_permission),
                with_dirs(test_list_faults),
                cmocka_unit_test(test_real_path),
                with_dirs(test_just_written),
                with_dirs(test_cut_off),
                with_dirs(test_untrusted_is_not_waited_for),
                with_dirs(test_changed_while_read),
                with_dirs(test_wait),
        };

        return cmocka_run_group_tests_name("network-dirs", tests, NULL, NULL);
}
