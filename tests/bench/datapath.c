/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How many frames a second does a path carry, one frame per system call as QEMU does it? Measures
 * any number of paths in one run, interleaved, and prints every round's figures as JSON; what may
 * be compared are the ratios within a round. It builds nothing: datapath.py sets the paths up and
 * hands them over.
 *
 *   datapath [-r ROUNDS] [-t MILLISECONDS] NAME:KEY=VALUE,… …        path.h has the words
 */

#include <assert.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "path.h"

#define BATCH 32u

enum {
        SENT,
        SENT_CPU,
        RECEIVED,
        RECEIVED_CPU,
        N_RATES
};
static const char *const rate_names[N_RATES] = {"sent", "sent_cpu", "received", "received_cpu"};

typedef struct Measured {
        Path path;
        /* Frames a second, by round. _cpu: by second of processor time of the busier of the threads
         * at work, which other programs on the machine disturb less. */
        double *rates[N_RATES];
} Measured;

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

static void measure_sending(Measured *measured, double duration, size_t round) {
        Path *path = &measured->path;
        uint8_t buffer[HEADER_MAX + FRAME_SHORT] = {};
        size_t size = path->header + FRAME_SHORT;
        double start, cpu, end;
        uint64_t before, frames;

        path_frame(buffer + path->header, FRAME_SHORT, &path_far_mac, &path->mac);
        before = path_far_frames(path);
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
        frames = path_far_frames(path) - before;
        measured->rates[SENT][round] = (double)frames / (end - start);
        measured->rates[SENT_CPU][round] = (double)frames / cpu;
}

typedef struct Generator {
        int fd;
        const MacAddress *to;
        atomic_bool stop;
        double cpu; /* seconds, once it has ended */
} Generator;

static void *generate(void *data) {
        Generator *generator = data;
        uint8_t frame[FRAME_SHORT];
        struct iovec piece = {.iov_base = frame, .iov_len = sizeof(frame)};
        struct mmsghdr messages[BATCH] = {};

        pin(1);
        path_frame(frame, FRAME_SHORT, generator->to, &path_far_mac);
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

/* False: nothing came for a while. A reader that falls asleep between two frames would measure what
 * it costs to wake it, and that is the machine's affair and not the path's: it sleeps only when no
 * more frames seem to come. */
static bool read_one(const Path *path) {
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

static void measure_receiving(Measured *measured, double duration, size_t round) {
        const Path *path = &measured->path;
        Generator generator = {.fd = path->generator, .to = &path->mac};
        uint64_t frames = 0;
        pthread_t thread;
        double start, end, cpu;

        path_drain(path);
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
        path_drain(path);
        measured->rates[RECEIVED][round] = (double)frames / (end - start);
        measured->rates[RECEIVED_CPU][round] =
                (double)frames / (cpu > generator.cpu ? cpu : generator.cpu);
}

static struct json_object *to_json(const Measured *measured, size_t n_rounds) {
        struct json_object *object = json_object_new_object();

        for (size_t n_rate = 0; n_rate < N_RATES; n_rate++) {
                struct json_object *rounds = json_object_new_array();

                for (size_t i = 0; i < n_rounds; i++)
                        json_object_array_add(rounds,
                                              json_object_new_double(measured->rates[n_rate][i]));
                json_object_object_add(object, rate_names[n_rate], rounds);
        }
        return object;
}

static void measure(Measured *paths, size_t n, size_t n_rounds, double duration) {
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
        Measured *paths;
        int option, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

        while ((option = getopt(argc, argv, "r:t:")) >= 0) {
                if (option == 'r')
                        n_rounds = path_number(optarg);
                else if (option == 't')
                        milliseconds = path_number(optarg);
                else
                        return 2;
        }
        n = (size_t)(argc - optind);
        paths = calloc(n + 1, sizeof(*paths));
        if (!paths || n == 0 || n_rounds == 0)
                errx(2, "nothing to measure");
        for (size_t i = 0; i < n; i++)
                path_parse(&paths[i].path, argv[optind + (int)i], home);
        pin(0);
        measure(paths, n, n_rounds, (double)milliseconds / 1e3);
        for (size_t i = 0; i < n; i++)
                json_object_object_add(result, paths[i].path.name, to_json(&paths[i], n_rounds));
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
        json_object_put(result);
        return 0;
}
