/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/check/vlans.h"

#include <string.h>

#include "helper/kernel/record.h"
#include "helper/worker/host/parent.h"
#include "helper/worker/host/shared.h"

/* At most this many VLAN interfaces of the host are looked at, and this many named in a note. */
#define VLANS_MAX 16u
#define NAMED_MAX 4u

typedef struct Vlans {
        const JobContext *job;
        const Network *network;
        const LinkInfo *parent;
        uint16_t first, last;
        Findings *findings;
        LinkInfo found[VLANS_MAX];
        size_t n;
        size_t n_host; /* of the host's own, those that found has no room for among them */
        uint16_t vlan; /* of the interface that is judged */
} Vlans;

/* For a finding about one VLAN: that VLAN where a range is judged, else 0. */
static uint16_t only_vlan(const Vlans *vlans, uint16_t vlan) {
        return vlans->first != vlans->last ? vlan : 0;
}

static int collect_vlan(const LinkInfo *link, void *data) {
        Vlans *vlans = data;

        if (strcmp(link->kind, "vlan") != 0 || link->lower != vlans->parent->index ||
            link->vlan_protocol != vlans->network->protocol || link->vlan < vlans->first ||
            link->vlan > vlans->last)
                return 0;
        vlans->n_host += !shared_is_ours(link);
        if (vlans->n < VLANS_MAX)
                vlans->found[vlans->n++] = *link;
        return 0;
}

static void on_vlan_refused(void *data, const LinkInfo *link, const Refusal *refusal) {
        const Vlans *vlans = data;

        findings_refused(vlans->findings, FINDING_ERROR, FINDING_VLAN, link->name,
                         only_vlan(vlans, vlans->vlan), refusal);
}

/* The VLAN is taken: reports who has it. where: of the finding. */
static int judge_taken(const Vlans *vlans, FindingSeverity severity, const char *where,
                       uint16_t vlan) {
        Refusal refusal = {};
        int r = parent_vlan_taken(vlans->job->netlink, vlans->network, vlans->parent, vlan,
                                  &refusal);

        if (r > 0)
                findings_refused(vlans->findings, severity, FINDING_VLAN, where,
                                 only_vlan(vlans, vlan), &refusal);
        return MIN_OF(r, 0);
}

static int judge_vlan(Vlans *vlans, const LinkInfo *link) {
        const bool ours = shared_is_ours(link);
        const ParentReasons reasons = {on_vlan_refused, vlans};
        Refusal refusal = {};
        char name[IFNAMSIZ];
        int r;

        findings_fact(vlans->findings, FINDING_VLAN, link->name,
                      ours ? FINDING_OWNER_RAWNET : FINDING_OWNER_HOST)
                ->vlan = link->vlan;
        vlans->vlan = link->vlan;
        if (vlans->network->mode == MODE_EXCLUSIVE)
                return judge_taken(vlans, ours ? FINDING_BUSY : FINDING_ERROR, link->name,
                                   link->vlan);
        if (ours)
                return 0;
        shared_name(vlans->parent->index, vlans->network->protocol, link->vlan, name);
        if (strcmp(link->name, name) != 0)
                return parent_judge_vlan(vlans->job->netlink, vlans->network, link, &reasons);
        r = shared_check(vlans->network, vlans->parent, link->vlan, link, &refusal);
        if (r > 0)
                on_vlan_refused(vlans, link, &refusal);
        return MIN_OF(r, 0);
}

static void note_owner(const Vlans *vlans) {
        char named[NAMED_MAX * (IFNAMSIZ + 2)] = "";
        size_t n = 0;

        for (size_t i = 0; i < vlans->n && n < NAMED_MAX; i++) {
                const size_t length = strlen(named);

                if (shared_is_ours(&vlans->found[i]))
                        continue;
                n++;
                snprintf(named + length, sizeof(named) - length, "%s%s", length > 0 ? ", " : "",
                         vlans->found[i].name);
        }
        if (named[0])
                findings_say(vlans->findings, FINDING_NOTE, FINDING_VLAN, "",
                             "its ports are on VLAN interfaces of the host's own: %s%s; rawnet "
                             "does not change or delete them",
                             named, vlans->n_host > n ? " ..." : "");
}

/* Does an exclusive lease have the VLAN? The VLAN's interface is in the lease's namespace then. */
static bool is_exclusively_leased(const Vlans *vlans) {
        const Registry *registry = vlans->job->registry;

        for (size_t i = 0; i < registry->n_entries; i++) {
                const IpcLease *lease = &registry->entries[i].lease;
                char name[IFNAMSIZ];
                LinkInfo uplink;

                if (lease->vlan == vlans->first && !lease->gone && !lease->later &&
                    registry->entries[i].lower == vlans->parent->index &&
                    link_get(vlans->job->netlink, (int32_t)lease->id,
                             record_uplink_name(lease, name), &uplink, &(Refusal){}) == 0 &&
                    strcmp(uplink.kind, "vlan") == 0 &&
                    uplink.vlan_protocol == vlans->network->protocol)
                        return true;
        }
        return false;
}

/* The host's namespace has no interface for this VLAN. Could an open make it? */
static int judge_free_vlan(Vlans *vlans) {
        Refusal refusal = {};
        char name[IFNAMSIZ];
        LinkInfo link;
        int r;

        if (is_exclusively_leased(vlans))
                return judge_taken(vlans, FINDING_BUSY, vlans->parent->name, vlans->first);
        if (vlans->network->mode == MODE_EXCLUSIVE)
                return 0;
        shared_name(vlans->parent->index, vlans->network->protocol, vlans->first, name);
        r = link_find(vlans->job->netlink, LINK_HERE, name, &link, &refusal);
        if (r == 0 && link.index != 0)
                r = shared_check(vlans->network, vlans->parent, vlans->first, &link, &refusal);
        if (r > 0)
                on_vlan_refused(vlans, &link, &refusal);
        return MIN_OF(r, 0);
}

int vlans_judge(const JobContext *job, const Network *network, const LinkInfo *parent,
                uint16_t first, uint16_t last, Findings *findings, bool *needs_guard) {
        _cleanup_free_ Vlans *vlans = calloc(1, sizeof(*vlans));
        Refusal refusal = {};
        int r;

        if (!vlans)
                return -ENOMEM;
        *vlans = (Vlans){.job = job,
                         .network = network,
                         .parent = parent,
                         .first = first,
                         .last = last,
                         .findings = findings};
        r = link_dump(job->netlink, "vlan", collect_vlan, vlans, &refusal);
        if (r > 0)
                return -refusal.kernel_errno;
        for (size_t i = 0; r == 0 && i < vlans->n; i++)
                r = judge_vlan(vlans, &vlans->found[i]);
        if (r == 0 && vlans->n == 0 && first == last)
                r = judge_free_vlan(vlans);
        if (network->mode != MODE_EXCLUSIVE)
                note_owner(vlans);
        if (vlans->n_host == last - first + 1u)
                *needs_guard = false;
        return r;
}
