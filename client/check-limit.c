/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl check: the limits of namespaces(7) on what the helper makes. Each lease is one user
 * namespace and one network namespace of the helper's user, and that user makes no others that
 * stay.
 */

#include <string.h>

#include "client/check.h"
#include "common/text.h"

/* So many more ports are few enough to be said. */
#define FEW 16u

/* 1 with *ret; 0: there is no such limit, or it is larger than all that counts here; or -errno. */
static int read_limit(const char *name, uint64_t *ret) {
        _cleanup_free_ char *path = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        char line[32];

        if (asprintf(&path, "/proc/sys/user/%s", name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        f = fopen(path, "re");
        if (!f)
                return errno == ENOENT ? 0 : -errno;
        if (!fgets(line, sizeof(line), f))
                return ferror(f) ? -EIO : 0;
        line[strcspn(line, "\n")] = '\0';
        return text_parse_u64(line, 0, UINT32_MAX, ret) == 0;
}

static void check_limit(const char *name, size_t n_leases, const char *unless, json_object *list,
                        json_object *notes) {
        uint64_t limit;
        int r = read_limit(name, &limit);

        if (r < 0)
                add_sentence(notes, "cannot read the limit user.%s: %s", name, strerror(-r));
        if (r <= 0)
                return;
        if (limit == 0)
                add_sentence(list, "user.%s is 0, so no port can be opened%s: raise it with sysctl",
                             name, unless);
        else if (n_leases >= limit)
                add_sentence(
                        list,
                        "user.%s is %" PRIu64
                        " and used up by %zu %s, so no further port can be opened%s: raise it with sysctl",
                        name, limit, n_leases, text_plural(n_leases, "lease", "leases"), unless);
        else if (limit - n_leases < FEW)
                add_sentence(notes,
                             "user.%s is %" PRIu64 ", which leaves %" PRIu64
                             " more %s%s: raise it with sysctl",
                             name, limit, limit - n_leases,
                             text_plural(limit - n_leases, "port", "ports"), unless);
}

void check_limits(size_t n_leases, json_object *problems, json_object *notes) {
        check_limit("max_net_namespaces", n_leases, "", problems, notes);
        /* With CAP_SYS_ADMIN the helper goes without user namespaces (rawnet-helper(8)). What it
         * has is not to be seen from here. */
        check_limit("max_user_namespaces", n_leases, " unless rawnet-helper has CAP_SYS_ADMIN",
                    notes, notes);
}
