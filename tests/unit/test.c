/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void temp_dir_make(TempDir *ret) {
        *ret = (TempDir){"/tmp/rawnet-unit-XXXXXX"};
        assert_non_null(mkdtemp(ret->path));
}

static int remove_entry(const char *path, _unused_ const struct stat *st, _unused_ int type,
                        _unused_ struct FTW *ftw) {
        return remove(path);
}

void temp_dir_remove(TempDir *dir) {
        if (dir->path[0])
                nftw(dir->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void temp_dir_write(const TempDir *dir, const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = -1;
        char path[400];

        assert_true(snprintf(path, sizeof(path), "%s/%s", dir->path, name) < (int)sizeof(path));
        unlink(path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0644), 0); /* whatever the umask */
        assert_int_equal(write(fd, data, size), size);
}

void put_text(char *buffer, size_t size, const char *text) {
        size_t length = strlen(text);

        assert_true(length < size);
        memset(buffer, 0, size);
        memcpy(buffer, text, length);
}

unsigned count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n - 3; /* ".", ".." and the directory itself */
}

void check_between(uintmax_t value, uintmax_t min, uintmax_t max, const char *what,
                   const char *file, int line) {
        if (value >= min && value <= max)
                return;
        print_error("%s is %ju, not from %ju to %ju\n", what, value, min, max);
        _fail(file, line);
}

void check_refused(int r, RawnetError code, const Refusal *refusal, const char *const *words,
                   const char *file, int line) {
        if (r != (int)code)
                print_error("returned %d with \"%s\"\n", r, refusal->text);
        _assert_int_equal((unsigned)r, code, file, line);
        _assert_int_equal(refusal->error, code, file, line);
        for (; *words; words++) {
                bool there = strstr(refusal->text, *words) != NULL;

                if (!there)
                        print_error("\"%s\" is not in \"%s\"\n", *words, refusal->text);
                _assert_true(there, *words, file, line);
        }
}

bool needs_root(void) {
        if (geteuid() == 0)
                return true;
        puts("1..0 # SKIP only root may do this");
        return false;
}
