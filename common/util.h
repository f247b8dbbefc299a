/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Scope-bound clean-up and the few macros that all programs use. Nothing here knows what rawnet
 * does.
 */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define _printf_(fmt, first) __attribute__((__format__(__printf__, fmt, first)))
#define _cleanup_(f) __attribute__((__cleanup__(f)))
#define _unused_ __attribute__((__unused__))

/* Closes fd if it is one (>= 0), keeps errno, returns -1 so that fd = safe_close(fd) forgets it. */
static inline int safe_close(int fd) {
        if (fd >= 0) {
                int saved = errno;

                close(fd);
                errno = saved;
        }
        return -1;
}

static inline void closep(int *fd) {
        safe_close(*fd);
}

static inline void freep(void *p) {
        free(*(void **)p);
}

static inline void fclosep(FILE **f) {
        if (*f)
                fclose(*f);
}

static inline void closedirp(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_fclose_ _cleanup_(fclosep)
#define _cleanup_closedir_ _cleanup_(closedirp)

/* Makes room for one more element behind the first n of an array on the heap, which has room for
 * n_allocated; all three are variables. 0, or -ENOMEM and nothing has changed. */
#define GROW_ARRAY(array, n, n_allocated)                                                          \
        ({                                                                                         \
                int _grown = 0;                                                                    \
                if ((n) == (n_allocated)) {                                                        \
                        size_t _room = (n) > 0 ? (n)*2 : 16;                                       \
                        __typeof__(array) _bigger = reallocarray(array, _room, sizeof(*(array)));  \
                        if (_bigger) {                                                             \
                                (array) = _bigger;                                                 \
                                (n_allocated) = _room;                                             \
                        } else {                                                                   \
                                _grown = -ENOMEM;                                                  \
                        }                                                                          \
                }                                                                                  \
                _grown;                                                                            \
        })

/* Hands a resource on: the variable forgets it, and the value goes to the new owner. */
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int *_fdp = &(fd), _taken = *_fdp;                                                 \
                *_fdp = -1;                                                                        \
                _taken;                                                                            \
        })
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) *_pp = &(p), _taken = *_pp;                                          \
                *_pp = NULL;                                                                       \
                _taken;                                                                            \
        })
