/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How many instructions does a frame take by a back end, a process of its own (rawnet-vhost) whose
 * guest runs beside it? In the machine of counted.c: a nanosecond of processor time is an
 * instruction there. The guest's own work is not counted, the back end's is, and what the kernel
 * does with a frame that arrives for it.
 *
 *   counted-back [-c CHUNKS] sent LENGTH NAME:KEY=VALUE,…       the guest sends all the time
 *   counted-back [-c CHUNKS] received LENGTH NAME:KEY=VALUE,…   the guest takes what comes
 *
 * LENGTH is short or long; path.h has the words. Prints the instructions of each chunk of 64 frames
 * as a JSON array; those of "received" with the sending's own.
 */

#include <dirent.h>
#include <err.h>
#include <inttypes.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "messages.h"
#include "path.h"

/* Until the guest has offered each of its buffers once: the back end's first write to one is a page
 * fault. */
#define WARM_UP 8u

static Messages out;

static void pass(long milliseconds) {
        struct timespec t = {.tv_nsec = milliseconds * 1000000};

        nanosleep(&t, NULL);
}

static uint64_t own_time(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Nanoseconds on the processor so far, of all threads of a process that does not run just now. */
static uint64_t back_time(const Path *path) {
        _cleanup_free_ char *directory = NULL;
        struct dirent *entry;
        uint64_t sum = 0;
        DIR *tasks;

        if (asprintf(&directory, "/proc/%d/task", path->back) < 0)
                errx(1, "no memory");
        tasks = opendir(directory);
        if (!tasks)
                err(1, "%s: the back end", path->name);
        while ((entry = readdir(tasks))) {
                _cleanup_free_ char *file = NULL;
                uint64_t nanoseconds;
                FILE *stream;

                if (entry->d_name[0] == '.')
                        continue;
                if (asprintf(&file, "%s/%s/schedstat", directory, entry->d_name) < 0)
                        errx(1, "no memory");
                stream = fopen(file, "re");
                if (!stream || fscanf(stream, "%" SCNu64, &nanoseconds) != 1)
                        err(1, "%s", file);
                sum += nanoseconds;
                fclose(stream);
        }
        closedir(tasks);
        return sum;
}

static uint64_t chunk_sent(Path *path) {
        uint64_t time = back_time(path), frames = path_far_frames(path);

        pass(20);
        time = back_time(path) - time;
        frames = path_far_frames(path) - frames;
        if (frames == 0)
                errx(1, "%s: the guest sends nothing", path->name);
        return time * MESSAGES_MAX / frames;
}

static void stop(const Path *path, bool yes) {
        if (kill(path->back, yes ? SIGSTOP : SIGCONT) < 0)
                err(1, "%s: the back end", path->name);
        if (yes)
                pass(5);
}

/* The back end stands still while the frames come. It would run after each frame or after many of
 * them otherwise, as the scheduler likes it. */
static uint64_t chunk_received(Path *path) {
        uint64_t own, before, last, now;
        unsigned looks = 0;

        stop(path, true);
        before = now = back_time(path);
        own = own_time();
        messages_send(&out, path->name, path->generator);
        own = own_time() - own;
        stop(path, false);
        do {
                last = now;
                pass(5);
                now = back_time(path);
                if (looks++ > 400)
                        errx(1, "%s: the back end does not come to rest", path->name);
        } while (now != last || now == before);
        return own + now - before;
}

int main(int argc, char **argv) {
        struct json_object *found = json_object_new_array();
        int option, home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        size_t n_chunks = 9, length = 0;
        Path path = {};
        bool sent;

        while ((option = getopt(argc, argv, "c:")) >= 0) {
                if (option != 'c')
                        return 2;
                n_chunks = path_number(optarg);
        }
        if (argc != optind + 3)
                errx(2, "counted-back [-c CHUNKS] sent|received short|long NAME:KEY=VALUE,…");
        sent = strcmp(argv[optind], "sent") == 0;
        for (size_t i = 0; i < N_FRAME_LENGTHS; i++)
                if (strcmp(argv[optind + 1], frame_lengths[i].name) == 0)
                        length = frame_lengths[i].bytes;
        path_parse(&path, argv[optind + 2], home);
        if (length == 0 || path.back == 0)
                errx(2, "a LENGTH and a back end are needed");
        messages_fill(&out, 0, length, &path.mac, &path_far_mac);
        for (size_t i = 0; i < n_chunks + WARM_UP; i++) {
                uint64_t instructions = sent ? chunk_sent(&path) : chunk_received(&path);

                if (i >= WARM_UP)
                        json_object_array_add(found, json_object_new_int64((int64_t)instructions));
        }
        puts(json_object_to_json_string(found));
        json_object_put(found);
        return 0;
}
