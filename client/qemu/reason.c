/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Why a netdev cannot be a packet port.
 */

#include "client/qemu/reason.h"

#include "common/text.h"

int qemu_reason(QemuReason *ret, QemuVerdict verdict, const char *remedy, const char *format, ...) {
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(ret->text, sizeof(ret->text), format, ap);
        va_end(ap);
        if (n < 0)
                ret->text[0] = '\0';
        else if ((size_t)n >= sizeof(ret->text))
                text_shorten(ret->text, sizeof(ret->text) - 1);
        ret->remedy = remedy;
        return verdict;
}
