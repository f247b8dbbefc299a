/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetd reads messages of any user, so it must hold nothing worth taking: no capability, not uid
 * 0.
 */

#include "common/refusal.h"

/* Checks that uid and capability sets are as promised and shuts the doors behind them
 * (no_new_privs, not dumpable). Returns 0, RAWNET_NOT_SUPPORTED with what is wrong, or -errno. */
int privilege_drop(Refusal *ret_refusal);
