/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How many ports a user may open in a time: a token bucket for each uid. Each open costs the
 * kernel, polkit and the bus far more than its caller, and each close too.
 */

#include "common/util.h"

typedef struct RateTable RateTable;

/* Opens that are given at once to a user who has not opened any for a while. */
#define RATE_BURST 128u

/* per_second: tokens that a user gets back each second; 0: no limit. */
int rate_table_new(uint32_t per_second, RateTable **ret);
void rate_table_free(RateTable *table);

/* Takes one of uid's tokens. now is in µs, CLOCK_MONOTONIC. false: there is none. Root is not
 * limited. */
bool rate_take(RateTable *table, uint32_t uid, uint64_t now);
/* For messages. */
uint32_t rate_per_second(const RateTable *table);
