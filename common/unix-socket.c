/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/unix-socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

int unix_address(const char *path, struct sockaddr_un *ret, Refusal *ret_refusal) {
        size_t length = strlen(path);

        if (length == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "the path of a socket is empty");
        if (length >= sizeof(ret->sun_path))
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "%s has %zu bytes, but the path of a socket has at most %zu bytes (unix(7)): use a shorter path",
                        path, length, sizeof(ret->sun_path) - 1);
        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(ret->sun_path, path, length);
        return 0;
}

int unix_listen(const struct sockaddr_un *address, mode_t mode, int backlog, int *ret_fd,
                Refusal *ret_refusal) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t old;
        int r;

        if (fd < 0)
                return -errno;
        /* Else there would be a moment between bind() and chmod(). A default ACL of the directory
         * does not add to what the umask leaves (net/unix/af_unix.c, unix_bind_bsd()). The program
         * has one thread, so that no other file is made meanwhile. */
        old = umask(0777 & ~mode);
        r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
        umask(old);
        if (r == 0 && listen(fd, backlog) < 0)
                r = errno;
        if (r != 0)
                return refuse_errno(ret_refusal, r, "cannot listen on %s", address->sun_path);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int unix_peer_user(int fd, uid_t *ret) {
        struct ucred peer;
        socklen_t length = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
                return -errno;
        *ret = peer.uid;
        return 0;
}
