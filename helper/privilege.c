/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/privilege.h"

#include <cap-ng.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* Is capability set beyond the documented ones? */
static bool is_extra(unsigned capability, bool admin_of_system, bool bpf) {
        if (capability == CAP_NET_ADMIN || (capability == CAP_BPF && bpf))
                return false;
        return !(admin_of_system && (capability == CAP_SYS_ADMIN || capability == CAP_NET_RAW));
}

/* started: CAP_BPF is given up. The bounding set may have it still: no process without CAP_SETPCAP
 * can take it out (capabilities(7)). It says what an execve() could gain from a file, which
 * no_new_privs rules out. */
static int check_sets(bool admin_of_system, bool started, Refusal *ret_refusal) {
        static const struct {
                capng_type_t type;
                const char *name;
        } sets[] = {{CAPNG_EFFECTIVE, "effective"},
                    {CAPNG_PERMITTED, "permitted"},
                    {CAPNG_INHERITABLE, "inheritable"},
                    {CAPNG_BOUNDING_SET, "bounding"},
                    {CAPNG_AMBIENT, "ambient"}};

        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                const bool bpf = !started || sets[i].type == CAPNG_BOUNDING_SET;

                for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
                        if (capng_have_capability(sets[i].type, c) &&
                            is_extra(c, admin_of_system, bpf))
                                return refuse(
                                        ret_refusal, RAWNET_NOT_SUPPORTED,
                                        "refusing to run: capability %s is in the %s set, but "
                                        "only CAP_NET_ADMIN%s may be; start it by "
                                        "rawnet-helper.service",
                                        capng_capability_to_name(c), sets[i].name,
                                        started ? "" : " and CAP_BPF");
                }
        }
        return 0;
}

int privilege_check(Privilege *ret, Refusal *ret_refusal) {
        bool admin;
        int r;

        if (getuid() == 0 || geteuid() == 0)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "refusing to run as root: a lease's namespace belongs to the helper's "
                        "uid, and any uid-0 process could take leases over; start it by "
                        "rawnet-helper.service");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        capng_clear(CAPNG_SELECT_ALL);
        if (capng_get_caps_process() < 0)
                return -EPERM;
        if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
                return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                              "refusing to run without CAP_NET_ADMIN; start it by "
                              "rawnet-helper.service");
        admin = capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
        r = check_sets(admin, false, ret_refusal);
        if (r != 0)
                return r;
        *ret = (Privilege){.admin_of_system = admin};
        return 0;
}

int privilege_drop_bpf(const Privilege *privilege, Refusal *ret_refusal) {
        (void)prctl(PR_CAPBSET_DROP, CAP_BPF, 0, 0, 0);
        capng_clear(CAPNG_SELECT_ALL);
        /* What leaves the permitted and inheritable sets leaves the ambient set with them. */
        if (capng_get_caps_process() < 0 ||
            capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE,
                         CAP_BPF) < 0 ||
            capng_apply(CAPNG_SELECT_CAPS) < 0)
                return -EPERM;
        capng_clear(CAPNG_SELECT_ALL);
        if (capng_get_caps_process() < 0)
                return -EPERM;
        return check_sets(privilege->admin_of_system, true, ret_refusal);
}

/* In the new namespace the child has every capability (user_namespaces(7)). It drops those that it
 * does not use. */
static int keep_network_capabilities(void) {
        capng_clear(CAPNG_SELECT_BOTH);
        if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN, CAP_NET_RAW,
                          -1) < 0 ||
            capng_apply(CAPNG_SELECT_CAPS) < 0)
                return -EPERM;
        return 0;
}

int privilege_enter_lease(const Privilege *privilege, Refusal *ret_refusal) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
                int errnum = errno;

                if (privilege->admin_of_system && unshare(CLONE_NEWNET) == 0)
                        return keep_network_capabilities();
                /* A temporary error: it says nothing about what the system allows. */
                if (errnum == ENOMEM)
                        return -errnum;
                /* unshare(2): one of the limits of namespaces(7) is reached, 0 among them. */
                if (errnum == ENOSPC)
                        return refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "this system lets rawnet-helper make no more namespaces: the limit "
                                "user.max_user_namespaces or user.max_net_namespaces (sysctl) is 0 or "
                                "used up; raise it, or see the CAP_SYS_ADMIN drop-in in "
                                "rawnet-helper(8)");
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "this system does not let rawnet-helper make a user and network namespace "
                        "(%s; see user.max_user_namespaces, kernel.unprivileged_userns_clone and "
                        "AppArmor's userns rule, or the CAP_SYS_ADMIN drop-in in "
                        "rawnet-helper(8))",
                        strerror(errnum));
        }
        return keep_network_capabilities();
}

int privilege_die_with(pid_t parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return -errno;
        return getppid() == parent ? 0 : -ESRCH;
}

int privilege_drop_all(void) {
        capng_clear(CAPNG_SELECT_BOTH);
        return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}
