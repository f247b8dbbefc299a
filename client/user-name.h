/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Names of users. A long list of leases asks the user database once per user, not once per lease.
 * rawnetd knows users by their numbers only: see HACKING.md.
 */

#include "common/util.h"

typedef struct UserName {
        uint32_t uid;
        bool known;
        char *name;
} UserName;

/* The name of uid, or its number; last keeps it. NULL without memory. */
const char *user_name(UserName *last, uint32_t uid);
void user_name_done(UserName *last);

/* A sentence of rawnetd's with the name of each "user NUMBER" in place of the number. A number
 * without a name stays. The caller frees. NULL without memory. */
char *user_names_in(const char *text);
