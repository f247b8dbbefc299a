/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/namespace-fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The kernel keeps all namespaces in one file system of its own (fs/nsfs.c), whatever name a mount
 * gives to one of them. AT_STATX_DONT_SYNC: no other file system asks anybody for the answer. */
static bool is_network_namespace(int fd) {
        struct statx theirs;
        struct stat ours;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &theirs) < 0 ||
            stat("/proc/self/ns/net", &ours) < 0)
                return false;
        return makedev(theirs.stx_dev_major, theirs.stx_dev_minor) == ours.st_dev &&
               ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* The initial user namespace has no parent, and that of this process none that it may see
 * (kernel/user_namespace.c, ns_get_parent()). 1, 0 or -errno. */
static int is_below_ours(int user_fd) {
        struct stat theirs, ours;
        int parent;

        if (fstat(user_fd, &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0)
                return -errno;
        if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
                return 0;
        parent = ioctl(user_fd, NS_GET_PARENT);
        if (parent < 0)
                return errno == EPERM ? 0 : -errno;
        close(parent);
        return 1;
}

static int refuse_initial(const char *network, Refusal *ret_refusal) {
        return refuse(
                ret_refusal, RAWNET_ACCESS_DENIED,
                "network %s: that network namespace belongs to the host's own user namespace, "
                "and nobody may attach to such a one, not even root; use a container with a user "
                "namespace of its own (podman without sudo, unshare --user --net, bwrap)",
                network);
}

int namespace_fd_check(int fd, uint32_t uid, const char *network, Refusal *ret_refusal) {
        _cleanup_close_ int user_fd = -1;
        uid_t owner;
        int r;

        if (!is_network_namespace(fd))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "network %s: the descriptor is not that of a network namespace; open "
                              "/proc/PID/ns/net of a process in the container",
                              network);
        user_fd = ioctl(fd, NS_GET_USERNS);
        /* It is none of those that this process may see: the host's, for one in a container. */
        if (user_fd < 0 && errno == EPERM)
                return refuse_initial(network, ret_refusal);
        if (user_fd < 0)
                return -errno;
        r = is_below_ours(user_fd);
        if (r <= 0)
                return r < 0 ? r : refuse_initial(network, ret_refusal);
        if (ioctl(user_fd, NS_GET_OWNER_UID, &owner) < 0)
                return -errno;
        if (owner == uid)
                return 0;
        return refuse(ret_refusal, RAWNET_ACCESS_DENIED,
                      "network %s: that network namespace belongs to user %" PRIu32
                      ", and you are user %" PRIu32
                      "; attach to a container that you have started yourself",
                      network, (uint32_t)owner, uid);
}
