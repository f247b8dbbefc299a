/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Runs the guard's programs on frames, by BPF_PROG_TEST_RUN: no link, no lease. The kernel shows
 * them a frame that came to `lo` (ifindex 1), so it is a frame of lease number 1. They are loaded
 * with the helper's capabilities and no other, since the verifier allows more to those who have
 * more.
 *
 * What no such run has: a tag that the kernel keeps beside the frame, a checksum that is to
 * be completed, a frame in pieces. tests/attack has these.
 */

#include <bpf/libbpf.h>

#include "common/address.h"
#include "common/util.h"
#include "helper/guard/guard-entry.h"

#define GUARD_RUN_NUMBER 1u
/* One page less what the kernel needs: net/bpf/test_run.c, bpf_test_init(). */
#define GUARD_RUN_MAX 3500u

typedef enum GuardBuild {
        GUARD_REAL, /* what the helper loads */
        /* The same source, and (1) every checksum is to be completed later, nobody knows where; (2)
         * a redirect returns GUARD_RUN_TO(). */
        GUARD_PROBE
} GuardBuild;

#define GUARD_RUN_INGRESS 0x200u
#define GUARD_RUN_TO(link) (0x100u | ((link) >> 16 & 0xffu))

typedef struct GuardRun {
        struct bpf_object *object;
        void *skeleton;
        GuardEntry *entry; /* of the lease */
        int counters_fd, locks_fd;
        uint64_t counted[GUARD_REASONS_MAX];
} GuardRun;

typedef struct GuardFrame {
        uint8_t bytes[GUARD_RUN_MAX];
        size_t size;
        uint32_t gso_size;
} GuardFrame;

typedef struct GuardVerdict {
        uint32_t returned; /* TC_ACT_…, or GUARD_RUN_… of GUARD_PROBE */
        int reason;        /* which counter has one more frame; -1: none */
        GuardFrame after;  /* the frame as the program left it */
} GuardVerdict;

/* Cuts this process's capabilities down to the helper's at that moment: CAP_BPF, CAP_NET_ADMIN. 0
 * or -errno. */
int guard_run_like_helper(void);

/* 0 or -errno; -EPERM: this process may not load programs. */
int guard_run_open(GuardRun *ret, GuardBuild build);
void guard_run_close(GuardRun *run);

/* One frame to a program by its name. Fails if more than one counter changes. 0 or -errno. */
int guard_run(GuardRun *run, const char *program, const GuardFrame *frame, GuardVerdict *ret);

/* Makes these the addresses of the lease's lock, as helper/child/guard.c does. 0 or -errno. */
int guard_run_lock(GuardRun *run, const AddressList *addresses);
/* Takes its lock away, and reads it. 0 or -errno. */
int guard_run_unlock(GuardRun *run);
int guard_run_read_lock(GuardRun *run, GuardLock *ret);

/* Forgets what was counted. 0 or -errno. */
int guard_run_forget(GuardRun *run);
