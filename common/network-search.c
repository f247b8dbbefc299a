/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/network-search.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

const char *const network_dirs[] = {RAWNET_NETWORK_DIRS, NULL};

void network_found_close(NetworkFound *found) {
        found->fd = safe_close(found->fd);
}

/* linux/major.h: MEM_MAJOR 1, Documentation/admin-guide/devices.txt: 3 is /dev/null. */
bool network_is_dev_null(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

bool network_is_mask(const struct stat *st) {
        return network_is_dev_null(st) || (S_ISREG(st->st_mode) && st->st_size == 0);
}

bool network_is_our_trouble(int errnum) {
        return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EINTR;
}

int network_search(const char *const *dirs, const char *name, NetworkFound *ret) {
        for (; *dirs; dirs++) {
                struct stat st;
                int n;

                n = snprintf(ret->path, sizeof(ret->path), "%s/%s" NETWORK_SUFFIX, *dirs, name);
                if (n < 0 || (size_t)n >= sizeof(ret->path))
                        return -ENAMETOOLONG;
                /* NONBLOCK, NOCTTY: a FIFO or terminal in the directory must neither block a daemon
                 * nor become its terminal. */
                ret->fd = open(ret->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (ret->fd >= 0) {
                        if (fstat(ret->fd, &ret->st) < 0) {
                                int r = -errno;

                                network_found_close(ret);
                                return r;
                        }
                        return 1;
                }
                if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
                /* A link that leads nowhere is reported as a mistake, not as the absence of a file.
                 */
                if (lstat(ret->path, &st) == 0)
                        return -ENOENT;
                if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
        }
        return 0;
}
