/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What this process may do, checked at start and again in each child. capabilities(7),
 * user_namespaces(7).
 */

#include "common/refusal.h"

typedef struct Privilege {
        bool admin_of_system; /* CAP_SYS_ADMIN: the documented way out where user namespaces are
                                 forbidden */
} Privilege;

/* Refuses (RAWNET_NOT_SUPPORTED, and what to do) to run as uid 0, without CAP_NET_ADMIN, or with
 * anything in any of the five sets beyond CAP_NET_ADMIN and CAP_BPF, or beyond these, CAP_SYS_ADMIN
 * and CAP_NET_RAW where CAP_SYS_ADMIN is given. Sets no_new_privs and makes the process
 * non-dumpable. 0, a refusal or -errno. */
int privilege_check(Privilege *ret, Refusal *ret_refusal);

/* Once the guard is loaded (guard-program.h): gives CAP_BPF up for good, in the effective,
 * permitted, inheritable and ambient sets, and where the system allows it in the bounding set.
 * Checks what is left as privilege_check() does. 0, a refusal or -errno. */
int privilege_drop_bpf(const Privilege *privilege, Refusal *ret_refusal);

/* The child's own step: into a fresh user namespace (where the system allows it, or with
 * CAP_SYS_ADMIN without one) and a fresh network namespace, keeping CAP_NET_ADMIN and CAP_NET_RAW
 * over that alone. RAWNET_NOT_SUPPORTED with the way out, or -errno. */
int privilege_enter_lease(const Privilege *privilege, Refusal *ret_refusal);

/* From here on the kernel kills this process when its parent ends. parent: the parent's pid at the
 * fork. Must be repeated after privilege_enter_lease(), since a change of credentials clears the
 * setting (prctl(2)). 0 or -errno (-ESRCH: the parent is gone already). */
int privilege_die_with(pid_t parent);

/* Gives all capabilities up, for good. 0 or -errno. */
int privilege_drop_all(void);
