/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Short UDP datagrams and long TCP streams: the same program on the host, at the wire's far end
 * and, linked statically, in the emulated guest (vhost.py). What a guest's figures are held against
 * has to come from the same loop.
 *
 *   traffic udp-send SECONDS ADDRESS [RATE]  18 bytes a datagram, one a call, at most RATE a second
 *   traffic udp-flood SECONDS ADDRESS RATE SIZE  SIZE bytes a datagram, RATE a second
 *   traffic udp-count                        counts what arrives until a line comes on stdin
 *   traffic tcp-get|tcp-put SECONDS ADDRESS  from and to tcp-serve
 *   traffic tcp-serve                        one caller after the other, until killed
 *
 * Prints: how many (datagrams or bytes), wall-clock seconds, seconds of the processor.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_DISCARD 9
#define PORT_SOURCE 9101
#define PORT_SINK 9102
#define DATAGRAM 18u /* with its headers the shortest Ethernet frame */
#define CHUNK (256u * 1024)

static double now(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double number(const char *text) {
        char *end;
        double value = strtod(text, &end);

        if (*end || value <= 0)
                errx(2, "'%s' is no number above 0", text);
        return value;
}

static int open_socket(int type, const char *address, uint16_t port) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            inet_pton(AF_INET, address ? address : "0.0.0.0", &to.sin_addr) != 1 ||
            (address ? connect : bind)(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
                err(1, "%s", address ? address : "socket");
        if (!address && type == SOCK_STREAM && listen(fd, 4) < 0)
                err(1, "listen");
        return fd;
}

static void report(uint64_t count, double began) {
        printf("%" PRIu64 " %.6f %.6f\n", count, now(CLOCK_MONOTONIC) - began,
               now(CLOCK_PROCESS_CPUTIME_ID));
}

static void udp_send(double seconds, const char *address, double rate) {
        int fd = open_socket(SOCK_DGRAM, address, PORT_DISCARD);
        char data[DATAGRAM] = {};
        uint64_t sent = 0;
        double began = now(CLOCK_MONOTONIC), passed;

        while ((passed = now(CLOCK_MONOTONIC) - began) < seconds) {
                if (rate > 0 && (double)sent > rate * passed) {
                        /* Ahead: gives the processor to others till a burst of 16 is due. */
                        double wait = ((double)sent + 16) / rate - passed;
                        struct timespec t = {.tv_nsec = (long)(wait * 1e9)};

                        nanosleep(&t, NULL);
                        continue;
                }
                for (unsigned i = 0; i < 16; i++)
                        sent += send(fd, data, sizeof(data), 0) == (ssize_t)sizeof(data);
        }
        report(sent, began);
}

/* Datagrams of that size, as many a second, to nobody in particular. */
static void udp_flood(double seconds, const char *address, double rate, double size) {
        int fd = open_socket(SOCK_DGRAM, address, PORT_DISCARD);
        double began = now(CLOCK_MONOTONIC), passed;
        static char data[65000];
        uint64_t sent = 0;

        if (size > sizeof(data))
                errx(2, "a datagram has at most %zu bytes", sizeof(data));
        while ((passed = now(CLOCK_MONOTONIC) - began) < seconds) {
                if ((double)sent > rate * passed) {
                        struct timespec t = {.tv_nsec = 500000};

                        nanosleep(&t, NULL);
                        continue;
                }
                /* Nobody listens there, and the answers that say so are of no interest. */
                (void)!send(fd, data, (size_t)size, 0);
                sent++;
        }
        report(sent, began);
}

static void udp_count(void) {
        int fd = open_socket(SOCK_DGRAM, NULL, PORT_DISCARD);
        struct pollfd polls[] = {{.fd = fd, .events = POLLIN},
                                 {.fd = STDIN_FILENO, .events = POLLIN}};
        double began = now(CLOCK_MONOTONIC);
        uint64_t count = 0;
        char data[64];

        puts("counting");
        fflush(stdout);
        while (poll(polls, 2, -1) >= 0 || errno == EINTR) {
                while (recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0 && (++count % 1024) != 0)
                        ;
                if (polls[1].revents)
                        break;
        }
        while (read(STDIN_FILENO, data, 1) == 1 && data[0] != '\n')
                ;
        report(count, began);
}

/* Moves data till the end of it, or of the time. */
static uint64_t stream(int fd, bool out, double seconds) {
        static char data[CHUNK];
        double end = now(CLOCK_MONOTONIC) + seconds;
        uint64_t count = 0;
        ssize_t n;

        while (now(CLOCK_MONOTONIC) < end) {
                n = out ? send(fd, data, sizeof(data), MSG_NOSIGNAL)
                        : recv(fd, data, sizeof(data), 0);
                if (n <= 0)
                        break;
                count += (uint64_t)n;
        }
        return count;
}

static void tcp(bool out, double seconds, const char *address) {
        int fd = open_socket(SOCK_STREAM, address, out ? PORT_SINK : PORT_SOURCE);
        double began = now(CLOCK_MONOTONIC);
        uint64_t count = stream(fd, out, seconds);
        char c;

        /* What is on its way takes its time too. */
        if (out && (shutdown(fd, SHUT_WR) < 0 || recv(fd, &c, 1, 0) != 0))
                err(1, "%s", address);
        report(count, began);
}

static void tcp_serve(void) {
        int listeners[] = {open_socket(SOCK_STREAM, NULL, PORT_SOURCE),
                           open_socket(SOCK_STREAM, NULL, PORT_SINK)};
        struct pollfd polls[] = {{.fd = listeners[0], .events = POLLIN},
                                 {.fd = listeners[1], .events = POLLIN}};

        puts("ready");
        fflush(stdout);
        while (poll(polls, 2, -1) > 0)
                for (unsigned i = 0; i < 2; i++) {
                        int fd = polls[i].revents ? accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC)
                                                  : -1;

                        if (fd < 0)
                                continue;
                        stream(fd, i == 0, 3600);
                        close(fd);
                }
}

int main(int argc, char **argv) {
        const char *what = argc > 1 ? argv[1] : "";

        if (strcmp(what, "udp-send") == 0 && (argc == 4 || argc == 5))
                udp_send(number(argv[2]), argv[3], argc == 5 ? number(argv[4]) : 0);
        else if (strcmp(what, "udp-flood") == 0 && argc == 6)
                udp_flood(number(argv[2]), argv[3], number(argv[4]), number(argv[5]));
        else if (strcmp(what, "udp-count") == 0 && argc == 2)
                udp_count();
        else if ((strcmp(what, "tcp-get") == 0 || strcmp(what, "tcp-put") == 0) && argc == 4)
                tcp(what[4] == 'p', number(argv[2]), argv[3]);
        else if (strcmp(what, "tcp-serve") == 0 && argc == 2)
                tcp_serve();
        else
                errx(2,
                     "traffic udp-send|udp-flood|udp-count|tcp-get|tcp-put|tcp-serve, see the source");
        return 0;
}
