/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Recognizes the usual mistakes in network files, so that the parser's message says more than "not
 * allowed". Nothing here decides whether a file is good.
 */

#include <stddef.h>

/* The file begins with UTF-8's byte order mark, which no editor shows. */
const char *network_hint_text(const char *text, size_t size);

/* NULL, or what is wrong with the way a value is written and what to do: a comment behind it,
 * quotation marks around it. */
const char *network_hint_value(const char *value);

/* The word of n words (each at stride bytes from the one before, its name first in it) that differs
 * from name in case only, or NULL. */
const char *network_hint_case(const char *name, const void *words, size_t n, size_t stride);
