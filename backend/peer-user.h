/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which user may be the front end: whoever is, gets the port. Our own user, root, who can take it
 * anyway, and one more where
 * --allow-user= names it.
 */

#include <stdbool.h>
#include <sys/types.h>

typedef struct PeerRule {
        uid_t own, allowed;
        uid_t refused; /* the last one that was logged; own: none yet */
} PeerRule;

/* allowed: our own uid where there is no other. */
PeerRule peer_rule(uid_t allowed);
/* Is the user at the other end of fd, connected at path, allowed? Logs a refusal once for each user
 * in a row. */
bool peer_is_allowed(PeerRule *rule, int fd, const char *path);
