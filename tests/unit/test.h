/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What every unit test needs: cmocka with the headers that it wants before it, refusals looked at,
 * descriptors counted, files made in a directory of the test's own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/refusal.h"
#include "common/util.h"

/* A directory under /tmp with everything in it removed by temp_dir_remove(). */
typedef struct TempDir {
        char path[64];
} TempDir;

void temp_dir_make(TempDir *ret);
void temp_dir_remove(TempDir *dir);
/* Writes size bytes to NAME in it, mode 0644, replacing what was there. */
void temp_dir_write(const TempDir *dir, const char *name, const void *data, size_t size);

#define _cleanup_temp_dir_ _cleanup_(temp_dir_remove)

/* False after a line that skips the whole program: main() returns 0 then. cmocka's skip() prints
 * "not ok … # SKIP", which meson counts as a failure. */
bool needs_root(void);

/* text and NULs to the end of buffer. */
void put_text(char *buffer, size_t size, const char *text);

/* Open descriptors of this process. */
unsigned count_fds(void);

/* min <= value <= max, all unsigned. cmocka 2 deprecates its assert_in_range(), and cmocka 1 has no
 * other. */
#define assert_between(value, min, max)                                                            \
        check_between((value), (min), (max), #value, __FILE__, __LINE__)
void check_between(uintmax_t value, uintmax_t min, uintmax_t max, const char *what,
                   const char *file, int line);

/* r is code, so is the refusal, and its sentence contains every one of the words (NULL-terminated
 * list). */
#define assert_refused(r, code, refusal, ...)                                                      \
        check_refused(r, code, refusal, (const char *const[]){__VA_ARGS__, NULL}, __FILE__,        \
                      __LINE__)
void check_refused(int r, RawnetError code, const Refusal *refusal, const char *const *words,
                   const char *file, int line);

/* A refusal that nothing should have touched. */
#define REFUSAL_UNTOUCHED ((Refusal){.error = RAWNET_OK, .text = "untouched"})
