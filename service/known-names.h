/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A few unique names of the bus of which something is known. The oldest makes room for the newest,
 * so what is known must be something that can be found out again.
 */

#include "common/util.h"

#define KNOWN_NAMES_MAX 64u
#define KNOWN_NAME_SIZE 32u /* ":1.18446744073709551615"; a longer one is not kept */

typedef struct KnownNames {
        char name[KNOWN_NAMES_MAX][KNOWN_NAME_SIZE]; /* "": unused */
        unsigned next;
} KnownNames;

bool known_names_has(const KnownNames *names, const char *name);
void known_names_add(KnownNames *names, const char *name);
void known_names_remove(KnownNames *names, const char *name);
