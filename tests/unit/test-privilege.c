/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * With which capabilities the helper runs, and which it has left once the guard is loaded. Each case
 * is a process of its own, which only root can give its capabilities.
 */

#include "helper/privilege.h"

#include <cap-ng.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define USER 65534
#define BIT(capability) (UINT64_C(1) << (capability))
#define ADMIN BIT(CAP_NET_ADMIN)
#define START (ADMIN | BIT(CAP_BPF)) /* what rawnet-helper.service gives */

/* The five sets; all of one process. */
typedef struct Sets {
        uint64_t effective, permitted, inheritable, bounding, ambient;
} Sets;

#define ALL(set) ((Sets){set, set, set, set, set})
#define NOT_BOUNDING(set, bounding) ((Sets){set, set, set, bounding, set})

/* capng_apply() lies, and changes nothing. */
static bool keeps_all;

int __real_capng_apply(capng_select_t set);
int __wrap_capng_apply(capng_select_t set);
int __wrap_capng_apply(capng_select_t set) {
        return keeps_all ? 0 : __real_capng_apply(set);
}

static void put(capng_type_t type, uint64_t set) {
        for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
                if (set & BIT(c))
                        assert_int_equal(capng_update(CAPNG_ADD, type, c), 0);
}

/* As systemd does it: all but the user's id first, since root's capabilities go with the id. */
static void become(uid_t user, const Sets *sets) {
        assert_int_equal(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
        for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
                if (!(sets->bounding & BIT(c)))
                        (void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
        assert_int_equal(setgroups(0, NULL), 0);
        assert_int_equal(setresuid(user, user, user), 0);
        capng_clear(CAPNG_SELECT_CAPS);
        put(CAPNG_EFFECTIVE, sets->effective);
        put(CAPNG_PERMITTED, sets->permitted);
        put(CAPNG_INHERITABLE, sets->inheritable);
        assert_int_equal(__real_capng_apply(CAPNG_SELECT_CAPS), 0);
        for (unsigned c = 0; c <= CAP_LAST_CAP; c++)
                if (sets->ambient & BIT(c))
                        assert_int_equal(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0), 0);
}

/* Of /proc, not of the library that changed them. */
static Sets now(void) {
        FILE *status = fopen("/proc/self/status", "re");
        char line[256];
        Sets sets = {};

        assert_non_null(status);
        while (fgets(line, sizeof(line), status)) {
                uint64_t *const into = strncmp(line, "CapEff:", 7) == 0   ? &sets.effective
                                       : strncmp(line, "CapPrm:", 7) == 0 ? &sets.permitted
                                       : strncmp(line, "CapInh:", 7) == 0 ? &sets.inheritable
                                       : strncmp(line, "CapBnd:", 7) == 0 ? &sets.bounding
                                       : strncmp(line, "CapAmb:", 7) == 0 ? &sets.ambient
                                                                          : NULL;

                if (into)
                        *into = strtoull(line + 7, NULL, 16);
        }
        assert_int_equal(fclose(status), 0);
        return sets;
}

typedef struct Outcome {
        int check, drop;
        Refusal refusal;
        Sets before, after;
        int no_new_privs, dumpable;
} Outcome;

/* A helper with these sets: what it finds, and what it has left. */
static Outcome run(uid_t user, Sets sets) {
        Outcome outcome = {};
        int fds[2], status;
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Privilege privilege;

                become(user, &sets);
                outcome.before = now();
                outcome.check = privilege_check(&privilege, &outcome.refusal);
                if (outcome.check == 0)
                        outcome.drop = privilege_drop_bpf(&privilege, &outcome.refusal);
                outcome.after = now();
                outcome.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
                outcome.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
                _exit(write(fds[1], &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &outcome, sizeof(outcome)), sizeof(outcome));
        close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        return outcome;
}

static void check_sets(const Sets *sets, const Sets *expected) {
        assert_int_equal(sets->effective, expected->effective);
        assert_int_equal(sets->permitted, expected->permitted);
        assert_int_equal(sets->inheritable, expected->inheritable);
        assert_int_equal(sets->bounding, expected->bounding);
        assert_int_equal(sets->ambient, expected->ambient);
}

/* privilege_drop_bpf() leaves exactly these. */
static void check_left(Sets at_start, Sets left) {
        const Outcome o = run(USER, at_start);

        check_sets(&o.before, &at_start);
        assert_int_equal(o.check, 0);
        assert_int_equal(o.drop, 0);
        check_sets(&o.after, &left);
        assert_int_equal(o.no_new_privs, 1);
        assert_int_equal(o.dumpable, 0);
}

static void test_sets(_unused_ void **state) {
        const uint64_t system = BIT(CAP_SYS_ADMIN) | BIT(CAP_NET_RAW);

        /* As the unit gives them: nobody without CAP_SETPCAP changes the bounding set. */
        check_left(ALL(START), NOT_BOUNDING(ADMIN, START));
        check_left((Sets){START, START, 0, START, 0}, (Sets){ADMIN, ADMIN, 0, START, 0});
        check_left((Sets){ADMIN, START, START, START, START},
                   (Sets){ADMIN, ADMIN, ADMIN, START, ADMIN});
        /* Without CAP_BPF the guard is not loaded, and the helper says so at each open. */
        check_left(ALL(ADMIN), ALL(ADMIN));
        /* The documented drop-in. */
        check_left(ALL(START | system), NOT_BOUNDING(ADMIN | system, START | system));
        check_left(ALL(START | BIT(CAP_SYS_ADMIN)),
                   NOT_BOUNDING(ADMIN | BIT(CAP_SYS_ADMIN), START | BIT(CAP_SYS_ADMIN)));
}

static void test_refused(_unused_ void **state) {
        static const struct {
                const char *name;
                Sets more;
        } cases[] = {
                {"the effective set", {.effective = 1, .permitted = 1}},
                {"the permitted set", {.permitted = 1}},
                {"the inheritable set", {.inheritable = 1}},
                {"the bounding set", {.bounding = 1}},
                {"the ambient set", {.permitted = 1, .inheritable = 1, .ambient = 1}},
        };
        static const struct {
                unsigned capability;
                const char *name;
        } extra[] = {{CAP_SYS_PTRACE, "sys_ptrace"},
                     {CAP_NET_RAW, "net_raw"},
                     {CAP_SETPCAP, "setpcap"},
                     {CAP_PERFMON, "perfmon"},
                     {CAP_LAST_CAP, ""}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                for (size_t j = 0; j < ARRAY_SIZE(extra); j++) {
                        const uint64_t bit = BIT(extra[j].capability);
                        const Sets *more = &cases[i].more;
                        const Sets sets = {START | (more->effective ? bit : 0),
                                           START | (more->permitted ? bit : 0),
                                           START | (more->inheritable ? bit : 0), START | bit,
                                           START | (more->ambient ? bit : 0)};
                        const Outcome o = run(USER, sets);

                        check_sets(&o.before, &sets);
                        assert_refused(o.check, RAWNET_NOT_SUPPORTED, &o.refusal, extra[j].name,
                                       "set, but", "CAP_NET_ADMIN and CAP_BPF",
                                       more->ambient && !more->effective ? "" : cases[i].name);
                }
}

static void test_needs(_unused_ void **state) {
        Outcome o;

        o = run(USER, NOT_BOUNDING(BIT(CAP_BPF), START));
        assert_refused(o.check, RAWNET_NOT_SUPPORTED, &o.refusal, "without CAP_NET_ADMIN");
        o = run(0, ALL(START));
        assert_refused(o.check, RAWNET_NOT_SUPPORTED, &o.refusal, "as root");
}

/* What is still there after it was given up is noticed. */
static void test_drop_is_checked(_unused_ void **state) {
        Outcome o;

        keeps_all = true;
        o = run(USER, ALL(START));
        keeps_all = false;
        assert_int_equal(o.check, 0);
        assert_refused(o.drop, RAWNET_NOT_SUPPORTED, &o.refusal, "capability bpf",
                       "the effective set", "only CAP_NET_ADMIN may");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sets),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_needs),
                cmocka_unit_test(test_drop_is_checked),
        };

        if (!needs_root())
                return 0;
        return cmocka_run_group_tests_name("privilege", tests, NULL, NULL);
}
