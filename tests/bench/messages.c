/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "messages.h"

#include <err.h>
#include <string.h>

const struct FrameLength frame_lengths[N_FRAME_LENGTHS] = {{"short", FRAME_SHORT},
                                                           {"long", FRAME_LONG}};

void messages_prepare(Messages *all, size_t size) {
        for (unsigned i = 0; i < MESSAGES_MAX; i++) {
                struct msghdr header = {.msg_iov = &all->parts[i], .msg_iovlen = 1};

                all->parts[i] = (struct iovec){.iov_base = all->data[i], .iov_len = size};
                all->messages[i] = (struct mmsghdr){.msg_hdr = header};
        }
}

void messages_fill(Messages *all, size_t header, size_t length, const MacAddress *to,
                   const MacAddress *from) {
        messages_prepare(all, header + length);
        for (unsigned i = 0; i < MESSAGES_MAX; i++) {
                memset(all->data[i], 0, header);
                path_frame(all->data[i] + header, length, to, from);
        }
}

void messages_send(Messages *all, const char *name, int fd) {
        if (sendmmsg(fd, all->messages, MESSAGES_MAX, 0) != (int)MESSAGES_MAX)
                err(1, "%s: sendmmsg", name);
}
