/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a check of a network has found, in the order of finding. There is room for
 * IPC_FINDINGS_MAX; more are dropped.
 */

#include "common/ipc.h"

typedef struct Findings {
        const char *network; /* as it was asked for: NAME or NAME.VID */
        const char *parent;  /* NULL: not known yet */
        uint8_t kinds;       /* KIND_BIT()s that the next findings are about */
        IpcFinding list[IPC_FINDINGS_MAX];
        size_t n;
} Findings;

/* What an open would be refused with. vlan: the only VLAN of a range that it is about; 0: all.
 * Names the network in the text, as the refusal of an open does. */
IpcFinding *findings_refused(Findings *findings, FindingSeverity severity, FindingTopic topic,
                             const char *where, uint16_t vlan, const Refusal *refusal);

/* FINDING_WARNING or FINDING_NOTE, with a text of its own, which names the network. */
IpcFinding *findings_say(Findings *findings, FindingSeverity severity, FindingTopic topic,
                         const char *where, const char *format, ...) _printf_(5, 6);

/* FINDING_FACT, without a text. */
IpcFinding *findings_fact(Findings *findings, FindingTopic topic, const char *where,
                          FindingDetail detail);
