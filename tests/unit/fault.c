/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"

static bool armed, fired;
static unsigned countdown;
static int fault_errno;
static const char *what;
static const char *hooked;
static void (*hook)(void);

void fault_arm(unsigned n, int errnum) {
        armed = true;
        fired = false;
        countdown = n;
        fault_errno = errnum;
        what = "nothing";
}

bool fault_disarm(void) {
        armed = false;
        return fired;
}

const char *fault_what(void) {
        return what;
}

void fault_before(const char *name, void (*function)(void)) {
        hooked = name;
        hook = function;
}

bool fault_due(const char *name, int errnum) {
        if (hook && strcmp(name, hooked) == 0) {
                void (*function)(void) = hook;

                hook = NULL;
                function();
        }
        if (!armed || countdown == 0 || --countdown > 0)
                return false;
        fired = true;
        what = name;
        errno = errnum ? errnum : fault_errno;
        return true;
}

/* Each pair by the linker: __wrap_X is what the code under test gets for X, __real_X is X. The 64s
 * are what glibc's headers make of these names with _FILE_OFFSET_BITS=64. */
#define WRAP(type, name, parameters, arguments, errnum, failure)                                   \
        type __real_##name parameters;                                                             \
        type __wrap_##name parameters;                                                             \
        type __wrap_##name parameters {                                                            \
                if (fault_due(#name, errnum))                                                      \
                        return failure;                                                            \
                return __real_##name arguments;                                                    \
        }

WRAP(int, fstat64, (int fd, struct stat64 *st), (fd, st), fault_errno, -1)
WRAP(int, lstat64, (const char *path, struct stat64 *st), (path, st), fault_errno, -1)
WRAP(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), fault_errno, -1)
WRAP(ssize_t, __read_chk, (int fd, void *data, size_t size, size_t room), (fd, data, size, room),
     fault_errno, -1)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags),
     fault_errno, -1)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags),
     fault_errno, -1)
WRAP(ssize_t, getrandom, (void *data, size_t size, unsigned flags), (data, size, flags),
     fault_errno, -1)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), fault_errno, -1)
WRAP(DIR *, opendir, (const char *path), (path), fault_errno, NULL)
WRAP(struct dirent64 *, readdir64, (DIR * dir), (dir), fault_errno, NULL)
WRAP(void *, malloc, (size_t size), (size), ENOMEM, NULL)
WRAP(void *, calloc, (size_t n, size_t size), (n, size), ENOMEM, NULL)
WRAP(void *, realloc, (void *p, size_t size), (p, size), ENOMEM, NULL)
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), ENOMEM, NULL)
WRAP(char *, strdup, (const char *text), (text), ENOMEM, NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), ENOMEM, NULL)
WRAP(FILE *, open_memstream, (char **ret, size_t *ret_size), (ret, ret_size), ENOMEM, NULL)
WRAP(int, vasprintf, (char **ret, const char *format, va_list ap), (ret, format, ap), ENOMEM, -1)
WRAP(int, __vasprintf_chk, (char **ret, int flag, const char *format, va_list ap),
     (ret, flag, format, ap), ENOMEM, -1)

/* What fails of it is the allocation, or the writing out of a memory stream: the stream itself is
 * gone in any case (fclose(3)). */
int __real_fclose(FILE *f);
int __wrap_fclose(FILE *f);
int __wrap_fclose(FILE *f) {
        int r = __real_fclose(f);

        return fault_due("fclose", fault_errno) ? EOF : r;
}

int __wrap_asprintf(char **ret, const char *format, ...) _printf_(2, 3);
int __wrap_asprintf(char **ret, const char *format, ...) {
        va_list ap;
        int r;

        if (fault_due("asprintf", ENOMEM))
                return -1;
        va_start(ap, format);
        r = __real_vasprintf(ret, format, ap);
        va_end(ap);
        return r;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...) _printf_(3, 4);
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...) {
        va_list ap;
        int r;

        if (fault_due("asprintf", ENOMEM))
                return -1;
        va_start(ap, format);
        r = __real___vasprintf_chk(ret, flag, format, ap);
        va_end(ap);
        return r;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...) {
        mode_t mode = 0;
        va_list ap;

        if (flags & (O_CREAT | __O_TMPFILE)) {
                va_start(ap, flags);
                mode = va_arg(ap, mode_t);
                va_end(ap);
        }
        if (fault_due("open", fault_errno))
                return -1;
        return __real_open64(path, flags, mode);
}
