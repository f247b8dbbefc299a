/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * In a guest: attaches an XDP program that passes every frame, in the driver, to an interface, and
 * keeps it there until it is killed. `xdp IFNAME` exits with 1 and the reason where the driver
 * refuses it; prints "attached" where not.
 */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(void) {
        static const struct bpf_insn pass[] = {
                {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
                {.code = BPF_JMP | BPF_EXIT},
        };
        union bpf_attr attr = {};

        attr.prog_type = BPF_PROG_TYPE_XDP;
        attr.insns = (uintptr_t)pass;
        attr.insn_cnt = sizeof(pass) / sizeof(pass[0]);
        attr.license = (uintptr_t) "GPL";
        return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

int main(int argc, char **argv) {
        union bpf_attr attr = {};

        if (argc != 2)
                return 2;
        attr.link_create.prog_fd = (uint32_t)load();
        attr.link_create.target_ifindex = if_nametoindex(argv[1]);
        attr.link_create.attach_type = BPF_XDP;
        attr.link_create.flags = XDP_FLAGS_DRV_MODE;
        if (syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)) < 0) {
                printf("xdp: %s\n", strerror(errno));
                return 1;
        }
        puts("attached");
        fflush(stdout);
        pause();
        return 0;
}
