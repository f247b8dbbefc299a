/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnet-qemu-bridge-helper: takes the place of QEMU's own bridge helper, at the path that QEMU and
 * libvirt have built in. It becomes rawnet-bridge-helper if the bridge's name is that of a rawnet
 * network, and else QEMU's own helper, with the arguments that it was given. It decides nothing
 * else: what a user may open is between rawnetd and polkit, or between QEMU's helper and
 * /etc/qemu/bridge.conf.
 *
 * QEMU's helper is often setuid, and an administrator who wants that names the path where this
 * program is now. It must never run with more rights than its caller has, so it refuses then.
 */

#include <getopt.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "common/log.h"
#include "common/network-file.h"
#include "common/streams.h"

#define PROGRAM "rawnet-qemu-bridge-helper"
#define OWN_PATH RAWNET_SBINDIR "/" PROGRAM
#define QEMU_HELPER RAWNET_QEMU_BRIDGE_HELPER /* meson_options.txt */
#define RAWNET_HELPER RAWNET_LIBEXECDIR "/rawnet-bridge-helper"

/* What QEMU's helper takes, qemu-bridge-helper.c. */
static const struct option long_options[] = {
        {"br", required_argument, NULL, 'b'},
        {"fd", required_argument, NULL, 'f'},
        {"use-vnet", no_argument, NULL, 'v'},
        {},
};

static bool has_capabilities(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        /* An unknown set counts as one. */
        return syscall(SYS_capget, &header, data) < 0 || data[0].permitted || data[1].permitted;
}

/* Did a setuid bit, a setgid bit or file capabilities give this process more rights than its caller
 * has? AT_SECURE alone does not tell: AppArmor sets it for what a confined libvirtd runs. And
 * capabilities alone do not: the caller may have them (ambient ones). */
static bool has_more_rights(void) {
        if (getuid() != geteuid() || getgid() != getegid())
                return true;
        return getuid() != 0 && getauxval(AT_SECURE) && has_capabilities();
}

/* The bridge's name; NULL: the line has none, or is one that only QEMU's own helper may judge. */
static const char *bridge_name(int argc, char **argv) {
        const char *name = NULL;
        int c;

        opterr = 0;
        /* '+': getopt_long() does not reorder argv, which goes on to another program. */
        while ((c = getopt_long(argc, argv, "+", long_options, NULL)) >= 0)
                if (c == 'b')
                        name = optarg;
                else if (c == '?')
                        return NULL;
        return optind < argc ? NULL : name;
}

/* Is it a rawnet network's, whether that can be opened or not? Its own helper then reports what is
 * wrong with it. 1, 0 or -errno. */
static int is_network(const char *bridge) {
        NetworkName name;
        Network network;
        int r;

        if (!bridge || network_name_parse(bridge, &name, NULL) != 0)
                return 0;
        r = network_file_load(name.name, &network, NULL);
        return r < 0 ? r : r != RAWNET_NO_SUCH_NETWORK;
}

int main(int argc, char **argv) {
        const char *bridge, *program;
        int ours;

        if (streams_ensure() < 0)
                return EXIT_FAILURE;
        log_open(PROGRAM);
        if (has_more_rights()) {
                log_error("%s has a setuid or setgid bit or file capabilities, which belong on %s; "
                          "an administrator moves them there, with chmod(1) or setcap(8)",
                          OWN_PATH, QEMU_HELPER);
                return EXIT_FAILURE;
        }
        bridge = bridge_name(argc, argv);
        ours = is_network(bridge);
        if (ours < 0) {
                log_error("bridge %s: cannot read the network files: %s", bridge, errno_text(ours));
                return EXIT_FAILURE;
        }
        program = ours ? RAWNET_HELPER : QEMU_HELPER;
        execv(program, argv);
        log_error("bridge %s is %s rawnet network, and %s cannot be run: %s",
                  bridge ? bridge : "(no name)", ours ? "a" : "no", program, errno_text(errno));
        return EXIT_FAILURE;
}
