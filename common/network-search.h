/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The search path of network files, and which file of it is a network's. Never writes, never
 * follows a name outside the directories except by an administrator's own symbolic link. For
 * network-load.c and network-list.c.
 */

#include <sys/stat.h>

#include "common/network.h"

#define NETWORK_SUFFIX ".conf"

/* RAWNET_NETWORK_DIRS, NULL-terminated. */
extern const char *const network_dirs[];

typedef struct NetworkFound {
        char path[sizeof(((Network *)NULL)->path)];
        int fd; /* owned; -1 before */
        struct stat st;
} NetworkFound;

/* The first NAME.conf of dirs, opened. The path stays set where the file cannot be opened. Returns
 * 1, 0 (there is none), or -errno. */
int network_search(const char *const *dirs, const char *name, NetworkFound *ret);
void network_found_close(NetworkFound *found);

bool network_is_dev_null(const struct stat *st);
/* Does the file mask files of later directories: is it empty, or a link to /dev/null? */
bool network_is_mask(const struct stat *st);
/* An error of this process or of the whole system, not of the file. */
bool network_is_our_trouble(int errnum);
