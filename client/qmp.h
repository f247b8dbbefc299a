/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A running QEMU's control socket (QMP, QEMU's docs/interop/qmp-spec): commands, one at a time, and
 * the one event that somebody here waits for. QEMU is the user's own; what it says is shown, not
 * believed: sizes are bounded, and nothing waits for ever.
 */

#include <json-c/json.h>

#include "common/refusal.h"

typedef struct Qmp Qmp;

/* A QEMU that emulates on a busy machine needs a second; one that serves another client never
 * answers. */
#define QMP_PATIENCE_MS 15000u

/* Connects to the socket at path, and is ready for commands. patience_ms: how long QEMU may keep us
 * waiting in all, for the connection, the greeting and every answer; qmp_wait_deleted() has a
 * deadline of its own. Afterwards every command fails at once. All functions return 0, or a
 * RawnetError with a sentence (QEMU's own words where it said no), or -errno. */
int qmp_connect(const char *path, unsigned patience_ms, Qmp **ret, Refusal *ret_refusal);
void qmp_close(Qmp *qmp);
static inline void qmp_closep(Qmp **qmp) {
        qmp_close(*qmp);
}

/* arguments: taken over, NULL for none. fd: goes with the command (SCM_RIGHTS), stays the caller's;
 * -1: none. */
int qmp_execute(Qmp *qmp, const char *command, json_object *arguments, int fd,
                Refusal *ret_refusal);

/* QEMU's class of the last error ("DeviceNotFound", "GenericError" …), "" where there was none. */
const char *qmp_error_class(const Qmp *qmp);

/* From now on DEVICE_DELETED of this device is heard; name must stay. */
void qmp_watch_device(Qmp *qmp, const char *name);
/* Waits until the watched device is gone. 0, RAWNET_NETWORK_BUSY where it is not within so many
 * seconds, or another error. */
int qmp_wait_deleted(Qmp *qmp, unsigned seconds, Refusal *ret_refusal);
