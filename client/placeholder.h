/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * {word} in a command's arguments. Unknown words stay as they are, with their braces, because
 * arguments with braces of their own (QEMU's JSON, awk, jq) pass through here.
 */

#include "common/refusal.h"

/* Asked for every {word}; word is NUL-terminated. Returns 1 with *ret_text (the caller's to free),
 * 0 where the word means nothing here, or a RawnetError with ret_refusal, or -errno. */
typedef int (*PlaceholderLookup)(const char *word, void *userdata, char **ret_text,
                                 Refusal *ret_refusal);

/* Replaces every known {word} anywhere inside argument. What was put in is not looked at again.
 * Returns 0 with *ret_text (the caller's to free), or what lookup returned, or -errno. */
int placeholder_replace(const char *argument, PlaceholderLookup lookup, void *userdata,
                        char **ret_text, Refusal *ret_refusal);
