/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/refusal.h"

#include <string.h>

#include "common/names.h"
#include "common/text.h"

static const char *const dbus_names[RAWNET_ERROR_COUNT] = {
        [RAWNET_NO_SUCH_NETWORK] = RAWNET_ERROR_PREFIX "NoSuchNetwork",
        [RAWNET_BAD_NETWORK_FILE] = RAWNET_ERROR_PREFIX "BadNetworkFile",
        [RAWNET_KIND_NOT_OFFERED] = RAWNET_ERROR_PREFIX "KindNotOffered",
        [RAWNET_NETWORK_BUSY] = RAWNET_ERROR_PREFIX "NetworkBusy",
        [RAWNET_QUOTA_EXCEEDED] = RAWNET_ERROR_PREFIX "QuotaExceeded",
        [RAWNET_ADDRESS_IN_USE] = RAWNET_ERROR_PREFIX "AddressInUse",
        [RAWNET_PARENT_MISSING] = RAWNET_ERROR_PREFIX "ParentMissing",
        [RAWNET_NOT_SUPPORTED] = RAWNET_ERROR_PREFIX "NotSupported",
        [RAWNET_KERNEL_REFUSED] = RAWNET_ERROR_PREFIX "KernelRefused",
        [RAWNET_HELPER_UNAVAILABLE] = RAWNET_ERROR_PREFIX "HelperUnavailable",
        [RAWNET_NO_SUCH_LEASE] = RAWNET_ERROR_PREFIX "NoSuchLease",
        /* D-Bus specification and dbus/dbus-protocol.h; sd-bus-protocol.h has them as
           SD_BUS_ERROR_*. */
        [RAWNET_INVALID_ARGS] = "org.freedesktop.DBus.Error.InvalidArgs",
        [RAWNET_ACCESS_DENIED] = "org.freedesktop.DBus.Error.AccessDenied",
        [RAWNET_INTERACTIVE_REQUIRED] =
                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        [RAWNET_LIMITS_EXCEEDED] = "org.freedesktop.DBus.Error.LimitsExceeded",
};

/* Formats into a buffer of its own first, so that an argument may be ret's present text: a caller
 * higher up may wrap it. */
_printf_(5, 0) static void fill(Refusal *ret, RawnetError error, int kernel_errno,
                                const char *suffix, const char *format, va_list ap) {
        char text[REFUSAL_TEXT_MAX];
        size_t used = 0;
        int n;

        if (!ret)
                return;
        n = vsnprintf(text, sizeof(text), format, ap);
        if (n < 0)
                n = snprintf(text, sizeof(text), "%s", format);
        used = (size_t)n;
        if (suffix && used < sizeof(text))
                used += (size_t)snprintf(text + used, sizeof(text) - used, ": %s", suffix);
        if (used >= sizeof(text))
                text_shorten(text, sizeof(text) - 1);
        /* D-Bus takes UTF-8 only, and a terminal must get no control sequences. */
        text_make_printable(text);

        memset(ret, 0, sizeof(*ret));
        ret->error = error;
        ret->kernel_errno = kernel_errno;
        memcpy(ret->text, text, strlen(text));
}

int refuse(Refusal *ret, RawnetError error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        fill(ret, error, 0, NULL, format, ap);
        va_end(ap);
        return (int)error;
}

int refusal_forward(int r, const Refusal *refusal, Refusal *ret) {
        if (r > 0 && ret)
                *ret = *refusal;
        return r;
}

const char *errno_text(int errnum) {
        const char *text;

        if (errnum < 0)
                errnum = -errnum;
        if (errnum == EMFILE)
                return "Too many open files: raise the limit of this process (ulimit -n, or LimitNOFILE= of a unit)";
        text = strerrordesc_np(errnum); /* thread-safe and always English, strerror(3) */
        return text ? text : "Unknown error";
}

int refuse_errno(Refusal *ret, int errnum, const char *format, ...) {
        const char *reason = errno_text(errnum);
        char unknown[32];
        va_list ap;

        if (errnum < 0)
                errnum = -errnum;
        if (!strerrordesc_np(errnum)) {
                snprintf(unknown, sizeof(unknown), "error %d", errnum);
                reason = unknown;
        }
        va_start(ap, format);
        fill(ret, RAWNET_KERNEL_REFUSED, errnum, reason, format, ap);
        va_end(ap);
        return RAWNET_KERNEL_REFUSED;
}

const char *rawnet_error_to_dbus(RawnetError error) {
        if ((unsigned)error >= RAWNET_ERROR_COUNT)
                return NULL;
        return dbus_names[error];
}
