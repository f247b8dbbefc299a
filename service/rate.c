/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/rate.h"

/* Users whose bucket is not full. With more of them at a time the user with the fullest bucket is
 * forgotten: he gains the few tokens that he lacks. */
#define BUCKETS_MAX 1024u
#define SECOND UINT64_C(1000000)

/* The time from which on the bucket is full. Each token that is taken moves it later. */
typedef struct Bucket {
        uint32_t uid;
        uint64_t full_at; /* µs, CLOCK_MONOTONIC; 0: unused */
} Bucket;

struct RateTable {
        uint32_t per_second;
        Bucket bucket[BUCKETS_MAX];
};

int rate_table_new(uint32_t per_second, RateTable **ret) {
        RateTable *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        table->per_second = per_second;
        *ret = table;
        return 0;
}

void rate_table_free(RateTable *table) {
        free(table);
}

uint32_t rate_per_second(const RateTable *table) {
        return table->per_second;
}

/* uid's own bucket, or the one that is full first, which is an unused one if there is any. */
static Bucket *bucket_of(RateTable *table, uint32_t uid) {
        Bucket *fullest = &table->bucket[0];

        for (unsigned i = 0; i < BUCKETS_MAX; i++) {
                Bucket *b = &table->bucket[i];

                if (b->full_at != 0 && b->uid == uid)
                        return b;
                if (b->full_at < fullest->full_at)
                        fullest = b;
        }
        *fullest = (Bucket){.uid = uid};
        return fullest;
}

bool rate_take(RateTable *table, uint32_t uid, uint64_t now) {
        uint64_t full_at, token;
        Bucket *b;

        if (table->per_second == 0 || uid == 0)
                return true;
        token = SECOND / table->per_second;
        b = bucket_of(table, uid);
        full_at = (b->full_at > now ? b->full_at : now) + token;
        if (full_at > now + RATE_BURST * token)
                return false;
        b->full_at = full_at;
        return true;
}
