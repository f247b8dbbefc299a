/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Cases for the guard's programs: a frame, the lease's rules, and what becomes of it. A frame is
 * written as words: bytes in hexadecimal, z and a number of zero bytes, or a name (guard-case.c).
 */

#include <linux/pkt_cls.h>

#include "guard-run.h"
#include "test.h"

#define PASS (-1)
#define ALLOW_ALL (GUARD_ALLOW_DHCP | GUARD_ALLOW_RA)
#define SPOOF 0x80000000u /* AntiSpoof=no */
#define LONGEST 1514u

#define TO_GW "gw own"
/* BPF_PROG_TEST_RUN refuses an IP header that is not whole, but behind a tag. */
#define PRIORITY " 8100 0000 "
#define IP4(protocol) " 0800 45 z5 0000 40 " protocol " z10 "
#define IP4_FRAGMENT(fragment, protocol) " 0800 45 z5 " fragment " 40 " protocol " z10 "
#define IP4_OPTIONS(protocol) " 0800 46 z5 0000 40 " protocol " z10 94040000 "
#define IP6(next) " 86dd 60 z3 0100 " next " ff z32 "
#define IP6_SIZED(size, next) " 86dd 60 z3 " size " " next " ff z32 "
#define UDP(port) " 1388 " port " z4 "
#define TCP(port) " 1388 " port " z16 "
/* An IPv6 extension header of 8 bytes, and a fragment header. */
#define OPTIONS(next) " " next " 00 010400000000 "
#define FRAGMENT(next, offset) " " next " 00 " offset " 00000001 "
#define AUTHENTICATION(next) " " next " 04 z22 "

typedef struct Case {
        const char *name, *frame;
        int reason;        /* PASS or a GuardReason */
        uint32_t flags;    /* of the entry; without SPOOF anti-spoofing is on */
        uint32_t longest;  /* 0: LONGEST */
        uint32_t size;     /* padded to it; 0: as it is */
        uint32_t gso_size; /* 0: not segmented */
        bool untagged;     /* it passes without its tag */
} Case;

/* What the helper loads, and the other build; without skeleton where they cannot be loaded. */
extern GuardRun guard_real, guard_probe;

/* size 0: padded to the shortest frame on a wire; else as long as that. */
GuardFrame guard_case_frame(const char *text, size_t size);
/* Makes the rules of a case the lease's. */
void guard_case_rules(GuardRun *run, const Case *c);
/* Runs them all, on the real programs. */
void guard_case_check(const char *program, const Case *cases, size_t n);

/* For cmocka_run_group_tests(). */
int guard_case_load(void **state);
int guard_case_unload(void **state);
