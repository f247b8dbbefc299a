/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A refusal: which of the contract's errors, and the sentence a person reads. Libraries fill one in
 * and return its (positive) code; who answers the caller turns it into a D-Bus error or a line on
 * stderr. Fatal trouble (no memory, a broken socket) is a negative errno instead and is only ever
 * forwarded.
 */

#include <stdarg.h>
#include <stdint.h>

#include "common/util.h"

typedef enum RawnetError {
        RAWNET_OK = 0,
        /* org.rawnet1.Error.* */
        RAWNET_NO_SUCH_NETWORK = 1,
        RAWNET_BAD_NETWORK_FILE,
        RAWNET_KIND_NOT_OFFERED,
        RAWNET_NETWORK_BUSY,
        RAWNET_QUOTA_EXCEEDED,
        RAWNET_ADDRESS_IN_USE,
        RAWNET_PARENT_MISSING,
        RAWNET_NOT_SUPPORTED,
        RAWNET_KERNEL_REFUSED,
        RAWNET_HELPER_UNAVAILABLE,
        RAWNET_NO_SUCH_LEASE,
        /* org.freedesktop.DBus.Error.* */
        RAWNET_INVALID_ARGS,
        RAWNET_ACCESS_DENIED,
        RAWNET_INTERACTIVE_REQUIRED,
        RAWNET_LIMITS_EXCEEDED,
        RAWNET_ERROR_COUNT,
} RawnetError;

/* Longest sentence: two paths, a network name and the kernel's text fit several times over. */
#define REFUSAL_TEXT_MAX 1024u

typedef struct Refusal {
        RawnetError error; /* RAWNET_OK while nothing was refused */
        int kernel_errno; /* positive errno of the kernel where error is RAWNET_KERNEL_REFUSED, else
                             0 */
        char text[REFUSAL_TEXT_MAX];
} Refusal;

/* Fills ret in and returns error, so that `return refuse(r, RAWNET_X, "...")` reads well. A
 * sentence that does not fit ends in "..." . ret may be NULL. */
int refuse(Refusal *ret, RawnetError error, const char *format, ...) _printf_(3, 4);

/* The same for the kernel's no: error is RAWNET_KERNEL_REFUSED, kernel_errno is errnum (positive or
 * negative), and strerror(errnum) is appended to the sentence: "what: Operation not permitted". */
int refuse_errno(Refusal *ret, int errnum, const char *format, ...) _printf_(3, 4);

/* Returns r, the result of a call that was given `refusal`, and copies that to ret where r is a
 * refusal's code. For a caller that looks at the refusal before it passes it on. ret may be NULL. */
int refusal_forward(int r, const Refusal *refusal, Refusal *ret);

/* strerror() in English for errnum (positive or negative). Where the process has too many open
 * descriptors, with the remedy. */
const char *errno_text(int errnum);

/* "org.rawnet1.Error.NetworkBusy" and so on; never NULL for 1 <= error < RAWNET_ERROR_COUNT. */
const char *rawnet_error_to_dbus(RawnetError error);
