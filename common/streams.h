/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Standard input, output and error.
 */

/* Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed. Every program calls this
 * before it opens anything: else a socket or a lease's descriptor gets one of these numbers, and
 * the next message is written into it. 0 or -errno. */
int streams_ensure(void);
