/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What rawnetctl's verbs have in common.
 */

#include "client/client.h"

#include <string.h>
#include <sys/stat.h>

int say_failure(int r, const Refusal *refusal) {
        log_error("%s", r > 0 ? refusal->text : errno_text(r));
        return EXIT_FAILURE;
}

int say_bad_option(int c, char **argv) {
        const char *option = argv[optind - 1], *verb = argv[0];

        if (c == ':')
                log_error("%s: %s needs a value (see 'rawnetctl help %s')", verb, option, verb);
        else if (strncmp(option, "--", 2) == 0 && optopt != 0) /* a known option, getopt(3) */
                log_error("%s: %.*s takes no value (see 'rawnetctl help %s')", verb,
                          (int)strcspn(option, "="), option, verb);
        else if (strncmp(option, "--", 2) == 0)
                log_error("%s: there is no option '%s' (see 'rawnetctl help %s')", verb, option,
                          verb);
        else
                log_error("%s: there is no option '-%c' (see 'rawnetctl help %s')", verb, optopt,
                          verb);
        return EXIT_USAGE;
}

static int say_cannot_run(const char *program, int errnum) {
        log_error("cannot run %s: %s", program, strerror(errnum));
        return errnum == ENOENT || errnum == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

/* 0 or a positive errno. */
static int look_at_program(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return errno;
        if (!S_ISREG(st.st_mode))
                return EACCES;
        return access(path, X_OK) < 0 ? errno : 0;
}

/* As execvp(3) searches: the first program that can be run, else the error of the last one found.
 */
static int search_program(const char *program, int *ret_errnum) {
        const char *path = getenv("PATH");

        *ret_errnum = ENOENT;
        for (const char *at = path ? path : "/bin:/usr/bin", *colon; at;
             at = colon ? colon + 1 : NULL) {
                _cleanup_free_ char *file = NULL;
                int length = (int)strcspn(at, ":"), errnum;

                colon = strchr(at, ':');

                if (asprintf(&file, "%.*s%s%s", length, at, length > 0 ? "/" : "", program) < 0) {
                        file = NULL; /* undefined after an error, printf(3) */
                        return -ENOMEM;
                }
                errnum = look_at_program(file);
                if (errnum == 0 || errnum == EACCES)
                        *ret_errnum = errnum;
                if (errnum == 0)
                        break;
        }
        return 0;
}

int find_program(const char *program) {
        int errnum, r = 0;

        if (program[0] == '\0')
                errnum = ENOENT;
        else if (strchr(program, '/'))
                errnum = look_at_program(program);
        else
                r = search_program(program, &errnum);
        if (r < 0)
                return say_failure(r, NULL);
        return errnum == 0 ? 0 : say_cannot_run(program, errnum);
}

int run_program(char **argv) {
        execvp(argv[0], argv);
        return say_cannot_run(argv[0], errno);
}
