/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The limits of namespaces(7) on what the helper makes: each lease is one network namespace and,
 * without CAP_SYS_ADMIN, one user namespace of the helper's user.
 */

#include "helper/privilege.h"
#include "helper/worker/check/findings.h"

/* Adds a note for each limit that leaves only a few more ports beside n_leases. A limit that is
 * used up is not reported here: the rehearsal of a port finds it. */
void limit_judge(const Privilege *privilege, size_t n_leases, Findings *findings);
