/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/guard-program.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "helper/guard/guard.skel.h"

/* A map that outlives the helper. Its name in the store contains the layout, so that no map of
 * another layout is taken for it. */
typedef struct Map {
        const char *stored_name;
        struct bpf_map *map;
} Map;

#define MAPS 4u
#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define STORED_PREFIX "guard-" STRINGIFY(GUARD_LAYOUT) "-"

static void list_maps(const struct guard_bpf *skeleton, Map ret[static MAPS]) {
        ret[0] = (Map){STORED_PREFIX "entries", skeleton->maps.bss};
        ret[1] = (Map){STORED_PREFIX "counters", skeleton->maps.guard_counters};
        ret[2] = (Map){STORED_PREFIX "events", skeleton->maps.guard_events};
        ret[3] = (Map){STORED_PREFIX "locks", skeleton->maps.guard_locks};
}

/* Messages of libbpf and of the verifier go to the journal. */
_printf_(2, 0) static int print(enum libbpf_print_level level, const char *format, va_list ap) {
        char text[1024];

        if (level == LIBBPF_DEBUG)
                return 0;
        vsnprintf(text, sizeof(text), format, ap);
        text[strcspn(text, "\n")] = '\0';
        log_warning("%s", text);
        return 0;
}

static int find_stored(const char *name, const GuardStored *stored, size_t n_stored) {
        for (size_t i = 0; i < n_stored; i++)
                if (strcmp(stored[i].name, name) == 0)
                        return stored[i].fd;
        return -1;
}

/* Is it what the programs expect? Any other descriptor is refused by the kernel. */
static bool fits(const struct bpf_map *map, int fd) {
        struct bpf_map_info info = {};
        uint32_t size = sizeof(info);

        return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
               info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
               info.value_size == bpf_map__value_size(map) &&
               info.max_entries == bpf_map__max_entries(map) &&
               info.map_flags == bpf_map__map_flags(map);
}

/* All of them or none: the programs of one lease use them together. */
static bool reuse_maps(const struct guard_bpf *skeleton, const GuardStored *stored,
                       size_t n_stored) {
        Map maps[MAPS];

        list_maps(skeleton, maps);
        for (size_t i = 0; i < MAPS; i++)
                if (!fits(maps[i].map, find_stored(maps[i].stored_name, stored, n_stored)))
                        return false;
        for (size_t i = 0; i < MAPS; i++)
                if (bpf_map__reuse_fd(maps[i].map,
                                      find_stored(maps[i].stored_name, stored, n_stored)) < 0)
                        return false;
        return true;
}

/* FDPOLL=0: a map has nothing to poll, which systemd would take for an error. sd_notify(3) */
static void store_maps(const struct guard_bpf *skeleton) {
        Map maps[MAPS];

        list_maps(skeleton, maps);
        for (size_t i = 0; i < MAPS; i++) {
                const int fd = bpf_map__fd(maps[i].map);
                char text[128];

                snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", maps[i].stored_name);
                (void)sd_pid_notify_with_fds(0, false, text, &fd, 1);
        }
}

static void forget_stored(const GuardStored *stored, size_t n_stored) {
        for (size_t i = 0; i < n_stored; i++)
                (void)sd_notifyf(false, "FDSTOREREMOVE=1\nFDNAME=%s", stored[i].name);
}

static int keep(int fd, int *ret) {
        if (fd < 0)
                return fd;
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? -errno : 0;
}

static int map_entries(GuardProgram *program, uint32_t first, uint32_t n) {
        void *entries = mmap(NULL, n * sizeof(GuardEntry), PROT_READ | PROT_WRITE, MAP_SHARED,
                             program->fd[GUARD_ENTRIES], (off_t)(first * sizeof(GuardEntry)));

        if (entries == MAP_FAILED)
                return -errno;
        program->entries = entries;
        program->first = first;
        program->n_entries = n;
        return 0;
}

int guard_program_map(GuardProgram *program, uint32_t id) {
        const uint32_t n = (uint32_t)sysconf(_SC_PAGESIZE) / sizeof(GuardEntry);

        return map_entries(program, GUARD_NUMBER(id) / n * n, n);
}

void guard_program_forget(GuardProgram *program) {
        if (program->entries)
                (void)munmap(program->entries, program->n_entries * sizeof(GuardEntry));
        program->entries = NULL;
}

/* Copies what must outlive the skeleton. */
static int keep_handles(const struct guard_bpf *skeleton, GuardProgram *program) {
        const int fds[GUARD_HANDLES] = {
                [GUARD_FROM_WIRE] = bpf_program__fd(skeleton->progs.from_wire),
                [GUARD_FROM_GUEST] = bpf_program__fd(skeleton->progs.from_guest),
                [GUARD_TO_CHECK] = bpf_program__fd(skeleton->progs.to_check),
                [GUARD_DEAD_END] = bpf_program__fd(skeleton->progs.dead_end),
                [GUARD_COUNTERS] = bpf_map__fd(skeleton->maps.guard_counters),
                [GUARD_ENTRIES] = bpf_map__fd(skeleton->maps.bss),
                [GUARD_LOCKS] = bpf_map__fd(skeleton->maps.guard_locks),
        };
        int r = keep(bpf_map__fd(skeleton->maps.guard_events), &program->events_fd);

        for (size_t i = 0; r == 0 && i < GUARD_HANDLES; i++)
                r = keep(fds[i], &program->fd[i]);
        if (r < 0)
                return r;
        _Static_assert(sizeof(*skeleton->bss) == GUARD_LEASES * sizeof(GuardEntry),
                       "the entries are all of .bss");
        r = map_entries(program, 0, GUARD_LEASES);
        if (r == 0 && madvise(program->entries, sizeof(*skeleton->bss), MADV_DONTFORK) < 0)
                r = -errno;
        return r;
}

static int load(GuardProgram *program, const GuardStored *stored, size_t n_stored) {
        struct guard_bpf *skeleton;
        bool reused;
        int r;

        libbpf_set_print(print);
        skeleton = guard_bpf__open();
        if (!skeleton)
                return -errno;
        reused = reuse_maps(skeleton, stored, n_stored);
        if (!reused && n_stored > 0) {
                log_notice(
                        "the guard's maps that systemd has kept are another version's; leases that "
                        "are open keep their guard, but their drops are no longer counted");
                /* Some of them may have been taken over already. */
                guard_bpf__destroy(skeleton);
                forget_stored(stored, n_stored);
                skeleton = guard_bpf__open();
                if (!skeleton)
                        return -errno;
        }
        r = guard_bpf__load(skeleton);
        if (r == 0)
                r = keep_handles(skeleton, program);
        if (r == 0 && !reused)
                store_maps(skeleton);
        guard_bpf__destroy(skeleton);
        return r;
}

static void let_go(GuardProgram *program) {
        guard_program_forget(program);
        for (size_t i = 0; i < GUARD_HANDLES; i++)
                program->fd[i] = safe_close(program->fd[i]);
        program->events_fd = safe_close(program->events_fd);
}

void guard_program_load(GuardProgram *ret, const GuardStored *stored, size_t n_stored) {
        GuardProgram program = {.events_fd = -1};
        int r;

        for (size_t i = 0; i < GUARD_HANDLES; i++)
                program.fd[i] = -1;
        r = load(&program, stored, n_stored);
        for (size_t i = 0; i < n_stored; i++)
                safe_close(stored[i].fd);
        if (r < 0) {
                let_go(&program);
                snprintf(
                        program.missing, sizeof(program.missing),
                        r == -EPERM || r == -EACCES
                                ? "this system does not let rawnet-helper load the eBPF program that "
                                  "guards every port (%s); it needs CAP_BPF, as "
                                  "rawnet-helper.service gives it"
                                : "the kernel does not take the eBPF program that guards every port "
                                  "(%s); rawnet needs Linux 5.19 or newer with CONFIG_BPF_SYSCALL",
                        strerror(-r));
                log_error("%s", program.missing);
        }
        *ret = program;
}

static GuardEntry *entry_of(const GuardProgram *program, uint32_t id) {
        const uint32_t number = GUARD_NUMBER(id);

        assert(program->entries && number - program->first < program->n_entries);
        return &program->entries[number - program->first];
}

/* `longest` and `ordinary` alone make an entry active: guard-entry.h. */
void guard_program_set(const GuardProgram *program, uint32_t id, const GuardEntry *entry) {
        GuardEntry *e = entry_of(program, id), inactive = *entry;

        inactive.longest = inactive.ordinary = 0;
        __atomic_store_n(&e->ordinary, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&e->longest, 0, __ATOMIC_SEQ_CST);
        *e = inactive;
        __atomic_store_n(&e->longest, entry->longest, __ATOMIC_SEQ_CST);
        __atomic_store_n(&e->ordinary, entry->ordinary, __ATOMIC_SEQ_CST);
}

int guard_program_lock(const GuardProgram *program, uint32_t id, const GuardLock *lock) {
        return bpf_map_update_elem(program->fd[GUARD_LOCKS], &id, lock, BPF_ANY);
}

int guard_program_read_lock(const GuardProgram *program, uint32_t id, GuardLock *ret) {
        GuardLock lock = {};
        int r = bpf_map_lookup_elem(program->fd[GUARD_LOCKS], &id, &lock);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = lock;
        return 0;
}

int guard_program_remove(const GuardProgram *program, uint32_t id) {
        const GuardEntry none = {};
        GuardProgram mine = *program;
        int r = program->entries ? 0 : guard_program_map(&mine, id);

        if (r < 0)
                return r;
        guard_program_set(&mine, id, &none);
        if (!program->entries)
                guard_program_forget(&mine);
        r = bpf_map_delete_elem(program->fd[GUARD_LOCKS], &id);
        if (r < 0 && r != -ENOENT)
                return r;
        r = bpf_map_delete_elem(program->fd[GUARD_COUNTERS], &id);
        return r == -ENOENT ? 0 : r;
}

bool guard_program_active(const GuardProgram *program, uint32_t id) {
        return __atomic_load_n(&entry_of(program, id)->longest, __ATOMIC_SEQ_CST) != 0;
}

int guard_program_next(const GuardProgram *program, uint32_t *id) {
        uint32_t next;
        int r = bpf_map_get_next_key(program->fd[GUARD_COUNTERS], *id > 0 ? id : NULL, &next);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        *id = next;
        return 1;
}

int guard_program_drops(const GuardProgram *program, uint32_t id,
                        uint64_t ret[static GUARD_REASONS]) {
        GuardCounters counters = {};
        int r = bpf_map_lookup_elem(program->fd[GUARD_COUNTERS], &id, &counters);

        if (r < 0 && r != -ENOENT)
                return r;
        memcpy(ret, counters.frames, GUARD_REASONS * sizeof(*ret));
        return 0;
}

static int on_event(void *data, void *event, size_t size) {
        const GuardWatch *watch = data;

        if (size >= sizeof(GuardEvent))
                watch->dropped(watch->data, event);
        return 0;
}

int guard_program_watch(const GuardProgram *program, GuardWatch *watch, int *ret_fd) {
        watch->ring = ring_buffer__new(program->events_fd, on_event, watch, NULL);
        if (!watch->ring)
                return -errno;
        *ret_fd = ring_buffer__epoll_fd(watch->ring);
        return 0;
}

int guard_watch_read(GuardWatch *watch) {
        int r = ring_buffer__consume(watch->ring);

        return MIN_OF(r, 0);
}

void guard_watch_close(GuardWatch *watch) {
        ring_buffer__free(watch->ring);
        watch->ring = NULL;
}
