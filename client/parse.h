/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Small texts of a command line turned into values. Pure functions: no locale, no white space, no
 * sign, nothing left over.
 */

#include "common/names.h"
#include "common/util.h"

#define LEASE_ID_TEXT_SIZE 16u /* "rn7fffffff" and the NUL, with room */

/* on, yes, true, y, 1 and off, no, false, n, 0: what QEMU (qapi/util: qapi_bool_parse) and systemd
 * take. 0 or -EINVAL. */
int parse_bool(const char *text, bool *ret);

/* A time in seconds, "2" or "0.5" with at most six digits behind the point, as µs. 0, -EINVAL (not
 * written like that) or -ERANGE (not in min..max). */
int parse_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* A lease's id as people have it in front of them: the decimal number of D-Bus or rnHEX, the port's
 * name, as `rawnetctl list` and virsh show it. 0, -EINVAL, or
 * -ERANGE for what is written like an id and outside of [RAWNET_ID_MIN, RAWNET_ID_MAX]: there is no
 * such lease. */
int lease_id_parse(const char *text, uint32_t *ret);
/* "rn1a2b3c". Returns buffer. */
const char *lease_id_format(uint32_t id, char buffer[static LEASE_ID_TEXT_SIZE]);

/* Appends text to out so that a POSIX shell reads it back as one word; left bare where nothing
 * needs quoting. */
void shell_quote(FILE *out, const char *text);

/* A NULL-terminated vector of strings, and NULL. */
void argv_free(char **argv);
static inline void argv_freep(char ***argv) {
        argv_free(*argv);
}
