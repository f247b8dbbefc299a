/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which users may be the front end, and so get the port: the user of this process, root, who can
 * take it anyway, and the user of --allow-user=.
 */

#include <stdbool.h>
#include <sys/types.h>

typedef struct PeerRule {
        uid_t own, allowed;
        uid_t refused; /* the last user whose refusal was logged; own: none yet */
} PeerRule;

/* allowed: the own uid where there is no second user. */
PeerRule peer_rule(uid_t allowed);
/* Whether the user at the other end of fd may be the front end. path is for the log. Consecutive
 * refusals of one user are logged once. */
bool peer_is_allowed(PeerRule *rule, int fd, const char *path);
