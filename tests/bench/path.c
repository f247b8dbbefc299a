/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "path.h"

#include <arpa/inet.h>
#include <assert.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/text.h"

const MacAddress path_far_mac = {{0x02, 0, 0, 0, 0xfa, 0x12}};

void path_frame(uint8_t *frame, size_t length, const MacAddress *to, const MacAddress *from) {
        static const uint8_t packet[] = {
                0x08, 0x00,                  /* EtherType */
                0x45, 0,    0,    0,         /* header of 20 bytes; length, below */
                0,    0,    0x40, 0, 64, 17, /* don't fragment; TTL; UDP */
                0,    0,                     /* checksum, below */
                10,   77,   0,    9, 10, 77, 0, 1, 0, 9, 0, 9};
        size_t ip = length - ETH_HLEN, udp = ip - 20;
        uint32_t sum = 0;

        assert(length >= FRAME_SHORT && length <= FRAME_LONG);
        memset(frame, 0, length);
        memcpy(frame, to->octet, sizeof(to->octet));
        memcpy(frame + 6, from->octet, sizeof(from->octet));
        memcpy(frame + 12, packet, sizeof(packet));
        frame[16] = (uint8_t)(ip >> 8);
        frame[17] = (uint8_t)ip;
        frame[38] = (uint8_t)(udp >> 8);
        frame[39] = (uint8_t)udp;
        for (unsigned i = ETH_HLEN; i < ETH_HLEN + 20; i += 2)
                sum += (uint32_t)frame[i] << 8 | frame[i + 1];
        sum = ~((sum & 0xffff) + (sum >> 16));
        frame[24] = (uint8_t)(sum >> 8);
        frame[25] = (uint8_t)sum;
}

uint64_t path_far_frames(Path *path) {
        Refusal refusal = {};
        LinkInfo info = {};

        if (link_get(&path->far, LINK_HERE, path->far_name, &info, &refusal) != 0)
                errx(1, "%s: %s: %s", path->name, path->far_name, refusal.text);
        return info.statistics.rx_packets;
}

void path_drain(const Path *path) {
        uint8_t buffer[2048];

        while (read(path->fd, buffer, sizeof(buffer)) > 0)
                ;
}

static int open_tap(const char *name) {
        struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        memccpy(request.ifr_name, name, 0, sizeof(request.ifr_name));
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
                err(1, "tap %s", name);
        return fd;
}

int path_open_packet(const char *name, bool header, uint16_t protocol) {
        struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                      .sll_protocol = htons(protocol),
                                      .sll_ifindex = (int)if_nametoindex(name)};
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

        if (fd < 0 || address.sll_ifindex == 0)
                err(1, "packet %s", name);
        if (header && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
                err(1, "packet %s: vnet-hdr", name);
        /* As every packet lease has it: a holder does not read its own frames. */
        (void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                err(1, "packet %s: bind", name);
        return fd;
}

static void enter(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                err(1, "namespace %s", path);
}

uint32_t path_number(const char *text) {
        uint32_t n;

        if (text_parse_u32(text, 0, 1000000, &n) < 0)
                errx(2, "'%s' is no number that fits here", text);
        return n;
}

enum {
        FD,
        BACK,
        TAP,
        PACKET,
        HEADER,
        MAC,
        NETNS,
        FAR,
        FARNS,
        N_KEYS
};

/* KEY=VALUE,… into values, by key; text is cut up. */
static void words_parse(char *text, const char *values[static N_KEYS]) {
        static const char *const keys[N_KEYS] = {
                "fd", "back", "tap", "packet", "header", "mac", "netns", "far", "farns",
        };
        char *word, *value;
        size_t key;

        while ((word = strsep(&text, ","))) {
                value = word;
                word = strsep(&value, "=");
                for (key = 0; key < N_KEYS && strcmp(keys[key], word) != 0; key++)
                        ;
                if (key == N_KEYS || !value)
                        errx(2, "'%s' is unknown or has no value", word);
                else
                        values[key] = value;
        }
}

void path_parse(Path *path, char *text, int home) {
        const char *values[N_KEYS] = {};

        path->name = strsep(&text, ":");
        if (!text)
                errx(2, "'%s': NAME:KEY=VALUE,… expected", path->name);
        words_parse(text, values);
        if (!values[MAC] || mac_parse(values[MAC], &path->mac) < 0 || !values[FAR] ||
            !values[FARNS])
                errx(2, "%s: mac=, far= and farns= are needed", path->name);
        path->header = values[HEADER] ? path_number(values[HEADER]) : 0;
        if (path->header > HEADER_MAX)
                errx(2, "%s: header=", path->name);
        if (setns(home, CLONE_NEWNET) < 0)
                err(1, "%s", path->name);
        if (values[NETNS])
                enter(values[NETNS]);
        if (values[TAP])
                path->fd = open_tap(values[TAP]);
        else if (values[PACKET])
                path->fd = path_open_packet(values[PACKET], path->header > 0, ETH_P_ALL);
        else if (values[FD])
                path->fd = (int)path_number(values[FD]);
        else if (values[BACK])
                path->back = (pid_t)path_number(values[BACK]);
        else
                errx(2, "%s: fd=, back=, tap= or packet= is needed", path->name);
        if (path->back)
                path->fd = -1;
        else if (fcntl(path->fd, F_SETFL, fcntl(path->fd, F_GETFL) | O_NONBLOCK) < 0)
                err(1, "%s", path->name);
        enter(values[FARNS]);
        path->far_name = values[FAR];
        path->generator = path_open_packet(values[FAR], false, 0);
        if (netlink_open(&path->far, NETLINK_ROUTE) < 0)
                errx(1, "%s: no netlink in %s", path->name, values[FARNS]);
}
