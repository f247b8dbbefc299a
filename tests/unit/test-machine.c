/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fault.h"
#include "service/machine.h"
#include "test.h"

typedef struct Fixture {
        char directory[64];
        char file[96];
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        put_text(f->directory, sizeof(f->directory), "/tmp/rawnet-key-XXXXXX");
        assert_non_null(mkdtemp(f->directory));
        snprintf(f->file, sizeof(f->file), "%s/mac-key", f->directory);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void)unlink(f->file);
        assert_int_equal(rmdir(f->directory), 0); /* nothing else is left there */
        free(f);
        return 0;
}

static void write_file(const Fixture *f, const void *data, size_t size, mode_t mode) {
        int fd;

        (void)unlink(f->file);
        fd = open(f->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

static MachineKey key_of(const Fixture *f) {
        MachineKey key = {};
        Refusal refusal = {};

        assert_int_equal(machine_key_load_at(f->directory, &key, &refusal), 0);
        assert_true(key.known);
        return key;
}

static void test_made_once(void **state) {
        const Fixture *f = *state;
        MachineKey first = key_of(f), second = key_of(f), other;
        struct stat status;

        assert_memory_equal(&first, &second, sizeof(first));
        assert_int_equal(stat(f->file, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        assert_int_equal(unlink(f->file), 0);
        other = key_of(f);
        assert_memory_not_equal(first.bytes, other.bytes, sizeof(first.bytes));
}

static void test_bad_files(void **state) {
        const Fixture *f = *state;
        const uint8_t bytes[MAC_KEY_SIZE + 1] = {1};
        MachineKey key = {};
        Refusal refusal = {};

        for (size_t size = 0; size <= sizeof(bytes); size++) {
                write_file(f, bytes, size, 0600);
                if (size == MAC_KEY_SIZE)
                        (void)key_of(f);
                else
                        assert_refused(machine_key_load_at(f->directory, &key, &refusal),
                                       RAWNET_NOT_SUPPORTED, &refusal, f->file, "16 bytes");
        }
        write_file(f, bytes, MAC_KEY_SIZE, 0640);
        assert_refused(machine_key_load_at(f->directory, &key, &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, f->file);
        assert_int_equal(unlink(f->file), 0);
        assert_int_equal(symlink("/etc/hostname", f->file), 0);
        assert_refused(machine_key_load_at(f->directory, &key, &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, f->file);
        assert_refused(machine_key_load_at("/nonexistent", &key, &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, "/nonexistent");
        assert_false(key.known);
}

/* Whatever fails: no key, and no half of one that the next start would take. */
static void test_faults(void **state) {
        const Fixture *f = *state;
        bool fired = true;

        for (unsigned n = 1; fired; n++) {
                MachineKey key = {};
                Refusal refusal = {};
                int r;

                (void)unlink(f->file);
                fault_arm(n, EIO);
                r = machine_key_load_at(f->directory, &key, &refusal);
                fired = fault_disarm();
                assert_int_equal(r, fired ? RAWNET_NOT_SUPPORTED : 0);
                assert_int_equal(key.known, !fired);
                (void)key_of(f);
        }
}

static void test_derive(void **state) {
        const Fixture *f = *state;
        MacPrefix prefix = {.octet = {0x52, 0x54, 0x00}, .length = 3};
        MachineKey key = key_of(f), none = {};
        MacAddress mac = {}, again, other;

        assert_false(machine_mac_derive(&none, &prefix, 1000, "lab", "vm1", &mac));
        assert_true(mac_is_zero(&mac));
        assert_int_equal(machine_mac(&none, &prefix, 1000, "lab", "vm1", &mac), 0);
        assert_false(mac_is_reserved(&mac, &prefix));
        assert_true(machine_mac_derive(&key, &prefix, 1000, "lab", "vm1", &mac));
        assert_int_equal(machine_mac(&key, &prefix, 1000, "lab", "vm1", &again), 0);
        assert_true(mac_equal(&mac, &again));
        assert_true(mac_is_reserved(&mac, &prefix));
        assert_true(machine_mac_derive(&key, &prefix, 1001, "lab", "vm1", &other));
        assert_false(mac_equal(&mac, &other));
}

#define with_directory(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                with_directory(test_made_once),
                with_directory(test_bad_files),
                with_directory(test_faults),
                with_directory(test_derive),
        };

        return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
