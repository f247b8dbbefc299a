/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which of the guard's entries the daemon removes: those of leases that have ended, and no other. */

#include "helper/daemon/entries.h"
#include "test.h"

static struct {
        uint32_t ids[8]; /* of the entries */
        bool inactive;   /* they are only counters */
        size_t n;
        unsigned removals;
        int fails;
} map;

static bool has(uint32_t id) {
        for (size_t i = 0; i < map.n; i++)
                if (map.ids[i] == id)
                        return true;
        return false;
}

bool __wrap_guard_program_active(const GuardProgram *program, uint32_t id);
bool __wrap_guard_program_active(_unused_ const GuardProgram *program, uint32_t id) {
        return !map.inactive && has(id);
}

int __wrap_guard_program_next(const GuardProgram *program, uint32_t *id);
int __wrap_guard_program_next(_unused_ const GuardProgram *program, uint32_t *id) {
        size_t i = 0;

        while (*id != 0 && i < map.n && map.ids[i++] != *id)
                ;
        if (map.fails < 0)
                return map.fails;
        if (i == map.n)
                return 0;
        *id = map.ids[i];
        return 1;
}

int __wrap_guard_program_remove(const GuardProgram *program, uint32_t id);
int __wrap_guard_program_remove(_unused_ const GuardProgram *program, uint32_t id) {
        map.removals++;
        for (size_t i = 0; i < map.n; i++)
                if (map.ids[i] == id)
                        map.ids[i] = map.ids[--map.n];
        return 0;
}

static void fill(const uint32_t *ids, size_t n) {
        memset(&map, 0, sizeof(map));
        memcpy(map.ids, ids, n * sizeof(*ids));
        map.n = n;
}

static void put(Registry *registry, uint32_t id) {
        const IpcLease lease = {.id = id, .kind = KIND_TAP};

        assert_int_equal(registry_put(registry, &lease, 0, 0), 1);
}

#define A (RAWNET_ID_FIRST + 5)
#define B (RAWNET_ID_FIRST + 70)
#define LAST RAWNET_ID_MAX

static void test_ended(_unused_ void **state) {
        static const uint32_t ids[] = {A, B, LAST};
        Registry registry = {};
        GuardProgram program = {};
        Entries entries = {.program = &program, .registry = &registry};

        fill(ids, ARRAY_SIZE(ids));
        entries_clean(&entries);
        assert_int_equal(map.removals, 0);
        entries_ended(&entries, A);
        entries_ended(&entries, LAST);
        entries_clean(&entries);
        assert_true(!has(A) && has(B) && !has(LAST));
        entries_clean(&entries);
        assert_int_equal(map.removals, 2);
        /* An open has taken the id again before the removal was due. */
        entries_ended(&entries, B);
        put(&registry, B);
        entries_clean(&entries);
        assert_true(has(B));
        /* Of an earlier version's lease, or what a rehearsal uses. */
        entries_ended(&entries, 0x12345);
        entries_ended(&entries, RAWNET_ID_REHEARSAL);
        entries_clean(&entries);
        assert_int_equal(map.removals, 2);
        registry_free(&registry);
}

static void test_scanned(_unused_ void **state) {
        static const uint32_t ids[] = {RAWNET_ID_REHEARSAL, A, B, LAST};
        Registry registry = {};
        GuardProgram program = {};
        Entries entries = {.program = &program, .registry = &registry};

        fill(ids, ARRAY_SIZE(ids));
        put(&registry, B);
        /* There may be a lease that the scan did not see. */
        entries_scanned(&entries);
        entries_clean(&entries);
        assert_int_equal(map.removals, 0);
        registry.whole = true;
        entries_scanned(&entries);
        entries_clean(&entries);
        assert_true(!has(A) && has(B) && !has(LAST) && has(RAWNET_ID_REHEARSAL));
        assert_int_equal(map.removals, 2);
        /* A lease that learned no address has no active entry, but may have counters. */
        fill(ids, ARRAY_SIZE(ids));
        map.inactive = true;
        map.fails = -ENOMEM;
        entries_scanned(&entries);
        entries_clean(&entries);
        assert_int_equal(map.removals, 0);
        map.fails = 0;
        entries_scanned(&entries);
        entries_clean(&entries);
        assert_true(!has(A) && has(B) && !has(LAST) && has(RAWNET_ID_REHEARSAL));
        registry_free(&registry);
}

static void test_no_guard(_unused_ void **state) {
        static const uint32_t ids[] = {A};
        Registry registry = {.whole = true};
        GuardProgram program = {.missing = "no eBPF"};
        Entries entries = {.program = &program, .registry = &registry};

        fill(ids, ARRAY_SIZE(ids));
        entries_ended(&entries, A);
        entries_scanned(&entries);
        entries_clean(&entries);
        assert_int_equal(map.removals, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ended),
                cmocka_unit_test(test_scanned),
                cmocka_unit_test(test_no_guard),
        };

        return cmocka_run_group_tests_name("entries", tests, NULL, NULL);
}
