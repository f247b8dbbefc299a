/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The search path: which file is a network's, may it be believed, is it finished, which networks
 * are there. A file is judged by the open descriptor, never by its name a second time. Never
 * writes, never follows a name outside the directories except by an administrator's own symbolic
 * link, whose target must pass the same checks.
 *
 * A writer that writes in place (a shell's '>', cp, some editors) empties the file first and may
 * write it in pieces. The first half of a file can be valid and mean something else (VLAN=10 of
 * VLAN=100), so no file is used while it may still grow.
 */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/network-file.h"

#define SUFFIX ".conf"

/* A file counts as finished when nothing has changed it for so long. */
#define FINISHED_USEC UINT64_C(100000)
/* An empty file and a last line without its newline are what an interrupted writer leaves; some
 * editors leave them for good. */
#define CUT_OFF_USEC UINT64_C(1000000)
/* network_file_load_wait() */
#define WAIT_STEP_USEC UINT64_C(25000)

static const char *const network_dirs[] = {RAWNET_NETWORK_DIRS, NULL};

/* The file that was found first. */
typedef struct Found {
        char path[sizeof(((Network *)NULL)->path)];
        int fd;
        struct stat st;
} Found;

static void found_close(Found *found) {
        found->fd = safe_close(found->fd);
}

/* linux/major.h: MEM_MAJOR 1, Documentation/admin-guide/devices.txt: 3 is /dev/null. */
static bool is_dev_null(const struct stat *st) {
        return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static bool is_mask(const struct stat *st) {
        return is_dev_null(st) || (S_ISREG(st->st_mode) && st->st_size == 0);
}

/* An error of this process or of the whole system, not of the file. */
static bool is_our_trouble(int errnum) {
        return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == EINTR;
}

/* The first NAME.conf of dirs, opened. The path stays set where the file cannot be opened. Returns
 * 1, 0 (there is none), or -errno. */
static int find_file(const char *const *dirs, const char *name, Found *ret) {
        for (; *dirs; dirs++) {
                struct stat st;
                int n;

                n = snprintf(ret->path, sizeof(ret->path), "%s/%s" SUFFIX, *dirs, name);
                if (n < 0 || (size_t)n >= sizeof(ret->path))
                        return -ENAMETOOLONG;
                /* NONBLOCK, NOCTTY: a FIFO or terminal in the directory must neither block a daemon
                 * nor become its terminal. */
                ret->fd = open(ret->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (ret->fd >= 0) {
                        if (fstat(ret->fd, &ret->st) < 0) {
                                int r = -errno;

                                found_close(ret);
                                return r;
                        }
                        return 1;
                }
                if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
                /* A link that leads nowhere is reported as a mistake, not as the absence of a file.
                 */
                if (lstat(ret->path, &st) == 0)
                        return -ENOENT;
                if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
        }
        return 0;
}

static int bad_file(const char *name, const char *path, Network *ret, Refusal *ret_refusal,
                    const char *reason) {
        int r;

        r = refuse(ret_refusal, RAWNET_BAD_NETWORK_FILE, "network %s: %s: %s", name, path, reason);
        memset(ret->name, 0, sizeof(ret->name));
        memcpy(ret->name, name, strlen(name));
        memcpy(ret->path, path, strlen(path) + 1);
        return r;
}

/* The whole text, at most one byte more than is allowed. Returns its size or -errno. */
static ssize_t read_text(int fd, char *buffer, size_t size) {
        size_t used = 0;

        while (used < size) {
                ssize_t n = read(fd, buffer + used, size - used);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        return (ssize_t)used;
}

static bool same_time(struct timespec a, struct timespec b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Not the mtime: every write sets the ctime as well, and no program can set it to another time
 * (inode(7)). A ctime in the future comes from a clock that was set back or from another machine.
 * It says nothing, and must not block for ever. */
static bool changed_within(const struct stat *st, uint64_t usec) {
        uint64_t now = clock_usec(CLOCK_REALTIME);
        uint64_t changed =
                (uint64_t)st->st_ctim.tv_sec * 1000000 + (uint64_t)st->st_ctim.tv_nsec / 1000;

        return st->st_ctim.tv_sec >= 0 && changed <= now && now - changed < usec;
}

/* before and after: the file's status around the reading of text. */
static bool is_being_written(const struct stat *before, const struct stat *after, const char *text,
                             size_t size) {
        bool cut_off = size == 0 || text[size - 1] != '\n';

        return before->st_size != after->st_size || !same_time(before->st_mtim, after->st_mtim) ||
               !same_time(before->st_ctim, after->st_ctim) ||
               changed_within(after, cut_off ? CUT_OFF_USEC : FINISHED_USEC);
}

static int being_written(const char *name, const char *path, Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_NETWORK_BUSY,
                      "network %s: %s is being written; try again when it is finished", name, path);
}

/* Is there a file NAME in place of NAME.conf? A usual mistake. */
static bool lacks_suffix(const char *const *dirs, const char *name, char *path, size_t size) {
        struct stat st;

        for (; *dirs; dirs++) {
                int n = snprintf(path, size, "%s/%s", *dirs, name);

                if (n > 0 && (size_t)n < size && lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
                        return true;
        }
        return false;
}

/* named: name may be a part of a path. */
static int not_found(const char *name, bool named, const char *const *dirs, Refusal *ret_refusal) {
        char path[sizeof(((Network *)NULL)->path)];

        if (named && lacks_suffix(dirs, name, path, sizeof(path)))
                return refuse(ret_refusal, RAWNET_NO_SUCH_NETWORK,
                              "network %s: %s is not read, because its name does not end in " SUFFIX
                              "; an administrator renames it to %s" SUFFIX,
                              name, path, name);
        return refuse(
                ret_refusal, RAWNET_NO_SUCH_NETWORK,
                "network %.40s: there is no such network; rawnetctl networks shows what there is, "
                "and an administrator adds one as %s/%.40s" SUFFIX,
                name, dirs[0], name);
}

/* May the file be believed? NULL, or why not and what to do. */
static const char *untrusted(const Found *found, uid_t owner, char *buffer, size_t size) {
        const struct stat *st = &found->st;

        if (!S_ISREG(st->st_mode))
                return "it is not a regular file; write the network's settings into one";
        if (st->st_uid != owner) {
                char name[16];

                snprintf(name, sizeof(name), "%u", owner);
                if (owner == 0)
                        memcpy(name, "root", sizeof("root"));
                snprintf(buffer, size,
                         "it belongs to user %u and must belong to %s; an administrator checks "
                         "its contents, then runs: chown %s %s",
                         st->st_uid, name, name, found->path);
                return buffer;
        }
        if (st->st_mode & (S_IWGRP | S_IWOTH)) {
                snprintf(buffer, size,
                         "its group or others may write to it; an administrator checks its "
                         "contents, then runs: chmod 644 %s",
                         found->path);
                return buffer;
        }
        return NULL;
}

/* The file's whole text, once it is finished. 0, RAWNET_NETWORK_BUSY or -errno; *ret_text is the
 * caller's to free. */
static int read_finished(const Found *found, const char *name, char **ret_text, size_t *ret_size,
                         Refusal *ret_refusal) {
        _cleanup_free_ char *text = malloc(NETWORK_FILE_SIZE_MAX + 1);
        struct stat after;
        ssize_t size;

        if (!text)
                return -ENOMEM;
        size = read_text(found->fd, text, NETWORK_FILE_SIZE_MAX + 1);
        if (size < 0)
                return (int)size;
        if (fstat(found->fd, &after) < 0)
                return -errno;
        if (is_being_written(&found->st, &after, text, (size_t)size))
                return being_written(name, found->path, ret_refusal);
        *ret_text = TAKE_PTR(text);
        *ret_size = (size_t)size;
        return 0;
}

static int cannot_open(const char *name, const Found *found, int errnum, Network *ret,
                       Refusal *ret_refusal) {
        char reason[160];

        snprintf(reason, sizeof(reason), "it cannot be opened: %s; an administrator %s",
                 strerrordesc_np(errnum),
                 errnum == EACCES ? "runs chmod 644 on it, and chmod 755 on its directory"
                                  : "corrects or removes it");
        return bad_file(name, found->path, ret, ret_refusal, reason);
}

static int masked(const char *name, const Found *found, Refusal *ret_refusal) {
        return refuse(
                ret_refusal, RAWNET_NO_SUCH_NETWORK,
                "network %s: %s %s, which disables (masks) this network; an administrator removes "
                "that file, or writes a [Network] section into a new one",
                name, found->path, is_dev_null(&found->st) ? "is /dev/null" : "is empty");
}

int network_file_load_at(const char *const *dirs, uid_t owner, const char *name, Network *ret,
                         Refusal *ret_refusal) {
        _cleanup_(found_close) Found found = {.fd = -1};
        _cleanup_free_ char *text = NULL;
        char buffer[sizeof(found.path) + 160];
        const char *reason;
        size_t length = network_name_length(name), size = 0;
        int r;

        /* No other text may become a part of a path. */
        if (length == 0 || length > RAWNET_NETWORK_NAME_MAX || name[length] != '\0')
                return not_found(name, false, dirs, ret_refusal);
        r = find_file(dirs, name, &found);
        if (r == 0)
                return not_found(name, true, dirs, ret_refusal);
        if (r == -ENAMETOOLONG || is_our_trouble(-r))
                return r;
        if (r < 0)
                return cannot_open(name, &found, -r, ret, ret_refusal);
        reason = untrusted(&found, owner, buffer, sizeof(buffer));
        if (is_mask(&found.st) && (reason || !changed_within(&found.st, CUT_OFF_USEC)))
                return masked(name, &found, ret_refusal);
        /* Before any wait: a writer whom nobody trusts cannot keep a daemon busy. */
        if (reason)
                return bad_file(name, found.path, ret, ret_refusal, reason);
        r = read_finished(&found, name, &text, &size, ret_refusal);
        if (r != 0)
                return r;
        /* Emptied since it was found, and for long enough: the next reader reports the mistake. */
        return size == 0 ? being_written(name, found.path, ret_refusal)
                         : network_file_parse(found.path, name, text, size, ret, ret_refusal);
}

/* FNV-1a (draft-eastlake-fnv). A secret is not needed: only the administrator could make two states
 * that look the same. */
static void mix(uint64_t *state, uint64_t value) {
        for (unsigned i = 0; i < sizeof(value); i++) {
                *state ^= value >> 8 * i & 0xff;
                *state *= UINT64_C(0x100000001b3);
        }
}

static void mix_file(uint64_t *state, const struct stat *st) {
        const uint64_t values[] = {st->st_dev,
                                   st->st_ino,
                                   (uint64_t)st->st_size,
                                   (uint64_t)st->st_mtim.tv_sec,
                                   (uint64_t)st->st_mtim.tv_nsec,
                                   (uint64_t)st->st_ctim.tv_sec,
                                   (uint64_t)st->st_ctim.tv_nsec};

        for (size_t i = 0; i < ARRAY_SIZE(values); i++)
                mix(state, values[i]);
}

int network_file_state_at(const char *const *dirs, const char *name, uint64_t *ret) {
        uint64_t state = UINT64_C(0xcbf29ce484222325);
        _cleanup_(found_close) Found found = {.fd = -1};
        struct stat st;
        int r;

        r = find_file(dirs, name, &found);
        if (r < 0)
                return r;
        if (r > 0)
                mix_file(&state, &found.st);
        /* A file that came and went in between has changed its directory. */
        for (size_t i = 0; r == 0 && dirs[i]; i++) {
                if (stat(dirs[i], &st) == 0)
                        mix_file(&state, &st);
                else if (errno != ENOENT && errno != ENOTDIR)
                        return -errno;
        }
        *ret = state;
        return 0;
}

int network_file_state(const char *name, uint64_t *ret) {
        return network_file_state_at(network_dirs, name, ret);
}

int network_file_load(const char *name, Network *ret, Refusal *ret_refusal) {
        return network_file_load_at(network_dirs, 0, name, ret, ret_refusal);
}

int network_file_load_wait_at(const char *const *dirs, uid_t owner, const char *name, Network *ret,
                              Refusal *ret_refusal) {
        const uint64_t end = clock_usec(CLOCK_MONOTONIC) + NETWORK_FILE_PATIENCE_USEC;
        Refusal refusal = {};
        int r;

        for (;;) {
                r = network_file_load_at(dirs, owner, name, ret, &refusal);
                if (r != RAWNET_NETWORK_BUSY || clock_usec(CLOCK_MONOTONIC) >= end)
                        break;
                clock_pause(WAIT_STEP_USEC);
        }
        if (r > 0 && ret_refusal)
                *ret_refusal = refusal;
        return r;
}

int network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal) {
        return network_file_load_wait_at(network_dirs, 0, name, ret, ret_refusal);
}

/* Names while they are collected. */
typedef struct Names {
        char **name;
        size_t count, room;
} Names;

static void names_free(Names *names) {
        network_names_free(names->name, names->count);
}

void network_names_free(char **names, size_t count) {
        while (count > 0)
                free(names[--count]);
        free(names);
}

static int names_add(Names *names, const char *name, size_t length) {
        char *copy;

        if (GROW_ARRAY(names->name, names->count, names->room) < 0)
                return -ENOMEM;
        copy = strndup(name, length);
        if (!copy)
                return -ENOMEM;
        names->name[names->count++] = copy;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* May the first length bytes of a file's name be a network's? If not, logs why. */
static bool check_file_name(const char *dir, const char *file, size_t length) {
        size_t good = network_name_length(file);

        if (good < length)
                log_warning(
                        "%s/%s: ignored: a network's name has letters, digits, '-' and '_' only, and not "
                        "'%c'; rename the file",
                        dir, file, file[good]);
        else if (length == 0)
                log_warning("%s/%s: ignored: there is no name before " SUFFIX "; rename the file",
                            dir, file);
        else if (length > RAWNET_NETWORK_NAME_MAX)
                log_warning(
                        "%s/%s: ignored: the name has %zu characters, and at most %u are allowed; rename the "
                        "file",
                        dir, file, length, RAWNET_NETWORK_NAME_MAX);
        else
                return true;
        return false;
}

/* Adds the NAME of every NAME.conf in dir. A missing directory has none. */
static int read_dir(const char *path, Names *names) {
        _cleanup_closedir_ DIR *dir = NULL;

        dir = opendir(path); /* CLOEXEC, opendir(3) */
        if (!dir)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        for (;;) {
                const struct dirent *entry;
                size_t length;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                length = strlen(entry->d_name);
                if (length < strlen(SUFFIX) ||
                    strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0)
                        continue;
                length -= strlen(SUFFIX);
                if (!check_file_name(path, entry->d_name, length))
                        continue;
                r = names_add(names, entry->d_name, length);
                if (r < 0)
                        return r;
        }
}

/* Is there a network of that name? A file that cannot be opened counts as a network with a mistake.
 * 1, 0 or -errno. */
static int is_there(const char *const *dirs, const char *name) {
        _cleanup_(found_close) Found found = {.fd = -1};
        int r;

        r = find_file(dirs, name, &found);
        if (r == -ENAMETOOLONG || is_our_trouble(-r))
                return r;
        if (r < 0)
                return 1;
        return r > 0 && !is_mask(&found.st);
}

int network_file_list_at(const char *const *dirs, char ***ret_names, size_t *ret_count) {
        _cleanup_(names_free) Names names = {0};
        size_t kept = 0;
        int r;

        for (size_t i = 0; dirs[i]; i++) {
                r = read_dir(dirs[i], &names);
                if (r < 0)
                        return r;
        }
        if (names.count > 0)
                qsort(names.name, names.count, sizeof(*names.name), compare_names);
        /* Keeps the first of equal names, in place. A dropped name is freed and set to NULL at
         * once, so that an error in the middle frees every name once. */
        for (size_t i = 0; i < names.count; i++) {
                bool again = kept > 0 && strcmp(names.name[kept - 1], names.name[i]) == 0;

                r = again ? 0 : is_there(dirs, names.name[i]);
                if (r < 0)
                        return r;
                if (r > 0 && kept != i) {
                        char *dropped = names.name[kept];

                        names.name[kept] = names.name[i];
                        names.name[i] = dropped;
                }
                kept += r > 0;
        }
        while (names.count > kept)
                free(names.name[--names.count]);
        *ret_names = TAKE_PTR(names.name);
        *ret_count = names.count;
        names.count = 0;
        return 0;
}

int network_file_list(char ***ret_names, size_t *ret_count) {
        return network_file_list_at(network_dirs, ret_names, ret_count);
}
