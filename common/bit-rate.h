/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A rate in bits a second, as network files, command lines and people write it: "500K", "10M",
 * "1500M", "2G". A suffix is a power of 1000. 0 is no limit; it is not written so anywhere.
 */

#include <stdint.h>

#include "common/util.h"

/* Below, one full frame takes more than 12 ms, and no queue is both long enough for TCP and short
 * enough for anything else. Above are no adapters. */
#define BIT_RATE_MIN UINT64_C(1000000)
#define BIT_RATE_MAX UINT64_C(100000000000)
#define BIT_RATE_INSTEAD                                                                           \
        "bits a second from 1M to 100G, such as 100M (K, M and G are powers of 1000)"

bool bit_rate_is_valid(uint64_t rate); /* in these bounds */

/* Digits, then nothing, K, M or G. 0; -EINVAL, not a rate; -ERANGE, out of the bounds. */
int bit_rate_parse(const char *text, uint64_t *ret);

#define BIT_RATE_TEXT_SIZE 24u
/* The shortest form that bit_rate_parse() reads; "" for 0. Returns buffer. */
const char *bit_rate_format(uint64_t rate, char buffer[static BIT_RATE_TEXT_SIZE]);
