/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a helper that starts takes of the maps that systemd kept for the last one: all of them if
 * they are as its programs expect them, and else none. This file plays systemd.
 */

#include "helper/guard-program.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "guard-run.h"
#include "test.h"

#define ID (GUARD_PORT | 7u)
#define MAPS 4u
#define NAME_SIZE 64

static const GuardEntry entry = {.mac = {0x52, 0x54, 0, 1, 2, 3}, .longest = 1514};

/* The descriptor store of rawnet-helper.service. */
static struct {
        char names[8][NAME_SIZE];
        int fds[8];
        size_t n;
        unsigned removed;
} store;

int __wrap_sd_pid_notify_with_fds(pid_t pid, int unset, const char *state, const int *fds,
                                  unsigned n);
int __wrap_sd_pid_notify_with_fds(_unused_ pid_t pid, _unused_ int unset, const char *state,
                                  const int *fds, unsigned n) {
        char name[NAME_SIZE];
        int poll;

        assert_int_equal(n, 1);
        assert_true(store.n < ARRAY_SIZE(store.fds));
        assert_int_equal(sscanf(state, "FDSTORE=1\nFDNAME=%63[a-z0-9-]\nFDPOLL=%d", name, &poll),
                         2);
        assert_int_equal(poll, 0);
        put_text(store.names[store.n], NAME_SIZE, name);
        store.fds[store.n++] = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
        return 1;
}

_printf_(2, 3) int __wrap_sd_notifyf(int unset, const char *format, ...);
int __wrap_sd_notifyf(_unused_ int unset, const char *format, ...) {
        char state[128], name[NAME_SIZE];
        va_list ap;

        va_start(ap, format);
        vsnprintf(state, sizeof(state), format, ap);
        va_end(ap);
        assert_int_equal(sscanf(state, "FDSTOREREMOVE=1\nFDNAME=%63[a-z0-9-]", name), 1);
        for (size_t i = 0; i < store.n; i++) {
                if (strcmp(store.names[i], name) != 0)
                        continue;
                safe_close(store.fds[i]);
                store.n--;
                put_text(store.names[i], NAME_SIZE, store.names[store.n]);
                store.fds[i] = store.fds[store.n];
                store.removed++;
        }
        return 1;
}

/* Starts a helper, which gets what is in the store. */
static GuardProgram start(void) {
        GuardStored stored[ARRAY_SIZE(store.fds)] = {};
        char names[ARRAY_SIZE(store.fds)][NAME_SIZE];
        const size_t n = store.n;
        GuardProgram program;

        for (size_t i = 0; i < n; i++) {
                put_text(names[i], NAME_SIZE, store.names[i]);
                stored[i] = (GuardStored){names[i], fcntl(store.fds[i], F_DUPFD_CLOEXEC, 3)};
        }
        store.removed = 0;
        guard_program_load(&program, stored, n);
        assert_string_equal(program.missing, "");
        for (size_t i = 0; i < n; i++)
                assert_int_equal(fcntl(stored[i].fd, F_GETFD), -1);
        return program;
}

/* A helper ends; the programs of its leases live on. */
static void end(GuardProgram *program) {
        guard_program_forget(program);
        for (size_t i = 0; i < GUARD_HANDLES; i++)
                safe_close(program->fd[i]);
        safe_close(program->events_fd);
}

static void empty_store(void) {
        while (store.n > 0)
                safe_close(store.fds[--store.n]);
}

static uint32_t map_id(int fd) {
        struct bpf_map_info info = {};
        uint32_t size = sizeof(info);

        assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
        return info.id;
}

static void count(const GuardProgram *program, uint64_t spoofed) {
        const GuardCounters counters = {.frames = {[GUARD_SPOOFED_SOURCE] = spoofed}};
        const uint32_t id = ID;

        assert_int_equal(bpf_map_update_elem(program->fd[GUARD_COUNTERS], &id, &counters, BPF_ANY),
                         0);
}

static uint64_t counted(const GuardProgram *program) {
        uint64_t drops[GUARD_REASONS];

        assert_int_equal(guard_program_drops(program, ID, drops), 0);
        return drops[GUARD_SPOOFED_SOURCE];
}

/* The first helper, with one lease. */
static GuardProgram first(void) {
        GuardProgram program;

        empty_store();
        program = start();
        guard_program_set(&program, ID, &entry);
        count(&program, 5);
        return program;
}

static void test_first_start(_unused_ void **state) {
        GuardProgram program;

        program = first();
        assert_int_equal(store.n, MAPS);
        assert_int_equal(store.removed, 0);
        for (size_t i = 0; i < MAPS; i++)
                assert_true(map_id(store.fds[i]) > 0);
        assert_true(guard_program_active(&program, ID));
        end(&program);
}

static void test_restart(_unused_ void **state) {
        GuardProgram last, next;

        last = first();
        next = start();
        assert_int_equal(store.n, MAPS);
        assert_int_equal(store.removed, 0);
        assert_true(guard_program_active(&next, ID));
        assert_int_equal(counted(&next), 5);
        assert_int_equal(map_id(next.events_fd), map_id(last.events_fd));
        assert_int_equal(guard_program_remove(&next, ID), 0);
        assert_false(guard_program_active(&last, ID));
        end(&last);
        end(&next);
}

/* The next helper has maps of its own, stores them in place of the others, and neither reads nor
 * changes what the last one's leases use. */
static void check_fresh(GuardProgram *last) {
        const size_t before = store.n;
        const GuardEntry other = {.longest = 99};
        GuardProgram next = start();

        assert_int_equal(store.removed, before);
        assert_int_equal(store.n, MAPS);
        for (size_t i = 0; i < MAPS; i++)
                assert_memory_equal(store.names[i], "guard-", strlen("guard-"));
        assert_false(guard_program_active(&next, ID));
        assert_int_equal(counted(&next), 0);
        assert_int_not_equal(map_id(next.events_fd), map_id(last->events_fd));
        guard_program_set(&next, ID, &other);
        assert_int_equal(guard_program_remove(&next, ID), 0);
        assert_memory_equal(&last->entries[GUARD_NUMBER(ID)], &entry, sizeof(entry));
        assert_int_equal(counted(last), 5);
        end(&next);
        end(last);
        /* And one that follows finds them. */
        next = start();
        assert_int_equal(store.removed, 0);
        assert_int_equal(store.n, MAPS);
        end(&next);
}

/* GUARD_LAYOUT of the last helper was another: its maps may be of the same size. */
static void test_another_layout(_unused_ void **state) {
        for (unsigned layout = GUARD_LAYOUT - 1; layout <= GUARD_LAYOUT + 1; layout += 2) {
                GuardProgram last = first();

                for (size_t i = 0; i < store.n; i++) {
                        const char *kind = strrchr(store.names[i], '-');
                        char name[NAME_SIZE];

                        assert_non_null(kind);
                        snprintf(name, sizeof(name), "guard-%u%s", layout, kind);
                        put_text(store.names[i], NAME_SIZE, name);
                }
                check_fresh(&last);
        }
}

/* Together or not at all. */
static void test_one_is_missing(_unused_ void **state) {
        for (size_t i = 0; i < MAPS; i++) {
                GuardProgram last = first();

                safe_close(store.fds[i]);
                store.n--;
                put_text(store.names[i], NAME_SIZE, store.names[store.n]);
                store.fds[i] = store.fds[store.n];
                check_fresh(&last);
        }
}

/* The name is right, and what has it is another map, or none. */
static void test_one_is_another(_unused_ void **state) {
        for (size_t i = 0; i < 2 * MAPS; i++) {
                const size_t changed = i % MAPS;
                GuardProgram last = first();
                const int other =
                        i < MAPS ? fcntl(store.fds[(changed + 1) % MAPS], F_DUPFD_CLOEXEC, 3)
                                 : open("/dev/null", O_RDONLY | O_CLOEXEC);

                assert_true(other >= 0);
                safe_close(store.fds[changed]);
                store.fds[changed] = other;
                check_fresh(&last);
        }
}

static void test_descriptors_are_closed(_unused_ void **state) {
        GuardProgram program;
        unsigned before;

        program = first();
        end(&program);
        before = count_fds();
        program = start();
        end(&program);
        assert_int_equal(count_fds(), before);
}

/* The verifier allows more to those who have more. */
static int set_up(_unused_ void **state) {
        return guard_run_like_helper();
}

static int tear_down(_unused_ void **state) {
        empty_store();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_start),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_another_layout),
                cmocka_unit_test(test_one_is_missing),
                cmocka_unit_test(test_one_is_another),
                cmocka_unit_test(test_descriptors_are_closed),
        };

        if (!needs_root())
                return 0;
        return cmocka_run_group_tests_name("guard-load", tests, set_up, tear_down);
}
