/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Reads a network's file: may it be believed, is it finished. A file is judged by the open
 * descriptor, never by its name a second time.
 *
 * A writer that writes in place (a shell's '>', cp, some editors) empties the file first and may
 * write it in pieces. The first half of a file can be valid and mean something else (VLAN=10 of
 * VLAN=100), so no file is used while it may still grow.
 */

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/network-file.h"
#include "common/network-search.h"

/* A file counts as finished when nothing has changed it for so long. */
#define FINISHED_USEC UINT64_C(100000)
/* An empty file and a last line without its newline are what an interrupted writer leaves; some
 * editors leave them for good. */
#define CUT_OFF_USEC UINT64_C(1000000)
/* network_file_load_wait() */
#define WAIT_STEP_USEC UINT64_C(25000)

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
                return refuse(
                        ret_refusal, RAWNET_NO_SUCH_NETWORK,
                        "network %s: %s is not read, because its name does not end in " NETWORK_SUFFIX
                        "; an administrator renames it to %s" NETWORK_SUFFIX,
                        name, path, name);
        return refuse(
                ret_refusal, RAWNET_NO_SUCH_NETWORK,
                "network %.40s: there is no such network; rawnetctl networks shows what there is, "
                "and an administrator adds one as %s/%.40s" NETWORK_SUFFIX,
                name, dirs[0], name);
}

/* May the file be believed? NULL, or why not and what to do. */
static const char *untrusted(const NetworkFound *found, uid_t owner, char *buffer, size_t size) {
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
static int read_finished(const NetworkFound *found, const char *name, char **ret_text,
                         size_t *ret_size, Refusal *ret_refusal) {
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

static int cannot_open(const char *name, const NetworkFound *found, int errnum, Network *ret,
                       Refusal *ret_refusal) {
        char reason[160];

        snprintf(reason, sizeof(reason), "it cannot be opened: %s; an administrator %s",
                 strerrordesc_np(errnum),
                 errnum == EACCES ? "runs chmod 644 on it, and chmod 755 on its directory"
                                  : "corrects or removes it");
        return bad_file(name, found->path, ret, ret_refusal, reason);
}

static int masked(const char *name, const NetworkFound *found, Refusal *ret_refusal) {
        return refuse(
                ret_refusal, RAWNET_NO_SUCH_NETWORK,
                "network %s: %s %s, which disables (masks) this network; an administrator removes "
                "that file, or writes a [Network] section into a new one",
                name, found->path, network_is_dev_null(&found->st) ? "is /dev/null" : "is empty");
}

int network_file_load_at(const char *const *dirs, uid_t owner, const char *name, Network *ret,
                         Refusal *ret_refusal) {
        _cleanup_(network_found_close) NetworkFound found = {.fd = -1};
        _cleanup_free_ char *text = NULL;
        char buffer[sizeof(found.path) + 160];
        const char *reason;
        size_t length = network_name_length(name), size = 0;
        int r;

        /* No other text may become a part of a path. */
        if (length == 0 || length > RAWNET_NETWORK_NAME_MAX || name[length] != '\0')
                return not_found(name, false, dirs, ret_refusal);
        r = network_search(dirs, name, &found);
        if (r == 0)
                return not_found(name, true, dirs, ret_refusal);
        if (r == -ENAMETOOLONG || network_is_our_trouble(-r))
                return r;
        if (r < 0)
                return cannot_open(name, &found, -r, ret, ret_refusal);
        reason = untrusted(&found, owner, buffer, sizeof(buffer));
        if (network_is_mask(&found.st) && (reason || !changed_within(&found.st, CUT_OFF_USEC)))
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
        _cleanup_(network_found_close) NetworkFound found = {.fd = -1};
        struct stat st;
        int r;

        r = network_search(dirs, name, &found);
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
        return refusal_forward(r, &refusal, ret_refusal);
}

int network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal) {
        return network_file_load_wait_at(network_dirs, 0, name, ret, ret_refusal);
}
