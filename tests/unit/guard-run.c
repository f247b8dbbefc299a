/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guard-run.h"

#include <bpf/bpf.h>
#include <cap-ng.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "helper/lock.h"
#include "helper/guard/guard.skel.h"
#include "guard-probe.skel.h"

int guard_run_like_helper(void) {
        capng_clear(CAPNG_SELECT_ALL);
        if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_NET_ADMIN,
                          -1) < 0 ||
            capng_apply(CAPNG_SELECT_CAPS) < 0)
                return -EPERM;
        return 0;
}

static int open_real(GuardRun *run) {
        struct guard_bpf *skeleton = guard_bpf__open_and_load();

        if (!skeleton)
                return -errno;
        run->skeleton = skeleton;
        run->object = skeleton->obj;
        run->entry = &skeleton->bss->guard_entries[GUARD_RUN_NUMBER];
        run->counters_fd = bpf_map__fd(skeleton->maps.guard_counters);
        run->locks_fd = bpf_map__fd(skeleton->maps.guard_locks);
        return 0;
}

static int open_probe(GuardRun *run) {
        struct guard_probe *skeleton = guard_probe__open_and_load();

        if (!skeleton)
                return -errno;
        run->skeleton = skeleton;
        run->object = skeleton->obj;
        run->entry = &skeleton->bss->guard_entries[GUARD_RUN_NUMBER];
        run->counters_fd = bpf_map__fd(skeleton->maps.guard_counters);
        run->locks_fd = bpf_map__fd(skeleton->maps.guard_locks);
        return 0;
}

int guard_run_open(GuardRun *ret, GuardBuild build) {
        *ret = (GuardRun){};
        return build == GUARD_REAL ? open_real(ret) : open_probe(ret);
}

void guard_run_close(GuardRun *run) {
        struct bpf_object_skeleton **skeleton = run->skeleton;

        /* Every skeleton begins with it: bpftool(8), "gen skeleton". */
        if (skeleton) {
                bpf_object__destroy_skeleton(*skeleton);
                free(skeleton);
        }
        *run = (GuardRun){};
}

/* How one call changed the counters. */
static int read_reason(GuardRun *run, int *ret) {
        const uint32_t id = GUARD_PORT | GUARD_RUN_NUMBER;
        GuardCounters now = {};
        int reason = -1;

        if (bpf_map_lookup_elem(run->counters_fd, &id, &now) < 0 && errno != ENOENT)
                return -errno;
        for (unsigned i = 0; i < GUARD_REASONS_MAX; i++) {
                if (now.frames[i] == run->counted[i])
                        continue;
                if (now.frames[i] != run->counted[i] + 1 || reason >= 0)
                        return -EOVERFLOW;
                reason = (int)i;
        }
        memcpy(run->counted, now.frames, sizeof(run->counted));
        *ret = reason;
        return 0;
}

int guard_run(GuardRun *run, const char *program, const GuardFrame *frame, GuardVerdict *ret) {
        struct __sk_buff context = {.gso_size = frame->gso_size,
                                    .gso_segs = frame->gso_size > 0 ? 2 : 0};
        struct bpf_test_run_opts options = {.sz = sizeof(options),
                                            .data_in = frame->bytes,
                                            .data_size_in = (uint32_t)frame->size,
                                            .data_out = ret->after.bytes,
                                            .data_size_out = sizeof(ret->after.bytes),
                                            .ctx_in = &context,
                                            .ctx_size_in = sizeof(context),
                                            .repeat = 1};
        const struct bpf_program *found = bpf_object__find_program_by_name(run->object, program);

        if (!found || bpf_prog_test_run_opts(bpf_program__fd(found), &options) < 0)
                return -errno;
        ret->returned = options.retval;
        ret->after.size = options.data_size_out;
        ret->after.gso_size = frame->gso_size;
        return read_reason(run, &ret->reason);
}

int guard_run_lock(GuardRun *run, const AddressList *addresses) {
        const uint32_t id = GUARD_PORT | GUARD_RUN_NUMBER;
        GuardLock lock;

        lock_fill(addresses, &lock);
        return bpf_map_update_elem(run->locks_fd, &id, &lock, BPF_ANY);
}

int guard_run_unlock(GuardRun *run) {
        const uint32_t id = GUARD_PORT | GUARD_RUN_NUMBER;
        int r = bpf_map_delete_elem(run->locks_fd, &id);

        return r == -ENOENT ? 0 : r;
}

int guard_run_read_lock(GuardRun *run, GuardLock *ret) {
        const uint32_t id = GUARD_PORT | GUARD_RUN_NUMBER;

        return bpf_map_lookup_elem(run->locks_fd, &id, ret);
}

int guard_run_forget(GuardRun *run) {
        const uint32_t id = GUARD_PORT | GUARD_RUN_NUMBER;

        if (bpf_map_delete_elem(run->counters_fd, &id) < 0 && errno != ENOENT)
                return -errno;
        memset(run->counted, 0, sizeof(run->counted));
        return 0;
}
