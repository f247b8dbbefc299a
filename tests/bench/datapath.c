/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How many frames a second does a path carry, one frame per system call as QEMU does it? Measures
 * any number of paths in one run, interleaved, and prints every round's figures as JSON; what may
 * be compared are the ratios within a round. It builds nothing: datapath.py sets the paths up and
 * hands them over.
 *
 *   datapath [-r ROUNDS] [-t MILLISECONDS] NAME:KEY=VALUE,… …
 *     fd=N             the port's descriptor, inherited (a lease), or
 *     tap=DEV          an existing tap to attach to, here or in netns=PATH, or
 *     packet=DEV       an AF_PACKET socket to make on that interface, likewise
 *     header=BYTES     virtio_net_hdr in front of each frame (10 for a tap or a vnet-hdr packet
 *                      port, else 0)
 *     mac=M            the port's address: source when sending, destination when receiving
 *     far=DEV          the wire's other end, in farns=PATH: frames sent are counted there, frames
 *                      received are made there
 */

#include <arpa/inet.h>
#include <assert.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/mac.h"
#include "common/text.h"
#include "helper/kernel/link.h"

#define FRAME_LENGTH 60u
#define HEADER_MAX 12u
#define BATCH 32u

enum {
        SENT,
        SENT_CPU,
        RECEIVED,
        RECEIVED_CPU,
        N_RATES
};
static const char *const rate_names[N_RATES] = {"sent", "sent_cpu", "received", "received_cpu"};

typedef struct Path {
        const char *name;
        int fd;        /* the port */
        int generator; /* AF_PACKET on the far end */
        Netlink far;   /* in the far end's namespace */
        const char *far_name;
        size_t header;
        MacAddress mac;
        /* Frames a second, by round. _cpu: by second of processor time of the busier of the threads
         * at work, which other programs on the machine disturb less. */
        double *rates[N_RATES];
} Path;

static double seconds(clockid_t clock) {
        struct timespec t;

        assert(clock_gettime(clock, &t) == 0);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int cpu) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        /* On a machine with one processor both share it; the figures say so by themselves. */
        (void)sched_setaffinity(0, sizeof(set), &set);
}

/* The shortest Ethernet frame: an IPv4 header (RFC 791) with its checksum, UDP to the discard port,
 * zeros. Valid, because a host that has br_netfilter loaded drops what is not. */
static void make_frame(uint8_t *frame, const MacAddress *to, const MacAddress *from) {
        static const uint8_t packet[] = {
                0x08, 0x00,                   /* EtherType */
                0x45, 0,    0,    46,         /* header of 20 bytes; length */
                0,    0,    0x40, 0,  64, 17, /* don't fragment; TTL; UDP */
                0,    0,                      /* checksum, below */
                10,   77,   0,    9,  10, 77, 0, 1, 0, 9, 0, 9, 0, 26};
        uint32_t sum = 0;

        memset(frame, 0, FRAME_LENGTH);
        memcpy(frame, to->octet, sizeof(to->octet));
        memcpy(frame + 6, from->octet, sizeof(from->octet));
        memcpy(frame + 12, packet, sizeof(packet));
        for (unsigned i = ETH_HLEN; i < ETH_HLEN + 20; i += 2)
                sum += (uint32_t)frame[i] << 8 | frame[i + 1];
        sum = ~((sum & 0xffff) + (sum >> 16));
        frame[24] = (uint8_t)(sum >> 8);
        frame[25] = (uint8_t)sum;
}

static uint64_t far_frames(Path *path) {
        Refusal refusal = {};
        LinkInfo info = {};

        if (link_get(&path->far, LINK_HERE, path->far_name, &info, &refusal) != 0)
                errx(1, "%s: %s: %s", path->name, path->far_name, refusal.text);
        return info.statistics.rx_packets;
}

static const MacAddress far_mac = {{0x02, 0, 0, 0, 0xfa, 0x12}};

static void measure_sending(Path *path, double duration, size_t round) {
        uint8_t buffer[HEADER_MAX + FRAME_LENGTH] = {};
        size_t size = path->header + FRAME_LENGTH;
        double start, cpu, end;
        uint64_t before, frames;

        make_frame(buffer + path->header, &far_mac, &path->mac);
        before = far_frames(path);
        start = seconds(CLOCK_MONOTONIC);
        cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        do {
                for (unsigned i = 0; i < 1000; i++)
                        if (write(path->fd, buffer, size) < 0 && errno != ENOBUFS &&
                            errno != EAGAIN)
                                err(1, "%s: write", path->name);
                end = seconds(CLOCK_MONOTONIC);
        } while (end - start < duration);
        cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        frames = far_frames(path) - before;
        path->rates[SENT][round] = (double)frames / (end - start);
        path->rates[SENT_CPU][round] = (double)frames / cpu;
}

typedef struct Generator {
        int fd;
        const MacAddress *to;
        atomic_bool stop;
        double cpu; /* seconds, once it has ended */
} Generator;

static void *generate(void *data) {
        Generator *generator = data;
        uint8_t frame[FRAME_LENGTH];
        struct iovec piece = {.iov_base = frame, .iov_len = sizeof(frame)};
        struct mmsghdr messages[BATCH] = {};

        pin(1);
        make_frame(frame, generator->to, &far_mac);
        for (unsigned i = 0; i < BATCH; i++) {
                messages[i].msg_hdr.msg_iov = &piece;
                messages[i].msg_hdr.msg_iovlen = 1;
        }
        while (!atomic_load_explicit(&generator->stop, memory_order_relaxed))
                if (sendmmsg(generator->fd, messages, BATCH, 0) < 0 && errno != ENOBUFS)
                        err(1, "generator: sendmmsg");
        generator->cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        return NULL;
}

static void drain(Path *path) {
        uint8_t buffer[2048];

        while (read(path->fd, buffer, sizeof(buffer)) > 0)
                ;
}

/* False: nothing came for a while. A reader that falls asleep between two frames would measure what
 * it costs to wake it, and that is the machine's affair and not the path's: it sleeps only when no
 * more frames seem to come. */
static bool read_one(Path *path) {
        struct pollfd wait = {.fd = path->fd, .events = POLLIN};
        uint8_t buffer[2048];

        for (unsigned tries = 0;; tries++) {
                if (read(path->fd, buffer, sizeof(buffer)) >= 0)
                        return true;
                if (errno != EAGAIN)
                        err(1, "%s: read", path->name);
                if (tries > 1000 && poll(&wait, 1, 20) == 0)
                        return false;
        }
}

static void measure_receiving(Path *path, double duration, size_t round) {
        Generator generator = {.fd = path->generator, .to = &path->mac};
        uint64_t frames = 0;
        pthread_t thread;
        double start, end, cpu;

        drain(path);
        if (pthread_create(&thread, NULL, generate, &generator) != 0)
                errx(1, "no thread for the generator");
        start = seconds(CLOCK_MONOTONIC);
        cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        do {
                for (unsigned i = 0; i < 1000; i++) {
                        if (!read_one(path))
                                break;
                        frames++;
                }
                end = seconds(CLOCK_MONOTONIC);
        } while (end - start < duration);
        cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        atomic_store(&generator.stop, true);
        pthread_join(thread, NULL);
        drain(path);
        path->rates[RECEIVED][round] = (double)frames / (end - start);
        path->rates[RECEIVED_CPU][round] =
                (double)frames / (cpu > generator.cpu ? cpu : generator.cpu);
}

static int open_tap(const char *name) {
        struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

        memccpy(request.ifr_name, name, 0, sizeof(request.ifr_name));
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
                err(1, "tap %s", name);
        return fd;
}

static int open_packet(const char *name, bool header, uint16_t protocol) {
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

static uint32_t number(const char *text) {
        uint32_t n;

        if (text_parse_u32(text, 0, 1000000, &n) < 0)
                errx(2, "'%s' is no number that fits here", text);
        return n;
}

enum {
        FD,
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
        static const char *const keys[N_KEYS] = {"fd",  "tap",   "packet", "header",
                                                 "mac", "netns", "far",    "farns"};
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

/* home: the namespace this program was started in. */
static void path_parse(Path *path, char *text, int home) {
        const char *values[N_KEYS] = {};

        path->name = strsep(&text, ":");
        if (!text)
                errx(2, "'%s': NAME:KEY=VALUE,… expected", path->name);
        words_parse(text, values);
        if (!values[MAC] || mac_parse(values[MAC], &path->mac) < 0 || !values[FAR] ||
            !values[FARNS])
                errx(2, "%s: mac=, far= and farns= are needed", path->name);
        path->header = values[HEADER] ? number(values[HEADER]) : 0;
        if (path->header > HEADER_MAX)
                errx(2, "%s: header=", path->name);
        if (setns(home, CLONE_NEWNET) < 0)
                err(1, "%s", path->name);
        if (values[NETNS])
                enter(values[NETNS]);
        if (values[TAP])
                path->fd = open_tap(values[TAP]);
        else if (values[PACKET])
                path->fd = open_packet(values[PACKET], path->header > 0, ETH_P_ALL);
        else if (values[FD])
                path->fd = (int)number(values[FD]);
        else
                errx(2, "%s: fd=, tap= or packet= is needed", path->name);
        if (fcntl(path->fd, F_SETFL, fcntl(path->fd, F_GETFL) | O_NONBLOCK) < 0)
                err(1, "%s", path->name);
        enter(values[FARNS]);
        path->far_name = values[FAR];
        path->generator = open_packet(values[FAR], false, 0);
        if (netlink_open(&path->far, NETLINK_ROUTE) < 0)
                errx(1, "%s: no netlink in %s", path->name, values[FARNS]);
}

static struct json_object *to_json(const Path *path, size_t n_rounds) {
        struct json_object *object = json_object_new_object();

        for (size_t n_rate = 0; n_rate < N_RATES; n_rate++) {
                struct json_object *rounds = json_object_new_array();

                for (size_t i = 0; i < n_rounds; i++)
                        json_object_array_add(rounds,
                                              json_object_new_double(path->rates[n_rate][i]));
                json_object_object_add(object, rate_names[n_rate], rounds);
        }
        return object;
}

static void measure(Path *paths, size_t n, size_t n_rounds, double duration) {
        for (size_t i = 0; i < n; i++) {
                for (size_t n_rate = 0; n_rate < N_RATES; n_rate++) {
                        paths[i].rates[n_rate] = calloc(n_rounds, sizeof(double));
                        if (!paths[i].rates[n_rate])
                                errx(1, "no memory");
                }
                /* Caches and the bridges' tables warm up; the first round overwrites this. */
                measure_sending(&paths[i], 0.05, 0);
                measure_receiving(&paths[i], 0.05, 0);
        }
        for (size_t round = 0; round < n_rounds; round++)
                for (size_t i = 0; i < n; i++) {
                        measure_sending(&paths[i], duration, round);
                        measure_receiving(&paths[i], duration, round);
                }
}

int main(int argc, char **argv) {
        struct json_object *result = json_object_new_object();
        size_t n_rounds = 9, milliseconds = 300, n;
        Path *paths;
        int option, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

        while ((option = getopt(argc, argv, "r:t:")) >= 0) {
                if (option == 'r')
                        n_rounds = number(optarg);
                else if (option == 't')
                        milliseconds = number(optarg);
                else
                        return 2;
        }
        n = (size_t)(argc - optind);
        paths = calloc(n + 1, sizeof(*paths));
        if (!paths || n == 0 || n_rounds == 0)
                errx(2, "nothing to measure");
        for (size_t i = 0; i < n; i++)
                path_parse(&paths[i], argv[optind + (int)i], home);
        pin(0);
        measure(paths, n, n_rounds, (double)milliseconds / 1e3);
        for (size_t i = 0; i < n; i++)
                json_object_object_add(result, paths[i].name, to_json(&paths[i], n_rounds));
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
        json_object_put(result);
        return 0;
}
