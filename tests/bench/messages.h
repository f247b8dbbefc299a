/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Many frames for one system call, sendmmsg() or recvmmsg(), and the lengths of frame that the
 * benchmarks which count measure. What is wrong ends the program.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "path.h"

/* They have to fit into every port's queue: the receive buffer of a socket has room for 92 of the
 * longest. */
#define MESSAGES_MAX 64u

typedef struct Messages {
        struct mmsghdr messages[MESSAGES_MAX];
        struct iovec parts[MESSAGES_MAX];
        uint8_t data[MESSAGES_MAX][HEADER_MAX + FRAME_LONG];
} Messages;

#define N_FRAME_LENGTHS 2u
extern const struct FrameLength {
        const char *name; /* "short", "long" */
        size_t bytes;
} frame_lengths[N_FRAME_LENGTHS];

/* size: of each message, header included. */
void messages_prepare(Messages *all, size_t size);
/* Frames of length bytes, each behind a header of zeros. */
void messages_fill(Messages *all, size_t header, size_t length, const MacAddress *to,
                   const MacAddress *from);
/* name: of what the socket belongs to. */
void messages_send(Messages *all, const char *name, int fd);
