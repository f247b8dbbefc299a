/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Text from outside: may it be shown, is it a number. Everything that reaches a log, a terminal or
 * D-Bus passes here, so that no file, peer or kernel can send control sequences or bytes that are
 * not UTF-8. Nothing here allocates or fails.
 */

#include "common/util.h"

/* UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF) without control characters (C0,
 * DEL, C1), without format characters (bidirectional and zero-width ones among them) and without
 * line and paragraph separators. */
bool text_is_printable_utf8(const char *text, size_t size);

/* Blank to tilde only; true for "". */
bool text_is_printable_ascii(const char *text);

/* Makes text_is_printable_utf8() true in place: '?' replaces each byte that is not allowed, and the
 * length stays. */
void text_make_printable(char *text);

/* Puts "..." at text's end, cutting it to at most max bytes (without the NUL; the buffer has room
 * for them), never in the middle of a character. max >= 3. */
void text_shorten(char *text, size_t max);

/* The word that goes with the number n: text_plural(n, "lease", "leases"). */
static inline const char *text_plural(uint64_t n, const char *one, const char *many) {
        return n == 1 ? one : many;
}

/* A decimal number: digits only, no sign, no blank, no leading zero. Returns 0, -EINVAL (not a
 * number), -ERANGE (not in min..max). */
int text_parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret);
int text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* The value of one hex digit, either case, or -1. */
int text_hex_digit(char c);
