/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What may come next on rawnetctl's command line, for the completions of bash, zsh and fish:
 * `rawnetctl --complete WORD...`. The words are those behind "rawnetctl", the last one being what
 * is typed so far, or empty.
 */

#include "client/objects.h"
#include "client/verbs.h"

/* Prints the candidates that begin with the last word, each with a tab and an explanation; or what
 * the shell is to complete in its own way:
 *   :files
 *   :users
 *   :command N   a command line of its own begins at WORD number N, counted from 0
 * objects are the networks and leases to choose from. */
void complete_print(FILE *out, const Objects *objects, size_t n, char *const *words);

/* The same with rawnetd's objects, none where it does not answer in a moment: nobody waits for a
 * completion. Returns the exit status. */
int complete_words(FILE *out, int n, char **words);
