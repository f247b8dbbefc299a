/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/host-link.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/util.h"

int host_link_by_name(const char *name, HostLink *ret) {
        /* netdevice(7): a socket of any kind takes these requests. */
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {};

        if (fd < 0)
                return -errno;
        if (strlen(name) >= sizeof(request.ifr_name))
                return 0;
        memcpy(request.ifr_name, name, strlen(name));
        if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
                return errno == ENODEV ? 0 : -errno;
        *ret = (HostLink){.flags = (unsigned short)request.ifr_flags};
        memcpy(ret->name, name, strlen(name));
        return 1;
}
