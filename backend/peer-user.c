/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/peer-user.h"

#include <inttypes.h>
#include <unistd.h>

#include "common/log.h"
#include "common/unix-socket.h"

PeerRule peer_rule(uid_t allowed) {
        uid_t own = geteuid();

        return (PeerRule){.own = own, .allowed = allowed, .refused = own};
}

bool peer_is_allowed(PeerRule *rule, int fd, const char *path) {
        uid_t user;

        /* An error is no permission. */
        if (unix_peer_user(fd, &user) < 0)
                return false;
        if (user == rule->own || user == rule->allowed || user == 0)
                return true;
        /* Once: a user who tries for ever must not fill the log. */
        if (user != rule->refused)
                log_warning("refused user %" PRIu32 " at %s: only user %" PRIu32
                            " and root may be the front end (--allow-user= names another one)",
                            (uint32_t)user, path, (uint32_t)rule->allowed);
        rule->refused = user;
        return false;
}
