/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why a netdev cannot be a packet port. One sentence without its end, and what to write instead.
 */

#include "common/refusal.h"

typedef enum QemuVerdict {
        QEMU_CANNOT = 1, /* kind=packet does not work on this command line */
        QEMU_UNKNOWN,    /* rawnetctl cannot know; who writes kind=packet may */
} QemuVerdict;

typedef struct QemuReason {
        char text[REFUSAL_TEXT_MAX];
        const char *remedy; /* NULL: none but another kind */
} QemuReason;

/* Fills ret in and returns the verdict. A text that does not fit ends in "...". */
int qemu_reason(QemuReason *ret, QemuVerdict verdict, const char *remedy, const char *format, ...)
        _printf_(4, 5);
