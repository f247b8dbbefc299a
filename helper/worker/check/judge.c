/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/worker/check/judge.h"

#include <linux/if_arp.h>
#include <string.h>

#include "common/network-file.h"
#include "common/terms.h"
#include "helper/worker/host/host-interface.h"
#include "helper/worker/check/limit.h"
#include "helper/worker/host/parent.h"
#include "helper/worker/check/rehearse.h"
#include "helper/worker/check/vlans.h"
#include "helper/worker/validate.h"

/* The wire of a rehearsal where there is no parent to take it from. */
#define ETHERNET_MTU 1500u

typedef struct Judge {
        const JobContext *job;
        const OpenContext open; /* of the ports that are rehearsed */
        const IpcCheck *request;
        Network network;
        uint16_t first, last; /* the VLANs that are asked about; 0, 0: untagged */
        LinkInfo parent;      /* index 0: there is none */
        Findings *findings;
        bool no_namespace; /* a rehearsal did not get one */
} Judge;

static void on_parent_refused(void *data, const LinkInfo *link, const Refusal *refusal) {
        const Judge *judge = data;

        findings_refused(judge->findings, FINDING_ERROR, FINDING_PARENT, link->name, 0, refusal);
}

static int judge_parent(Judge *judge) {
        const ParentReasons reasons = {on_parent_refused, judge};
        const Network *network = &judge->network;
        LinkInfo *parent = &judge->parent;
        int r;

        r = parent_judge(judge->job->netlink, network, judge->first, judge->last, &reasons, parent);
        if (r < 0 || parent->index == 0)
                return r;
        if ((parent->flags & IFF_UP) && !(parent->flags & IFF_RUNNING))
                findings_say(judge->findings, FINDING_WARNING, FINDING_PARENT, parent->name,
                             "%s has no carrier: is its cable plugged in, or its other end up?",
                             parent->name);
        if (strcmp(parent->kind, "ifb") == 0)
                findings_say(
                        judge->findings, FINDING_NOTE, FINDING_PARENT, parent->name,
                        "%s is an ifb, which drops what is sent on it: guests reach each other only",
                        parent->name);
        return 0;
}

/* --- the host's own interface on the network: ports are served without it --- */

static int judge_host(Judge *judge) {
        const Network *network = &judge->network;
        const char *link = network->host_interface, *name = network->name;
        Findings *findings = judge->findings;
        FindingDetail state = FINDING_DETAIL_NONE;
        Refusal refusal = {};
        IpcFinding *f = NULL;
        int r;

        if (link[0] == '\0')
                return 0;
        r = host_interface_look(judge->job->netlink, network, &state, &refusal);
        if (r < 0)
                return r;
        if (r > 0)
                f = findings_say(findings, FINDING_NOTE, FINDING_HOST, link,
                                 "cannot look at its host interface %s: %s", link, refusal.text);
        else if (state == FINDING_HOST_MISSING)
                f = findings_say(findings, FINDING_NOTE, FINDING_HOST, link,
                                 "its host interface %s does not exist, so host and guests do not "
                                 "reach each other: rawnetctl host up %s, or at every boot: "
                                 "systemctl enable --now rawnet-host@%s",
                                 link, name, name);
        else if (state == FINDING_HOST_OTHER)
                f = findings_say(
                        findings, FINDING_NOTE, FINDING_HOST, link,
                        "the host has another interface %s already, which is not "
                        "this network's host interface: rename or remove that, or choose another "
                        "HostInterface= in %s",
                        link, network->path);
        else if (state == FINDING_HOST_MISPLACED)
                f = findings_say(findings, FINDING_NOTE, FINDING_HOST, link,
                                 "its host interface %s is on another interface than %s "
                                 "says: rawnetctl host down %s, then rawnetctl host up %s",
                                 link, network->path, name, name);
        else if (state == FINDING_HOST_DOWN)
                f = findings_say(findings, FINDING_NOTE, FINDING_HOST, link,
                                 "its host interface %s is down: rawnetctl host up %s", link, name);
        else
                f = findings_fact(findings, FINDING_HOST, link, state);
        f->detail = (uint8_t)state;
        return 0;
}

/* --- a port of each kind --- */

/* The MTU of a rehearsal's wire, and of a port without MTU=. */
static uint32_t wire_mtu(const Judge *judge) {
        const LinkInfo *parent = &judge->parent;

        return parent->index != 0 && parent->hardware == ARPHRD_ETHER
                       ? MIN_OF(parent->mtu, NETWORK_MTU_MAX)
                       : ETHERNET_MTU;
}

/* A port as an open without options asks for it, with any address that the network allows. 0, a
 * refusal or -errno. */
static int try_port(Judge *judge, LeaseKind kind, const MacAddress *mac, Refusal *ret_refusal) {
        IpcOpen open = {.kind = kind,
                        .vnet_hdr = kind == KIND_TAP,
                        .queues = 1,
                        .mac_mode = mac ? IPC_MAC_GIVEN : IPC_MAC_RANDOM};
        char name[RAWNET_FULL_NAME_MAX + 8];
        bool entered = false;
        Network network;
        LeasePlan plan;
        int r;

        memcpy(open.network, judge->request->network, sizeof(open.network));
        if (judge->first != judge->last) {
                snprintf(name, sizeof(name), "%s.%u", judge->network.name, judge->first);
                memcpy(open.network, name, strnlen(name, sizeof(open.network) - 1));
        }
        if (mac)
                open.mac = *mac;
        r = terms_open(network_file_load_wait, &open, &network, ret_refusal);
        if (r == 0)
                r = validate_open(judge->job, &judge->open, &open, &plan, ret_refusal);
        if (r != 0)
                return r;
        plan.lower_mtu = wire_mtu(judge);
        plan.lease.mtu = network.mtu ? MIN_OF(network.mtu, plan.lower_mtu) : plan.lower_mtu;
        if (kind == KIND_TAP)
                plan.lease.mtu = MIN_OF(plan.lease.mtu, RAWNET_TAP_MTU_MAX);
        r = rehearse_port(judge->job, &plan, &entered, ret_refusal);
        judge->no_namespace = judge->no_namespace || !entered;
        return r;
}

/* The smallest address that MACPrefix= allows, or the next one. */
static MacAddress any_mac(const Network *network) {
        MacAddress mac = {};

        memcpy(mac.octet, network->mac_prefixes.prefix[0].octet, sizeof(mac.octet));
        if (network->mac_prefixes.prefix[0].length == 0)
                mac.octet[0] = 0x02;
        if (network->mac_prefixes.prefix[0].length < sizeof(mac.octet))
                mac.octet[sizeof(mac.octet) - 1] = 1;
        return mac;
}

/* r: what the rehearsal came to. */
static void note_rehearsal(Judge *judge, FindingTopic topic, const char *where, int r,
                           Refusal *refusal) {
        if (r < 0)
                r = refuse_errno(refusal, r, "rawnet-helper could not do it");
        if (r > 0)
                findings_refused(judge->findings, FINDING_ERROR, topic, where, 0, refusal);
}

static void judge_kind(Judge *judge, LeaseKind kind, const MacAddress *mac) {
        Refusal refusal = {};
        int r;

        judge->findings->kinds = KIND_BIT(kind);
        r = try_port(judge, kind, mac, &refusal);
        note_rehearsal(judge, FINDING_PORT, "", r, &refusal);
}

/* No rehearsal got a namespace, so later steps of an open were not tried. */
static void note_unknown(Judge *judge) {
        const bool tagged = judge->first != 0,
                   packet = judge->network.kinds & KIND_BIT(KIND_PACKET);

        findings_say(judge->findings, FINDING_NOTE, FINDING_PORT, "",
                     "whether this kernel has %s%s%s is unknown, because rawnet-helper cannot make "
                     "user namespaces to try it in",
                     tagged ? "802.1Q" : "", tagged && packet ? " and " : "",
                     packet    ? "the nftables egress hook"
                     : !tagged ? "what the network needs"
                               : "");
}

static void judge_ports(Judge *judge) {
        const Network *network = &judge->network;
        const MacAddress mac = any_mac(network);
        const uint32_t mtu = network->mtu ? network->mtu : wire_mtu(judge);
        Findings *findings = judge->findings;
        const uint8_t all = findings->kinds;
        const MacPrefix *prefix;
        Refusal refusal = {};
        bool chosen;

        chosen = network_choose_mac(network, judge->request->network, &prefix, &refusal) == 0;
        if (!chosen)
                findings_refused(findings, FINDING_WARNING, FINDING_FILE, network->path, 0,
                                 &refusal);
        for (LeaseKind kind = KIND_TAP; kind < KIND_UNKNOWN; kind++)
                if (all & judge->request->kinds & KIND_BIT(kind))
                        judge_kind(judge, kind, chosen ? NULL : &mac);
        findings->kinds = KIND_BIT(KIND_TAP);
        if ((all & KIND_BIT(KIND_TAP)) && mtu > RAWNET_TAP_MTU_MAX)
                findings_say(
                        findings, FINDING_NOTE, FINDING_PORT, "",
                        "its tap ports have an MTU of %u, the most that a tap can have, and not %u",
                        RAWNET_TAP_MTU_MAX, mtu);
        findings->kinds = all;
        if (judge->no_namespace)
                note_unknown(judge);
        if (network->derived_macs && all & KIND_BIT(KIND_TAP)) {
                findings->kinds = KIND_BIT(KIND_TAP);
                findings_say(
                        findings, FINDING_NOTE, FINDING_FILE, network->path,
                        "MACChoice=derived lets no port learn its guest's address, as "
                        "rawnet-bridge-helper(1) asks for; use rawnetctl qemu or rawnetctl run");
                findings->kinds = all;
        }
        if (!network->anti_spoof)
                findings_say(findings, FINDING_NOTE, FINDING_FILE, network->path,
                             "AntiSpoof=no lets a guest send from further addresses, but frames to "
                             "those do not come back to it");
}

/* Last of all: this process leaves the host's namespace for it. */
static void judge_guard(Judge *judge) {
        Refusal refusal = {};
        int r = rehearse_vlan_guard(judge->job, &refusal);

        note_rehearsal(judge, FINDING_VLAN, judge->network.parent, r, &refusal);
}

/* RAWNET_BAD_NETWORK_FILE has become a finding. */
static int read_file(Judge *judge, Refusal *ret_refusal) {
        Network *network = &judge->network;
        NetworkName name;
        uint16_t vlan;
        int r;

        r = network_name_parse(judge->request->network, &name, ret_refusal);
        if (r != 0)
                return r;
        r = network_file_load_wait(name.name, network, ret_refusal);
        if (r == 0 && name.vlan != 0)
                r = network_pick_vlan(network, &name, &vlan, ret_refusal);
        if (r == RAWNET_BAD_NETWORK_FILE)
                findings_refused(judge->findings, FINDING_ERROR, FINDING_FILE, network->path, 0,
                                 ret_refusal);
        judge->first = name.vlan != 0 ? name.vlan : network->vlan_first;
        judge->last = name.vlan != 0 ? name.vlan : network->vlan_last;
        return r;
}

int judge_network(const JobContext *job, uint32_t features, const IpcCheck *request, Findings *ret,
                  Refusal *ret_refusal) {
        Judge judge = {.job = job,
                       .open = {.features = features, .namespace_fd = -1},
                       .request = request,
                       .findings = ret};
        bool needs_guard; /* a port would be on a shared VLAN interface of rawnet's */
        int r;

        *ret = (Findings){.network = request->network, .kinds = request->kinds};
        r = read_file(&judge, ret_refusal);
        if (r != 0)
                return r == RAWNET_BAD_NETWORK_FILE ? 0 : r;
        ret->parent = judge.network.parent;
        ret->kinds = (uint8_t)judge.network.kinds;
        needs_guard = judge.first != 0 && judge.network.mode != MODE_EXCLUSIVE;
        r = judge_parent(&judge);
        if (r == 0 && judge.parent.index != 0 && judge.first != 0)
                r = vlans_judge(job, &judge.network, &judge.parent, judge.first, judge.last, ret,
                                &needs_guard);
        if (r == 0)
                r = judge_host(&judge);
        if (r == 0) {
                judge_ports(&judge);
                limit_judge(&job->privilege, job->registry->n_entries, ret);
        }
        if (r == 0 && needs_guard)
                judge_guard(&judge);
        ret->network = ret->parent = NULL;
        return r;
}
