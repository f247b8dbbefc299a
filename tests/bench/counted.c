/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How many instructions does a frame take? Runs in a virtual machine whose time stamp counter
 * counts its one processor's instructions (tools/vm --counted), so that a difference of two reads
 * of the counter is what the machine did in between, system calls and softirqs included. It builds
 * nothing: counted-guest.py sets the paths up and hands them over.
 *
 *   counted [-c CHUNKS] IDLE NAME:KEY=VALUE,… …         path.h has the words
 *
 * Prints for each path, and in the name "" for sending into the interface IDLE, which drops what is
 * sent, the instructions of each chunk as JSON: {NAME: {short|long: {sent|received: {1|64: […]}}}}.
 * It must never wait: the counter of such a machine leaps over the time in which it waits.
 */

#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <sched.h>
#include <sys/socket.h>
#include <x86intrin.h>

#include "messages.h"
#include "path.h"

#define CHUNK MESSAGES_MAX

static Messages out, in;

/* Instructions of a chunk of frames that the port sends; the wire's far end has dropped them when
 * this returns. */
static uint64_t chunk_sent(const Path *path, bool batch) {
        uint64_t start = __rdtsc();

        if (batch)
                messages_send(&out, path->name, path->fd);
        else
                for (unsigned i = 0; i < CHUNK; i++)
                        if (write(path->fd, out.data[i], out.parts[i].iov_len) < 0)
                                err(1, "%s: write", path->name);
        return __rdtsc() - start;
}

/* The same for frames that the far end sends and the port's holder reads. */
static uint64_t chunk_received(const Path *path, bool batch) {
        uint64_t start = __rdtsc();
        unsigned n = 0;

        messages_send(&out, path->name, path->generator);
        if (batch) {
                int got = recvmmsg(path->fd, in.messages, CHUNK, MSG_DONTWAIT, NULL);

                n = got < 0 ? 0 : (unsigned)got;
        } else {
                while (n < CHUNK && read(path->fd, in.data[0], sizeof(in.data[0])) > 0)
                        n++;
        }
        start = __rdtsc() - start;
        if (n != CHUNK)
                errx(1, "%s: %u of %u frames came", path->name, n, CHUNK);
        return start;
}

static uint64_t chunk_idle(const Path *path, bool batch) {
        uint64_t start = __rdtsc();

        messages_send(&out, path->name, path->generator);
        return __rdtsc() - start;
}

typedef uint64_t (*Chunk)(const Path *path, bool batch);

static void measure(struct json_object *object, const Path *path, Chunk chunk, bool batch,
                    size_t n_chunks) {
        struct json_object *found = json_object_new_array();

        /* The first one warms up. */
        for (size_t i = 0; i < n_chunks + 1; i++) {
                uint64_t instructions = chunk(path, batch);

                if (i > 0)
                        json_object_array_add(found, json_object_new_int64((int64_t)instructions));
        }
        json_object_object_add(object, batch ? "64" : "1", found);
}

/* Can the descriptor take many frames a call? A tap cannot. */
static bool is_socket(int fd) {
        int type;
        socklen_t size = sizeof(type);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* A bridge learns where the frames' addresses are: it sends to one port from then on, not to all.
 */
static void introduce(const Path *path) {
        messages_fill(&out, 0, FRAME_SHORT, &path->mac, &path_far_mac);
        messages_send(&out, path->name, path->generator);
        path_drain(path);
}

static struct json_object *measure_path(Path *path, size_t length, size_t n_chunks) {
        struct json_object *both = json_object_new_object(), *sent = json_object_new_object(),
                           *received = json_object_new_object();
        bool many = is_socket(path->fd);
        uint64_t before;

        introduce(path);
        before = path_far_frames(path);
        messages_fill(&out, path->header, length, &path_far_mac, &path->mac);
        measure(sent, path, chunk_sent, false, n_chunks);
        if (many)
                measure(sent, path, chunk_sent, true, n_chunks);
        before = path_far_frames(path) - before;
        if (before != (many ? 2 : 1) * (n_chunks + 1) * CHUNK)
                errx(1, "%s: %ju frames arrived, not all", path->name, (uintmax_t)before);
        path_drain(path);
        messages_fill(&out, 0, length, &path->mac, &path_far_mac);
        messages_prepare(&in, sizeof(in.data[0]));
        measure(received, path, chunk_received, false, n_chunks);
        if (many)
                measure(received, path, chunk_received, true, n_chunks);
        json_object_object_add(both, "sent", sent);
        json_object_object_add(both, "received", received);
        return both;
}

static struct json_object *measure_idle(const char *name, size_t length, size_t n_chunks) {
        Path path = {.name = name, .fd = -1, .generator = path_open_packet(name, false, 0)};
        struct json_object *both = json_object_new_object(), *sent = json_object_new_object();

        messages_fill(&out, 0, length, &path.mac, &path_far_mac);
        measure(sent, &path, chunk_idle, true, n_chunks);
        json_object_object_add(both, "sent", sent);
        close(path.generator);
        return both;
}

int main(int argc, char **argv) {
        struct json_object *result = json_object_new_object();
        int option, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        size_t n_chunks = 21, n;
        struct json_object *of;
        const char *idle;
        Path *paths;

        while ((option = getopt(argc, argv, "c:")) >= 0) {
                if (option != 'c')
                        return 2;
                n_chunks = path_number(optarg);
        }
        if (argc < optind + 2 || n_chunks == 0)
                errx(2, "nothing to measure");
        idle = argv[optind++];
        n = (size_t)(argc - optind);
        paths = calloc(n, sizeof(*paths));
        if (!paths)
                errx(1, "no memory");
        of = json_object_new_object();
        for (size_t j = 0; j < N_FRAME_LENGTHS; j++)
                json_object_object_add(of, frame_lengths[j].name,
                                       measure_idle(idle, frame_lengths[j].bytes, n_chunks));
        json_object_object_add(result, "", of);
        for (size_t i = 0; i < n; i++)
                path_parse(&paths[i], argv[optind + (int)i], home);
        for (size_t i = 0; i < n; i++) {
                warnx("%s (%zu of %zu)", paths[i].name, i + 1, n);
                of = json_object_new_object();
                for (size_t j = 0; j < N_FRAME_LENGTHS; j++)
                        json_object_object_add(
                                of, frame_lengths[j].name,
                                measure_path(&paths[i], frame_lengths[j].bytes, n_chunks));
                json_object_object_add(result, paths[i].name, of);
        }
        puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PRETTY));
        json_object_put(result);
        return 0;
}
