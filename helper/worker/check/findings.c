/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/check/findings.h"

#include <string.h>

#include "helper/worker/lease.h"

/* Never NULL: where the list is full, a place that nobody reads. */
static IpcFinding *add(Findings *findings, IpcFinding finding) {
        static IpcFinding dropped;
        IpcFinding *f = findings->n < IPC_FINDINGS_MAX ? &findings->list[findings->n++] : &dropped;

        *f = finding;
        return f;
}

IpcFinding *findings_refused(Findings *findings, FindingSeverity severity, FindingTopic topic,
                             const char *where, uint16_t vlan, const Refusal *refusal) {
        Refusal named = *refusal;
        IpcFinding *f;

        if (findings->parent)
                (void)lease_name_network(findings->network, findings->parent, (int)named.error,
                                         &named);
        /* The same reason for both kinds is one finding. */
        for (size_t i = 0; i < findings->n; i++) {
                f = &findings->list[i];
                if (f->severity == severity && f->topic == topic && f->vlan == vlan &&
                    strcmp(f->text, named.text) == 0) {
                        f->kinds |= findings->kinds;
                        return f;
                }
        }
        f = add(findings, ipc_finding(severity, topic, where, findings->kinds, &named));
        f->vlan = vlan;
        return f;
}

IpcFinding *findings_say(Findings *findings, FindingSeverity severity, FindingTopic topic,
                         const char *where, const char *format, ...) {
        char text[REFUSAL_TEXT_MAX];
        Refusal refusal = {};
        va_list ap;

        va_start(ap, format);
        if (vsnprintf(text, sizeof(text), format, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        /* Makes it printable, and ends it in "..." where it is too long. */
        (void)refuse(&refusal, RAWNET_OK, "network %s: %s", findings->network, text);
        return add(findings, ipc_finding(severity, topic, where, findings->kinds, &refusal));
}

IpcFinding *findings_fact(Findings *findings, FindingTopic topic, const char *where,
                          FindingDetail detail) {
        IpcFinding *f =
                add(findings, ipc_finding(FINDING_FACT, topic, where, findings->kinds, NULL));

        f->detail = (uint8_t)detail;
        return f;
}
