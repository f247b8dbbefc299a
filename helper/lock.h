/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A lease's addresses in the form that the guard reads, and back. Pure. */

#include "common/address.h"
#include "helper/guard/guard-entry.h"

void lock_fill(const AddressList *addresses, GuardLock *ret);

/* The last address that the guest used, or claimed, and that was not one of them; none: all zero. */
void lock_last(const GuardLock *lock, AddressPrefix *ret);
