/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The administrator's file: /etc/rawnet/networks/NAME.conf. Both daemons read it at every open,
 * each by itself, so this parser alone defines what a network file may contain. It checks owner,
 * mode, size, every key and every value. A file with any mistake is refused as a whole, with
 * file:line and the reason.
 */

#include "common/network.h"

#define NETWORK_FILE_SIZE_MAX 65536u
#define NETWORK_FILE_LINE_MAX 1024u /* without the line's end */
/* How long a file that is being written is waited for, in µs. */
#define NETWORK_FILE_PATIENCE_USEC UINT64_C(3000000)

/* Reads the network's file from the search path (names.h), never waits. Returns 0,
 * RAWNET_NO_SUCH_NETWORK (no file, or masked), RAWNET_BAD_NETWORK_FILE (with file:line: reason),
 * RAWNET_NETWORK_BUSY, or -errno. NETWORK_BUSY: the file is being written. It changed while it was
 * read or within the last 100 ms, or within the last second and its last line has no newline or it
 * is empty. ret is untouched unless 0; on BAD_NETWORK_FILE ret->name and ret->path are set. */
int network_file_load(const char *name, Network *ret, Refusal *ret_refusal);

/* The same, but blocks while the file is being written, for at most NETWORK_FILE_PATIENCE_USEC: not
 * for a daemon's loop. */
int network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal);

/* A number that changes whenever the network's file may have changed: from its directory, inode,
 * size and times, or where there is no file from the times of the directories. For comparing two
 * looks only. 0 or -errno. */
int network_file_state(const char *name, uint64_t *ret);
int network_file_state_at(const char *const *dirs, const char *name, uint64_t *ret);

/* network_file_load() over other directories (NULL-terminated), and with the required owner: for
 * tests. */
int network_file_load_at(const char *const *dirs, uid_t owner, const char *name, Network *ret,
                         Refusal *ret_refusal);
int network_file_load_wait_at(const char *const *dirs, uid_t owner, const char *name, Network *ret,
                              Refusal *ret_refusal);

/* Parses one file's text, already read; path is for messages. Returns 0 or RAWNET_BAD_NETWORK_FILE.
 * A fuzz target. */
int network_file_parse(const char *path, const char *name, const char *text, size_t size,
                       Network *ret, Refusal *ret_refusal);

/* Names of all networks of the search path that are not masked, sorted, each once, whether their
 * files are good or not; a file whose NAME is not allowed is left out and logged. The caller frees
 * with network_names_free(). 0 or -errno. */
int network_file_list(char ***ret_names, size_t *ret_count);
int network_file_list_at(const char *const *dirs, char ***ret_names, size_t *ret_count);
void network_names_free(char **names, size_t count);
