/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/privilege.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/names.h"

int privilege_drop(Refusal *ret_refusal) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
        uid_t real, effective, saved;

        if (getresuid(&real, &effective, &saved) < 0)
                return -errno;
        if (real == 0 || effective == 0 || saved == 0)
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "rawnetd does not run as root: start it as user %s, as rawnetd.service does",
                        RAWNET_USER_SERVICE);
        /* glibc has no wrapper for capget(2). */
        if (syscall(SYS_capget, &header, sets) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
                /* The ambient set is part of permitted and inheritable (capabilities(7)): empty if
                 * they are. */
                if (sets[i].permitted || sets[i].effective || sets[i].inheritable)
                        return refuse(
                                ret_refusal, RAWNET_NOT_SUPPORTED,
                                "rawnetd runs without capabilities, but was given some (permitted "
                                "%08x%08x, effective %08x%08x, inheritable %08x%08x): take "
                                "AmbientCapabilities= and the like out of rawnetd.service",
                                sets[1].permitted, sets[0].permitted, sets[1].effective,
                                sets[0].effective, sets[1].inheritable, sets[0].inheritable);
        }
        /* No exec gives a privilege back, and no other process of this user reads the leases'
         * descriptors out of this process. */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        return 0;
}
