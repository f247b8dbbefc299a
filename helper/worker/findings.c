/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/findings.h"

#include <string.h>

#include "common/text.h"
#include "helper/worker/lease.h"

/* Never NULL: what does not fit is written to a place that nobody reads. */
static IpcFinding *add(Findings *findings, FindingSeverity severity, FindingTopic topic,
                       const char *where) {
        static IpcFinding dropped;
        IpcFinding *f = &dropped;

        if (findings->n < IPC_FINDINGS_MAX)
                f = &findings->list[findings->n++];
        *f = (IpcFinding){
                .severity = (uint8_t)severity, .topic = (uint8_t)topic, .kinds = findings->kinds};
        /* An interface's name may have any bytes. */
        memcpy(f->where, where, strnlen(where, sizeof(f->where) - 1));
        text_make_printable(f->where);
        return f;
}

static void set_text(IpcFinding *f, const Refusal *refusal) {
        f->error = refusal->error;
        f->kernel_errno = refusal->kernel_errno;
        memcpy(f->text, refusal->text, strlen(refusal->text));
}

IpcFinding *findings_refused(Findings *findings, FindingSeverity severity, FindingTopic topic,
                             const char *where, uint16_t vlan, int refused,
                             const Refusal *refusal) {
        Refusal named = *refusal;
        IpcFinding *f;

        if (findings->parent)
                (void)lease_name_network(findings->network, findings->parent, refused, &named);
        /* What stands in the way of both kinds is said once. */
        for (size_t i = 0; i < findings->n; i++) {
                f = &findings->list[i];
                if (f->severity == severity && f->topic == topic && f->vlan == vlan &&
                    strcmp(f->text, named.text) == 0) {
                        f->kinds |= findings->kinds;
                        return f;
                }
        }
        f = add(findings, severity, topic, where);
        set_text(f, &named);
        f->vlan = vlan;
        return f;
}

IpcFinding *findings_say(Findings *findings, FindingSeverity severity, FindingTopic topic,
                         const char *where, const char *format, ...) {
        IpcFinding *f = add(findings, severity, topic, where);
        char text[REFUSAL_TEXT_MAX];
        Refusal refusal = {};
        va_list ap;

        va_start(ap, format);
        if (vsnprintf(text, sizeof(text), format, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        /* Makes it printable, and ends it in "..." where it is too long. */
        (void)refuse(&refusal, RAWNET_OK, "network %s: %s", findings->network, text);
        set_text(f, &refusal);
        return f;
}

IpcFinding *findings_fact(Findings *findings, FindingTopic topic, const char *where,
                          FindingDetail detail) {
        IpcFinding *f = add(findings, FINDING_FACT, topic, where);

        f->detail = (uint8_t)detail;
        return f;
}
