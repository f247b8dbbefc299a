/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/check/limit.h"

#include <inttypes.h>
#include <string.h>

#include "common/text.h"

/* Fewer ports than this are left: worth a note. */
#define FEW 16u

/* 1 with *ret; 0: there is no such limit, or it is above UINT32_MAX; or -errno. */
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

static void judge_limit(const char *name, size_t n_leases, Findings *findings) {
        uint64_t limit;
        int r = read_limit(name, &limit);

        if (r < 0)
                findings_say(findings, FINDING_NOTE, FINDING_LEASES, "",
                             "the limit user.%s cannot be read: %s", name, strerror(-r));
        if (r > 0 && limit > n_leases && limit - n_leases < FEW)
                findings_say(findings, FINDING_NOTE, FINDING_LEASES, "",
                             "user.%s is %" PRIu64 ", which leaves %" PRIu64
                             " more on all networks: raise it with sysctl",
                             name, limit, limit - n_leases);
}

void limit_judge(const Privilege *privilege, size_t n_leases, Findings *findings) {
        judge_limit("max_net_namespaces", n_leases, findings);
        if (!privilege->admin_of_system)
                judge_limit("max_user_namespaces", n_leases, findings);
}
