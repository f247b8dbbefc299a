/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens a packet port on a network, asks by ARP who has an address, and prints the answer.
 *
 *     cc -o arp-probe arp-probe.c $(pkg-config --cflags --libs libsystemd)
 *     ./arp-probe NETWORK ADDRESS
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define DIALOGUE_USEC (5 * 60 * UINT64_C(1000000)) /* a user may have to type a password */

typedef struct Arp {
        struct ether_header ethernet;
        struct ether_arp arp;
} Arp;

/* Reads the reply's descriptor; the message closes its own copy. Returns the descriptor, or -errno.
 */
static int read_descriptor(sd_bus_message *reply) {
        int fd, r;

        r = sd_bus_message_enter_container(reply, 'a', "h");
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                r = -errno;
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : fd;
}

/* Reads info, which is a{sv}, and stores its member "mac". */
static int read_mac(sd_bus_message *reply, uint8_t mac[ETH_ALEN]) {
        const char *key, *text;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read(reply, "s", &key);
                if (r >= 0 && strcmp(key, "mac") == 0) {
                        r = sd_bus_message_read(reply, "v", "s", &text);
                        if (r >= 0 &&
                            sscanf(text,
                                   "%" SCNx8 ":%" SCNx8 ":%" SCNx8 ":%" SCNx8 ":%" SCNx8 ":%" SCNx8,
                                   &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                                   &mac[5]) != ETH_ALEN)
                                r = -EBADMSG;
                } else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

/* Opens the port. Returns its descriptor, or -errno with the reason in *ret_error. */
static int open_port(sd_bus *bus, const char *network, uint8_t mac[ETH_ALEN],
                     sd_bus_error *ret_error) {
        sd_bus_message *call = NULL, *reply = NULL;
        const char *lease;
        int r, fd = -1;

        r = sd_bus_message_new_method_call(bus, &call, "org.rawnet1", "/org/rawnet1",
                                           "org.rawnet1.Manager", "OpenPacket");
        if (r >= 0)
                r = sd_bus_message_append(call, "sa{sv}", network, 1, "name", "s", "arp-probe");
        if (r >= 0)
                r = sd_bus_message_set_allow_interactive_authorization(call, 1);
        if (r >= 0)
                r = sd_bus_call(bus, call, DIALOGUE_USEC, ret_error, &reply);
        if (r >= 0)
                r = fd = read_descriptor(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &lease);
        if (r >= 0)
                r = read_mac(reply, mac);
        if (r < 0 && fd >= 0)
                close(fd);
        sd_bus_message_unref(call);
        sd_bus_message_unref(reply);
        return r < 0 ? r : fd;
}

static int ask(int fd, const uint8_t mac[ETH_ALEN], struct in_addr address) {
        Arp frame = {
                .ethernet = {.ether_dhost = "\xff\xff\xff\xff\xff\xff",
                             .ether_type = htons(ETHERTYPE_ARP)},
                .arp.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
                               .ar_pro = htons(ETHERTYPE_IP),
                               .ar_hln = ETH_ALEN,
                               .ar_pln = 4,
                               .ar_op = htons(ARPOP_REQUEST)},
        };

        memcpy(frame.ethernet.ether_shost, mac, ETH_ALEN);
        memcpy(frame.arp.arp_sha, mac, ETH_ALEN);
        memcpy(frame.arp.arp_tpa, &address, 4);
        return send(fd, &frame, sizeof(frame), 0) < 0 ? -errno : 0;
}

/* Waits for the answer. Returns 0, or -EAGAIN after the socket's time limit. */
static int answer(int fd, struct in_addr address, uint8_t ret_mac[ETH_ALEN]) {
        union {
                Arp arp;
                uint8_t bytes[65536];
        } frame;
        ssize_t n;

        while ((n = recv(fd, &frame, sizeof(frame), 0)) >= 0)
                if ((size_t)n >= sizeof(Arp) &&
                    frame.arp.ethernet.ether_type == htons(ETHERTYPE_ARP) &&
                    frame.arp.arp.arp_op == htons(ARPOP_REPLY) &&
                    memcmp(frame.arp.arp.arp_spa, &address, 4) == 0) {
                        memcpy(ret_mac, frame.arp.arp.arp_sha, ETH_ALEN);
                        return 0;
                }
        return -errno;
}

int main(int argc, char **argv) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        struct timeval limit = {.tv_sec = 5};
        struct in_addr address;
        uint8_t mac[ETH_ALEN], found[ETH_ALEN];
        sd_bus *bus = NULL;
        int r, fd;

        if (argc != 3 || inet_pton(AF_INET, argv[2], &address) != 1) {
                fprintf(stderr, "usage: arp-probe NETWORK ADDRESS\n");
                return 2;
        }
        r = sd_bus_open_system(&bus);
        r = fd = r < 0 ? r : open_port(bus, argv[1], mac, &error);
        if (r < 0) {
                fprintf(stderr, "arp-probe: %s\n", error.message ? error.message : strerror(-r));
                return 1;
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        r = ask(fd, mac, address);
        if (r >= 0)
                r = answer(fd, address, found);
        if (r < 0)
                fprintf(stderr, "arp-probe: %s: %s\n", argv[2],
                        r == -EAGAIN ? "no answer" : strerror(-r));
        else
                printf("%s is at %02x:%02x:%02x:%02x:%02x:%02x\n", argv[2], found[0], found[1],
                       found[2], found[3], found[4], found[5]);
        close(fd); /* the last copy: the lease ends */
        sd_bus_error_free(&error);
        sd_bus_flush_close_unref(bus);
        return r < 0;
}
