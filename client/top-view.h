/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What rawnetctl top shows: leases and their rates in an order, as a picture for a terminal, as a
 * table, or as JSON.
 */

#include "client/rates.h"
#include "client/screen.h"
#include "client/user-name.h"
#include "client/watch.h"
#include "common/refusal.h"

typedef struct TopView {
        const Watch *watch;
        RateTable *table; /* the leases that are shown: those that are open */
        RateOrder order;
        size_t first;     /* the first row of the picture */
        size_t per_round; /* leases whose counters are read in a round; SIZE_MAX: all */
        UserName *users;
        size_t n_users, n_users_allocated;
} TopView;

/* Rows of leases in the picture on such a terminal. */
size_t top_view_rows(const TopView *view, const Screen *screen);

/* A picture of at most screen->height lines. Marks the leases in it as shown. trouble: why counters
 * could not be read, or NULL. 0 or -ENOMEM, as the others. */
int top_view_picture(TopView *view, const Screen *screen, const Refusal *trouble, FILE *out);
/* All leases. Into a pipe with the time in the first column, and plain numbers. */
int top_view_table(TopView *view, const Screen *screen, FILE *out);
/* An object on one line, with all leases. */
int top_view_json(TopView *view, FILE *out);
void top_view_done(TopView *view);
