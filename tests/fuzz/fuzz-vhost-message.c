/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * vhost_user_serve(): whatever a front end sends, in whatever pieces, with whatever descriptors. An
 * input is a row of sends: a byte with the number of descriptors (0..9; with 0x80 event descriptors
 * instead of memory files), a byte with a length, so many bytes.
 */

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "backend/peer-event.h"
#include "backend/port-rx.h"
#include "backend/port-tx.h"
#include "backend/vhost-user.h"
#include "fuzz.h"

#define MEMORY_SIZE 0x10000

/* Opened once: what is passed is a copy. */
static int memory_fd = -1, event_fd = -1;

static void prepare(void) {
        struct sigaction alarm;

        if (memory_fd >= 0)
                return;
        /* SIGALRM stays libFuzzer's, which finds with it what takes too long. */
        assert(sigaction(SIGALRM, NULL, &alarm) == 0 && peer_event_init(NULL) == 0);
        assert(sigaction(SIGALRM, &alarm, NULL) == 0);
        memory_fd = memfd_create("fuzz", MFD_CLOEXEC);
        event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert(memory_fd >= 0 && event_fd >= 0 && ftruncate(memory_fd, MEMORY_SIZE) == 0);
}

static void send_part(int fd, const uint8_t *data, size_t size, unsigned n_fds, bool events) {
        union {
                struct cmsghdr align;
                char data[CMSG_SPACE(10 * sizeof(int))];
        } control = {};
        struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (n_fds > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.align = (struct cmsghdr){
                        .cmsg_level = SOL_SOCKET,
                        .cmsg_type = SCM_RIGHTS,
                        .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
                };
                for (unsigned i = 0; i < n_fds; i++)
                        memcpy(CMSG_DATA(&control.align) + i * sizeof(int),
                               events ? &event_fd : &memory_fd, sizeof(int));
        }
        if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
                return;
}

static void throw_away(int fd) {
        uint8_t buffer[4096];

        while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
                ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static PortIo *io;
        Refusal refusal = {};
        Device device;
        VhostUser front;
        int ends[2], wire[4], r = 0;

        prepare();
        if (!io)
                io = port_io_new();
        assert(io && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wire) == 0);
        assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, wire + 2) == 0);
        device_init(&device, (int[]){wire[0], wire[2]}, 2, NULL, 1500);
        vhost_user_init(&front);
        front.fd = ends[0];
        while (size >= 2 && r == 0) {
                unsigned n_fds = (data[0] & 0x7f) % 10;
                size_t length = MIN_OF((size_t)data[1], size - 2);

                send_part(ends[1], data + 2, length, n_fds, data[0] & 0x80);
                data += 2 + length;
                size -= 2 + length;
                r = vhost_user_serve(&front, &device, &refusal);
                throw_away(ends[1]);
                for (unsigned i = 0; i < 2 && r == 0; i++)
                        if (port_transmit(io, &device, i, true, &refusal) == PORT_BROKEN ||
                            port_receive(io, &device, i, true, &refusal) == PORT_BROKEN)
                                r = (int)refusal.error;
        }
        assert(r <= 0 || refusal.text[0] != '\0');
        vhost_user_done(&front);
        device_done(&device);
        close(ends[1]);
        close(wire[1]);
        close(wire[3]);
        return 0;
}
