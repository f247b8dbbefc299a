# SPDX-License-Identifier: GPL-2.0-or-later
"""The defences, each taken away by a small change of the sources, with the attack test that must notice and what it says then."""

import dataclasses

from guard_rules import LATE, RULES, SERVERS


@dataclasses.dataclass
class Mutation:
    name: str
    changes: list  # (file, text that occurs there once, what replaces it)
    test: str
    pattern: str  # which of its tests
    because: str  # a regular expression in what it says
    vm: bool = False  # shows on another kernel only: with --full


SEND, RECEIVE = "tests/attack/test_send.py", "tests/attack/test_receive.py"
CONFIGURE, SILENCE = "tests/attack/test_configure.py", "tests/attack/test_silence.py"
CLIENTS, HELPER, TRICK = "tests/attack/test_clients.py", "tests/attack/test_helper.py", "tests/attack/test_trick.py"
LEARNING, LOAD, MAC = "tests/attack/test_learn.py", "tests/attack/test_load.py", "tests/attack/test_mac.py"
CHECKED, MAC_CHOICE = "tests/netns/test_checked.py", "tests/attack/test_mac_choice.py"
FLOOD, LOG, CHECK = "tests/attack/test_flood.py", "tests/attack/test_log.py", "tests/bus/test_check.py"
METRICS = "tests/bus/test_metrics.py"
HALVED = "tests/attack/test_network_file.py"
STALL = "tests/attack/test_bus_stall.py"
SHARED, SWEEP, OWN_VLAN = "helper/worker/host/shared.c", "helper/worker/host/sweep.c", "tests/vm/test_own_vlan.py"
VLAN_GUARD, HARDENING = "helper/worker/host/vlan-guard.c", "tests/vm/test_hardening.py"
TOP = "tests/bus/test_top.py"
RUN_TAP, RUN_DHCP, NETAVARK = "tests/netns/test_run_tap.py", "tests/netns/test_run_dhcp.py", "tests/netns/test_netavark.py"
CLOSES_ALL = ("client/dhcp-keeper.c", "            close_range((unsigned)end, ~0u, 0) < 0)", "            end < 0)")
HOST, FORGED_HOST = "tests/bus/test_host_interface.py", "tests/attack/test_host_interface.py"
PROGRAM, ETHERNET = "helper/guard/guard.bpf.c", "helper/guard/guard-ethernet.h"
ATTACH, NAMESPACE, PORT, LEARN = "helper/child/guard.c", "helper/child/namespace.c", "helper/child/port.c", "helper/child/learn.c"
KERNEL = "tests/attack/test_attach_kernel.py"
RATE, SHAPER = "tests/netns/test_rate.py", "helper/child/shaper.c"
KEEP, KEPT = "helper/child/keep.c", "tests/netns/test_attach_lifetime.py"
VHOST, PEER_EVENT = "tests/attack/test_vhost.py", "backend/peer-event.c"
SERVER, CONNECTION, VALIDATE, PRIVILEGE = "helper/daemon/server.c", "helper/daemon/connection.c", "helper/worker/validate.c", "helper/privilege.c"
TERMS, ASKED = "common/terms.c", "tests/bus/test_polkit.py"
POLKIT, PLAN, REQUEST, QUOTA, LEASE, GATE_C = (f"service/{name}.c" for name in ("polkit", "open-plan", "request", "quota", "lease-object", "gate"))

# What the tests say.
OUT = "frames got to the wire"
HEARD = "frames overheard"
SPOKEN = "frames on the wire that no guest sent"
ANSWERED = "the namespace answered"
OPENED = r"AssertionError: .*type=1,"
YES = "it was opened"
WRONG = "AssertionError"

# Lines that more than one mutant touches, or that are long.
NO_TRIAL = ("helper/worker/probe.c", "*features |= PROBE_GUARD_FAILS;", "*features |= IPC_FEATURE_EGRESS;")
FILTER_SIZE = "7 + ARRAY_SIZE(tags) + 2"  # instructions; lock_filter() asserts it
ONE_LESS = (PORT, FILTER_SIZE, "6 + ARRAY_SIZE(tags) + 2")
QUESTIONS = ("service/authorize.c", "#define QUESTIONS_MAX 16u", "#define QUESTIONS_MAX 100000u")
REQUESTS = (GATE_C, "#define CALLS_MAX 64u", "#define CALLS_MAX 100000u")


def guard(name, old, new, pattern, because=OUT, test=SEND, path=PROGRAM):
    """Of the eBPF program. That its own rules are all needed is for tests/unit/test-guard-program.c; these are seen from outside."""
    return Mutation(f"guard: {name}", [(path, old, new), NO_TRIAL], test, pattern, because)


def attached(name, old, new, pattern, because=OUT, test=SEND):
    """Of the places where the programs are, and of the gate."""
    return Mutation(f"guard: {name}", [(ATTACH, old, new), NO_TRIAL], test, pattern, because)


def helper(name, path, old, new, pattern, because):
    return Mutation(f"helper: {name}", [(path, old, new)], HELPER, pattern, because)


def service(name, path, old, new, pattern, because):
    return Mutation(name, [(path, old, new)], CLIENTS, pattern, because)


def vhost(name, path, old, new, pattern, because):
    return Mutation(f"vhost: {name}", [(path, old, new)], VHOST, pattern, because)


MUTATIONS = [
    # -- the private namespace
    Mutation("namespace: the lease is made in the host's",
             [(NAMESPACE, "r = privilege_enter_lease(privilege, ret_refusal);", "r = 0;")],
             CONFIGURE, "nothing_in_the_host", "the only lease: .*uplink appeared in the host's namespace"),
    # -- the guard: what the guest sends
    guard("tags pass", "        if (skb->vlan_present || is_tag(ethernet.type))\n                return GUARD_VLAN_TAG;\n", "", "tagged"),
    guard("any source passes", "if ((flags & GUARD_ANTI_SPOOF) &&", "if ((flags & GUARD_DROP_OWN) &&", "spoofed"),
    guard("half of the source is compared", "for (int i = 0; i < 6; i++)\n                if (source", "for (int i = 0; i < 3; i++)\n                if (source",
          "spoofed", path=ETHERNET),
    guard("control frames pass", "if (!(flags & GUARD_PASS_CONTROL) &&", "if ((flags & GUARD_DROP_OWN) &&", "control_frames"),
    guard("frames of any length pass", "                return GUARD_TOO_LONG;\n", "                return -1;\n", "test_sizes", "bytes got out", CONFIGURE),
    attached("there is no gate", ".policy = NF_DROP};", ".policy = NF_ACCEPT};", "spoofed"),
    attached("a packet port's program is at no place but its exit",
             "        ret[n++] = (Place){&g->inner, TC_HOOK_INGRESS, GUARD_FROM_GUEST, \"from_guest\"};\n",
             "        if (g->shape == GUARD_TAP_CHECKED)\n                ret[n++] = (Place){&g->inner, TC_HOOK_INGRESS, GUARD_FROM_GUEST, \"from_guest\"};\n",
             "bypasses", WRONG, "tests/netns/test_offload.py"),
    *(Mutation(f"rate: {name}", [(path, old, new)], RATE, pattern, because) for name, path, old, new, pattern, because in (
        ("no queue", NAMESPACE, "if (r == 0 && plan->rate != 0)", "if (r == 0 && plan->rate == 1)", "test_a_flood_is", WRONG),
        ("none from the guest", SHAPER, "r = limit_link(&guard->uplink, &bucket, longest, netlink, ret_refusal);", "r = 0;", "test_a_flood_is", "sends"),
        ("none to the guest", SHAPER, "return r == 0 ? limit_link(to_guest, &bucket, longest, netlink, ret_refusal) : r;", "return to_guest ? r : r;",
         "test_a_flood_is", "gets"),
        ("a packet port receives past it", ATTACH, "packet && g->vnet_hdr && !g->limited;", "packet && g->vnet_hdr;", "test_a_flood_is", "packet.*gets"),
        ("the queue is long", SHAPER, "#define WAIT_MSEC UINT64_C(25)", "#define WAIT_MSEC UINT64_C(2500)", "test_queues", WRONG))),
    Mutation("rate: the helper takes any", [(VALIDATE, "network_rate(&plan.network, request->network,", "network_rate(&(Network){}, request->network,")],
             HELPER, "test_only_what_the_file_says", OPENED),
    Mutation("rate: a caller may ask for more", [("common/network.c", "if (asked != 0 && network->rate != 0 && asked > network->rate)", "if (asked > UINT64_MAX / 2)")],
             "tests/bus/test_rate.py", "test_only_lower", WRONG),
    Mutation("rate: a kernel without it opens a port without it", [(SHAPER, "        if (r != 0)\n                return r;\n", "        if (r != 0)\n                return 0;\n")],
             "tests/bus/test_rate.py", "test_a_kernel_without", WRONG),
    Mutation("guard: a port is open while it learns", [(ATTACH, "longest = g->learning ? 0 : g->mtu + ETH_HLEN;", "longest = g->mtu + ETH_HLEN;")],
             "tests/unit/test-guard.c", "test_learning", "test_learning"),
    attached("AntiSpoof=yes is not said", "(g->anti_spoof ? GUARD_ANTI_SPOOF : 0)", "0", "spoofed"),
    *(Mutation(f"rule: {name}", [(path, old, new)], test, pattern, because) for name, path, old, new, test, pattern, because in RULES),
    # -- the trial at the helper's start finds such a guard as well
    Mutation("trial: a guard that lets a source pass",
             [(PROGRAM, "if ((flags & GUARD_ANTI_SPOOF) &&", "if ((flags & GUARD_DROP_OWN) &&")], SEND, "spoofed", "did not work"),
    Mutation("trial: a guard that lets tags pass",
             [(PROGRAM, "        if (skb->vlan_present || is_tag(ethernet.type))\n                return GUARD_VLAN_TAG;\n", "")], SEND, "tagged", "did not work"),
    Mutation("trial: a gate that is open", [(ATTACH, ".policy = NF_DROP};", ".policy = NF_ACCEPT};")], SEND, "spoofed", "did not work"),
    # -- the guard: what the guest and its namespace get
    guard("tagged frames of the wire come in",
          "!= 0 || skb->vlan_present ||\n            is_tag(ethernet.type))", "!= 0)",
          "no_attack", HEARD, RECEIVE),
    guard("what the sockets have seen reaches the IP stack",
          "int dead_end(struct __sk_buff *skb) {\n        return TC_ACT_SHOT;", "int dead_end(struct __sk_buff *skb) {\n        return TC_ACT_OK;",
          "deaf", ANSWERED, SILENCE),
    # The trial at the helper's start notices, and would have the kernel complete requests first.
    Mutation("rule: late checksum: the end of a request is lost",
             [("helper/guard/guard-ip.h", "bpf_skb_store_bytes(skb, keep, tail->bytes, bounded(size), 0) == 0;", "size > 0;"),
              ("helper/worker/trial.c", "blind = r == 0;", "blind = false;")], LATE, "honest_guests", "did not arrive"),
    # -- kernels that do not tell the guard a checksum's place: simulated
    Mutation("completing: what the guard cannot judge leaves as it is",
             [(PROGRAM, "if (is_at_port(skb) && needs_completion(skb, entry, reason))\n                        return complete_first(entry, number);",
               "if (is_at_port(skb) && needs_completion(skb, entry, reason))\n                        return bpf_redirect(GUARD_UPLINK | number, 0);")],
             LATE, "does_not_tell", SERVERS),
    Mutation("completing: a packet port leaves its frames unfinished", [(NAMESPACE, "(plan->checksum_trick || plan->blind)", "plan->checksum_trick")],
             "tests/netns/test_refusals.py", "unknown_place", "did not arrive"),
    # -- the helper's end of it
    Mutation("privilege: CAP_BPF is kept", [(PRIVILEGE, "capng_apply(CAPNG_SELECT_CAPS) < 0)\n                return -EPERM;\n        capng_clear(CAPNG_SELECT_ALL);",
                                             "capng_apply(CAPNG_SELECT_BOUNDS) > 0)\n                return -EPERM;\n        capng_clear(CAPNG_SELECT_ALL);")],
             "tests/netns/test_guard_program.py", "capability", "HelperUnavailable"),  # its self-check
    Mutation("entries: those of ended leases stay", [("helper/daemon/server.c", "        entries_ended(&server->entries, id);\n", "")],
             "tests/netns/test_guard_program.py", "ended_leases", WRONG),
    Mutation("entries: a new helper leaves those of ended leases", [("helper/daemon/server.c", "                entries_scanned(&server->entries);\n", "                ;\n")],
             "tests/netns/test_guard_program.py", "while_no_helper", WRONG),
    Mutation("guard-program: maps are not stored", [("helper/guard-program.c", "FDNAME=%s\\nFDPOLL=0", "FDNAME=%s\\nFDPOLL=1")],
             "tests/netns/test_guard_program.py", "restart", WRONG),
    *(Mutation(f"guard-program: {name}", [("helper/guard-program.c", old, new)], "tests/unit/test-guard-load.c", pattern, f"not ok .*{pattern}")
      for name, old, new, pattern in (
          ("maps of another layout are used", "if (strcmp(stored[i].name, name) == 0)", "if (strcmp(strrchr(stored[i].name, '-'), strrchr(name, '-')) == 0)",
           "test_another_layout"),
          ("any map will do", "info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&", "info.id > 0 ||", "test_one_is_another"),
          ("maps are taken one by one", "stored, n_stored))) return false;", "stored, n_stored))) continue;", "test_one_is_another"),
          ("maps that are not used stay in the store", "forget_stored(stored, n_stored); skeleton", "skeleton", "test_another_layout"))),
    *(Mutation(f"privilege: {name}", [(PRIVILEGE, old, new)], "tests/unit/test-privilege.c", pattern, f"not ok .*{pattern}") for name, old, new, pattern in (
        *((f"the {name} set is not looked at", f'{{CAPNG_{name.upper()}{"_SET" if name == "bounding" else ""}, "{name}"}}', '{CAPNG_EFFECTIVE, "effective"}', "test_refused")
          for name in ("permitted", "inheritable", "bounding")),
        ("CAP_NET_RAW alone", "return !(admin_of_system && (capability", "return !((capability", "test_refused"),
        ("CAP_BPF is kept as inheritable", "CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE,", "CAPNG_EFFECTIVE | CAPNG_PERMITTED,", "test_sets"),
        ("what is left is not looked at", "return check_sets(privilege->admin_of_system, true, ret_refusal);", "return 0;", "test_drop_is_checked"),
        ("CAP_BPF may be left", "const bool bpf = !started ||", "const bool bpf = true ||", "test_drop_is_checked"),
        ("root may run", "if (getuid() == 0 || geteuid() == 0)", "if (getuid() == 1)", "test_needs"),
        ("nothing is needed", "if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))", "if (!capng_have_capability(CAPNG_BOUNDING_SET, CAP_NET_ADMIN))",
         "test_needs"))),
    # -- the silence of the namespace
    Mutation("silence: the namespace's interfaces have IPv6 addresses",
             [(NAMESPACE, "{.link = link->name, .no_ipv6_address = true};", "{.link = link->name};")],
             SILENCE, "namespaces_are_silent", SPOKEN),
    guard("what is too long comes in", "                return GUARD_WIRE_TOO_LONG;\n", "                ;\n", "longer_frames", WRONG,
          "tests/netns/test_modes.py"),
    Mutation("mtu: what is too long is not counted", [(PROGRAM, "                return GUARD_WIRE_TOO_LONG;\n", "                return GUARD_WIRE_VLAN_TAG;\n")],
             "tests/netns/test_modes.py", "longer_frames", WRONG),
    # -- the locked filter
    Mutation("filter: not attached",
             [(PORT, "        r = lock_filter(fd, index, ret_refusal);\n", "        r = 0;\n")],
             RECEIVE, "rebind on_the_uplink", HEARD),
    Mutation("filter: not locked",
             [(PORT, "int on = 1;\n\n#define", "int on = 0;\n\n#define")], RECEIVE, "locked_filter", WRONG),
    Mutation("filter: any interface",
             [(PORT, "        REFUSE_UNLESS(BPF_JEQ, index);\n", ""), ONE_LESS], RECEIVE, "on_the_uplink rebind", HEARD),
    # Not here: what the filter says about tags. It takes frames of the port alone, and from_wire redirects none with a tag there.
    # -- learning
    Mutation("learn: any address is taken",
             [(LEARN, "        if (!mac_allowed(mac, &plan->network.mac_prefixes))\n                return LEARN_REFUSED_PREFIX;\n", "")],
             SEND, "learned_mac", "the learned MAC"),
    # -- polkit
    service("polkit: every answer is yes", POLKIT,
            "*ret = authorized ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO;", "*ret = POLKIT_YES;",
            "outsider_opens", YES),
    service("polkit: it is not told the network", PLAN,
            'polkit_detail(ret, "network", ipc->network);', 'polkit_detail(ret, "network", "lab-private");',
            "yes_for_one", YES),
    service("polkit: it is not told the kind", PLAN,
            ".action = action_of(ipc->kind),", ".action = action_of(KIND_TAP),",
            "yes_for_one", YES),
    Mutation("polkit: the answer holds for whatever the file says by then",
             [(POLKIT, "return memcmp(&a->terms, &b->terms, sizeof(a->terms)) == 0;", "return a->n_details == b->n_details;")],
             ASKED, "file_changes_while_polkit_thinks", YES),
    Mutation("polkit: it is not told vhost", [(PLAN, 'ipc->vhost ? "true" : "false"', '"false"')], ASKED, "limits_queues_and_vhost", WRONG),
    Mutation("polkit: it is not told queues", [(PLAN, '"queues", queues', '"queues", "1"')], ASKED, "limits_queues_and_vhost", WRONG),
    service("polkit: everybody owns every lease", LEASE,
            "bool yes = lease->ipc.uid == request->uid;", "bool yes = true;", "anothers_lease", "it succeeded"),
    # -- limits
    Mutation("limits: open questions", [QUESTIONS, REQUESTS], CLIENTS, "open_questions", WRONG),
    Mutation("limits: requests", [REQUESTS], CLIENTS, "flood_of_requests", "the refusals did not come"),
    service("limits: leases of one user", QUOTA,
            "if (n >= network->max_leases_per_user)", "if (n > network->max_leases)", "flood_of_leases", WRONG),
    Mutation("limits: opens by time", [("service/rate.c", "if (full_at > now + RATE_BURST * token)", "if (full_at < now)")],
             STALL, "opens_by_time", WRONG),
    # -- the bus
    Mutation("bus: a connection that takes no descriptors is served", [("service/delivery.c", "result = DELIVERY_UNABLE;", "result = DELIVERY_ABLE;")],
             STALL, "takes_no_descriptors", "AssertionError|TimeoutError"),
    Mutation("bus: the features stay those of a helper that had none",
             [("service/service.c", "helper_features(service->helper) == 0;", "false;")],
             "tests/bus/test_restart.py", "before_its_features", "features did not come"),
    Mutation("bus: rawnetd closes its copies at once",
             [("service/delivery.c", "                delivery_say(d, DELIVERY_SENT);\n}", "                delivery_say(d, DELIVERY_SENT), closer_close(d->table->closer, d->fds, d->n_fds), d->n_fds = 0;\n}")],
             STALL, "last_close", "dbus-daemon's were the last copies"),
    Mutation("bus: any number of unread replies of a user",
             [("service/delivery.c", "return !has_uid && n + d->n_fds", "return n + d->n_fds")], STALL, "stopped_reading", "more than one unread reply|LimitsExceeded"),
    Mutation("bus: any number of unread descriptors",
             [("service/delivery.c", "return !has_uid && n + d->n_fds <= kind_fds_max[d->kind];", "return n < 1000;")],
             STALL, "stopped_reading", "AssertionError|TimeoutError"),
    Mutation("bus: the policy does not let rawnetd ask what is unread",
             [("dbus/org.rawnet1.conf", 'send_member="GetConnectionStats"', 'send_member="GetStats"')],
             STALL, "stopped_reading never_read", "AssertionError|TimeoutError"),
    Mutation("bus: any number of unread bytes",
             [("service/unread.c", "        if (!table->careful)\n", "        if (!table->careful || table->n_calls < 1000)\n")],
             STALL, "replies_that_are_not_read", WRONG),
    Mutation("bus: an answer that comes late is given up",
             [("service/service.c", "sd_bus_set_method_call_timeout(service->bus, UINT64_MAX)", "sd_bus_set_method_call_timeout(service->bus, 0)")],
             STALL, "answers_late", "no question"),
    Mutation("bus: that it takes nothing is not noticed",
             [("service/bus-watch.c", "                watch->stalled(watch->userdata);\n", "")], STALL, "takes_nothing", "TimeoutExpired"),
    service("limits: a turn that is not used is not passed on", REQUEST,
            "        if (pass_turn)\n", "        if (pass_turn && !q)\n", "flood_of_leases", "TimeoutError"),
    Mutation("flood: users do not take turns", [(GATE_C, "p = queue_due(gate, now, &next);", "p = &gate->turns;"),
                                                (GATE_C, "*gate_queue_end(&gate->turns) = queue;", "queue->next = gate->turns, gate->turns = queue;")],
             FLOOD, "questions", "were answered before the member's|TimeoutError"),
    Mutation("flood: all of a user's questions at once", [("service/authorize.c", "#define FRESH_MAX 1u", "#define FRESH_MAX 1000u")],
             FLOOD, "questions", "polkit was asked 1[0-9] questions"),
    Mutation("flood: all of a user's checks at once", [(REQUEST, "#define CHECKS_OF_USER_MAX 1u", "#define CHECKS_OF_USER_MAX 16u"),
                                                       (REQUEST, "#define CHECKS_MAX 4u", "#define CHECKS_MAX 16u")],
             FLOOD, "checks", WRONG + "|too many networks at once"),
    Mutation("check: CanOpen() has no judge", [("service/can-open.c", "request->answer = POLKIT_NO;", "return;")], "tests/bus/test_open.py", "can_open", WRONG),
    Mutation("check: the kernel is not probed again", [(SERVER, "server->probing = pool_start(&server->pool, JOB_PROBE, NULL, NULL, -1) == 0;", "server->probing = false;")],
             CHECK, "allowed_again", "TimeoutError"),
    Mutation("check: a port is not rehearsed", [("helper/worker/check/judge.c", "r = rehearse_port(judge->job, &plan, &entered, ret_refusal);", "entered = plan.queues > 0;")],
             CHECK, "kernel_lacks", WRONG),
    Mutation("check: the host's guard is not rehearsed", [("helper/worker/check/judge.c", "if (r == 0 && needs_guard)", "if (r > 0 && needs_guard)")],
             CHECK, "hosts_guard", WRONG),
    Mutation("check: the rehearsal's namespace is called a lease",
             [("helper/worker/check/rehearse.c", "        if (r == 0)\n                r = child_go(", "        Netlink netlink = {};\n        if (r == 0)\n                r = netlink_open(&netlink, NETLINK_ROUTE);\n"
               "        if (r == 0)\n                r = nsid_set(&netlink, child.pid, plan->lease.id, ret_refusal);\n        if (r == 0)\n                r = child_go("),
              ("helper/worker/check/rehearse.c", '#include "common/clock.h"', '#include "helper/kernel/nsid.h"\n#include <linux/netlink.h>\n#include "common/clock.h"')],
             CHECK, "nothing_changes", WRONG),
    Mutation("flood: no limit of a call's size", [(GATE_C, "#define CALL_SIZE_MAX 4096u", "#define CALL_SIZE_MAX 4096000u"),
                                                       (GATE_C, "(256u * SIZE_OF_NAME_MAX)", "(25600u * SIZE_OF_NAME_MAX)")],
             "tests/bus/test_open.py", "too_long", WRONG),
    Mutation("flood: descriptors pass the bus", [("dbus/org.rawnet1.conf", ' send_type="method_call" max_fds="0"/>', "/>"), REQUESTS],
             FLOOD, "descriptors", "descriptors instead|did not survive|reached rawnetd"),
    Mutation("MACChoice: rawnetd lets a caller name an address",
             [("service/open-mac.c", "        if (r == 0)\n                r = network_lets_choose_mac(network, ipc->network, ret);\n", "")],
             MAC_CHOICE, "polkit_is_not_asked", "InteractiveAuthorizationRequired"),
    Mutation("MACChoice: rawnetd lets a port learn",
             [("service/open-mac.c", "return network_lets_choose_mac(network, ipc->network, ret);", "return 0;")],
             MAC_CHOICE, "polkit_is_not_asked", "InteractiveAuthorizationRequired"),
    Mutation("MACChoice: the helper believes rawnetd",
             [(VALIDATE, "        return network_lets_choose_mac(network, request->network, ret_refusal);\n", "        return 0;\n")],
             MAC_CHOICE, "compromised_rawnetd", OPENED),
    Mutation("MACChoice: any address may be called a derived one",
             [(VALIDATE, "IPC_MAC_DERIVED && prefix &&\n             mac_is_reserved(&request->mac, prefix)))", "IPC_MAC_DERIVED && prefix))")],
             MAC_CHOICE, "compromised_rawnetd", OPENED),
    Mutation("metrics: a made-up network is a label", [(REQUEST, "            !network_table_find(&q->service->networks, name.name))\n", "            false)\n")],
             METRICS, "refusals", WRONG),
    Mutation("metrics: a lease found at the start counts again", [("service/counts.c", "        if (known)\n", "")], METRICS, "new_rawnetd", WRONG),
    Mutation("log: every refusal", [("service/refusal-log.c", "        if (entry) {\n", "        if (!entry || entry->n < 1000000) {\n                return true;\n        } else {\n")],
             LOG, "refusals", WRONG),
    Mutation("log: a refusal names the lease's owner, not who was refused", [("service/request.c", "        event.log.uid = q->uid;\n", "")],
             "tests/netns/test_journal.py", "refused_to_close", WRONG),
    Mutation("log: everybody's entries are shown as rawnetd's", [("client/journal.c", "        add(words, \"_SYSTEMD_UNIT=rawnetd.service\");\n", "")],
             "tests/bus/test_log.py", "test_all", WRONG),
    Mutation("log: an address that is learned has no entry", [("service/lease.c", "        if (learned)\n                log_learned(ipc);\n", "        (void)learned;\n        (void)log_learned;\n")],
             "tests/netns/test_journal.py", "learned", "TimeoutError"),
    Mutation("log: every address in use", [(LEARN, "if (now < l->note_from && why != LEARN_REFUSED_FAILED)", "if (!now)")],
             LOG, "addresses_in_use", WRONG),
    # -- the helper
    helper("anybody may speak", CONNECTION,
           "if (peer.uid == connections->peer_uid)", "if (peer.uid <= UINT32_MAX)", "only_rawnetd", WRONG),
    helper("messages are not checked", CONNECTION,
           "ipc_request_check(&request, (size_t)n, n_fds) < 0)", "n < 0)", "malformed", "answered with"),
    helper("the request may differ from the file", TERMS,
           "if (memcmp(&terms, open, sizeof(terms)) != 0)", "if (terms.uid != open->uid)",
           "only_what_the_file_says only_what_the_file_said", OPENED),
    helper("the file's digest is not compared", TERMS,
           "        memcpy(open->file_digest, network.digest, sizeof(open->file_digest));\n", "",
           "only_what_the_file_said", OPENED),
    helper("any MAC", VALIDATE,
           "        r = network_allows_mac(network, request->network, &request->mac, ret_refusal);\n", "        r = 0;\n",
           "only_what_the_file_says", OPENED),
    helper("any kind", TERMS,
           "        r = network_offers(&network, (LeaseKind)open->kind, ret_refusal);\n", "        r = 0;\n",
           "only_what_the_file_says", OPENED),
    helper("any number of leases", "common/network.c", "if (n_leases < network->max_leases)", "if (n_leases < NETWORK_LEASES_MAX)", "most_leases", WRONG),
    helper("descriptors are taken", "common/ipc.c", "if (n_fds != (attach ? 1 : 0))", "if (attach && n_fds != 1)", "descriptors", "answered with"),
    helper("any number of checks", "helper/daemon/server.h", "#define SERVER_CHECKS_MAX 16u", "#define SERVER_CHECKS_MAX 1000u", "flood_of_checks", WRONG),
    # -- what a tap can make the kernel hold and do
    Mutation("load: a tap has the kernel's queues", [(NAMESPACE, "                .queue_length = port_queue_length(plan->queues),\n", "")],
             LOAD, "few_unread", r"queues held \d+ frames"),
    Mutation("load: each queue has the length of all", [(PORT, "MAX_OF(PORT_TAP_FRAMES / queues, PORT_QUEUE_FRAMES_MIN)", "PORT_TAP_FRAMES")],
             LOAD, "few_unread", r"queues held \d+ frames"),
    Mutation("load: filters are not bounded", [(NAMESPACE, "        if (plan->limits_filters)\n                port_limit_filters();\n", "")], LOAD, "short_filters", "instructions was taken"),
    # -- addresses of others
    helper("a reserved address may be given", VALIDATE, "if (r != 0 || !mac_is_reserved_by(", "if (r == 0 || !mac_is_reserved_by(",
           "only_what_the_file_says", OPENED),
    Mutation("mac: the group gets reserved addresses", [("policy/70-rawnet.rules", 'action.lookup("mac-class") !== "reserved" && ', "")],
             MAC, "address_is_refused", "but it succeeded"),
    Mutation("mac: polkit is not told that an address is reserved", [("service/open-mac.c", "ipc->mac_mode = IPC_MAC_RESERVED;", "ipc->mac_mode = IPC_MAC_DERIVED;")],
             MAC, "address_is_refused", "but it succeeded"),
    Mutation("mac: other networks of the wire reserve nothing", [("service/open-mac.c", "if (!entry->error && reserves(", "if (entry->error && reserves(")],
             MAC, "way_around", WRONG),
    Mutation("mac: a reserved address may be learned",
             [(LEARN, "mac_is_reserved_by(mac, &plan->reserving)", "!plan")], MAC, "is_not_learned way_around", WRONG),
    Mutation("mac: the host's own addresses may be taken", [("helper/child/host-mac.c", "if (mac_equal(&link->mac, search->mac))", "if (link->index == 0)")],
             MAC, "hosts_own", "but it succeeded"),
    # -- queues of one user
    Mutation("queues: one user may have any number", [(QUOTA, "        if (n + request->open.queues <= service->queues_per_user)\n", "        if (n != UINT32_MAX)\n")],
             LOAD, "together", WRONG),
    Mutation("queues: opens in progress do not count", [(QUOTA, "                           requests_count_queues(service, request->uid);", "                           0 * requests_count_queues(service, request->uid);")],
             "tests/bus/test_quota.py", "budget_of_queues", WRONG),
    Mutation("queues: the helper counts nothing", [("helper/daemon/queues.c", "if (n + open->queues <= RAWNET_QUEUES_PER_USER_MAX)", "if (open)")],
             LOAD, "by_itself", WRONG),
    Mutation("queues: the record does not say how many", [("helper/kernel/record.c", ": lease->queues > 1 || lease->refused_why ? 2", ": lease->refused_why ? 2"),
                                                          ("helper/kernel/record.c", "        if (lease->queues > 1)\n", "        if (lease->queues > 1 && version > 1)\n")],
             "tests/bus/test_quota.py", "across_restarts", WRONG),
    # -- learning leases
    Mutation("learn: one user may have any number", [(QUOTA, "r : check_learning(request, network, ret);", "r : 0;")],
             LEARNING, "of_one_user at_once", WRONG),
    Mutation("learn: the helper counts nothing", [(SERVER, "if (r == 0 && request->open.mac_mode == IPC_MAC_LEARN)", "if (!server)")],
             LEARNING, "counts_by_itself", WRONG),
    Mutation("learn: a helper that starts anew counts its own only",
             [("helper/daemon/learning.c", "pool_count_learning(learning->pool) + count_unheard(learning) < max", "pool_count_learning(learning->pool) < max")],
             LEARNING, "starts_anew", WRONG),
    Mutation("learn: what earlier children learned is not seen",
             [(SERVER, "entries_scanned(&server->entries);\n                learning_watch(&server->learning);",
               "entries_scanned(&server->entries);")], LEARNING, "outlives_the_daemons", "did not come"),
    Mutation("learn: each address that a guest tries is written and reported",
             [(LEARN, "if (now < l->note_from && why != LEARN_REFUSED_FAILED)", "if (now < l->note_from && why == LEARN_REFUSED_FAILED)")],
             "tests/netns/test_refused_mac.py", "many_addresses", WRONG),
    # -- what rawnetctl shows
    Mutation("monitor: signals of others are rawnetd's", [("client/watch.c", "return sender && name && strcmp(sender, name) == 0;", "return sender && name;")],
             "tests/bus/test_monitor.py", "signals_of_others", WRONG),
    Mutation("top: all calls at once", [("client/rate-poll.c", "#define OPEN_CALLS_MAX 4u", "#define OPEN_CALLS_MAX 64u")],
             TOP, "what_it_asks", WRONG),
    Mutation("top: what is shown waits for its turn", [("client/top-view.c", "->shown = i >= view->first &&", "->shown = false &&")], TOP, "what_it_asks", WRONG),
    Mutation("top: the terminal keeps the modes of a picture", [("client/full-screen.c", "TCSANOW, &screen->before", "TCSANOW, &(struct termios){}")],
             TOP, "signals", WRONG),
    Mutation("top: a shell's modes stay after SIGCONT", [("client/top.c", "case SIGCONT:\n r = full_screen_enter(&top->full);", "case SIGCONT:")],
             TOP, "modes_of_a_shell", "the picture's modes"),
    # -- the host interface
    Mutation("host interface: polkit is not asked",
             [("service/host.c", """network %s", host->network);
        r = authorize(request, &question, what, &yes, ret);
""", """network %s", host->network);
        yes = true;
""")], HOST, "only_administrators", "but it succeeded"),
    Mutation("host interface: the request may differ from the file",
             [(TERMS, "if (memcmp(&terms, host, sizeof(terms)) != 0)", "if (network.path[0] == 0)")],
             FORGED_HOST, "interfaces_of_the_files", WRONG),
    Mutation("host interface: somebody else's interface is taken for it",
             [("helper/worker/host/host-interface.c", "(!is_host_interface(network, &link) || link.lower", "(link.lower")], HOST, "somebody_elses", WRONG),
    Mutation("host interface: it takes what guests advertise",
             [("helper/worker/host/host-interface.c", "        ignore_advertisements(name);\n", "        (void)ignore_advertisements;\n")],
             HOST, "cannot_give_it_addresses", WRONG),
    # -- network files that are being written
    Mutation("file: half a file is believed",
             [("common/network-load.c", "changed_within(after, cut_off ? CUT_OFF_USEC : FINISHED_USEC)",
               "changed_within(after, cut_off ? 0 : 0)")], HALVED, "half_a_file", "opened from half a file"),
    Mutation("file: the helper believes half a file",
             [(TERMS, "terms_open(network_file_load_wait", "terms_open(network_file_load")], HALVED, "the_helper_reads", WRONG),
    Mutation("file: an emptied one takes its object away",
             [("service/network.c", "#define GONE_USEC UINT64_C(1000000)", "#define GONE_USEC UINT64_C(0)")],
             HALVED, "keeps_its_object", "AssertionError: the object is None"),
    Mutation("sweep: a refusal of the kernel is taken for a no",
             [("helper/worker/host/parent.c", "        /* The sweep deletes a host interface when the answer is no, so an error is not a no. */\n        if (r != 0)\n",
               "        if (r > 0)\n                return 0;\n        if (r != 0)\n")],
             FORGED_HOST, "refusal_of_the_kernel", WRONG),
    # -- rawnet-vhost and its front end
    vhost("any file is taken as an event", PEER_EVENT,
          "length != (ssize_t)strlen(eventfd_name) || memcmp(name, eventfd_name, strlen(eventfd_name)) != 0", "length < 0", "pipe_is_no_event", WRONG),
    vhost("no timer interrupts a write", PEER_EVENT,
          "if (setitimer(ITIMER_REAL, &on, NULL) < 0) {", "if (on.it_value.tv_usec == 0) {", "made_to_block", "TimeoutExpired|TooSlow"),
    vhost("signals stay blocked", "backend/main.c",
          "sigprocmask(SIG_UNBLOCK, &ends, NULL) < 0", "end_event < 0", "sigterm", WRONG),
    vhost("the umask decides about the socket", "common/unix-socket.c",
          "        old = umask(0777 & ~mode);\n", "        old = umask(0);\n        umask(old);\n",
          "sockets_mode", WRONG),
    vhost("every user may connect", "backend/peer-user.c",
          "|| user == 0)", "|| user >= 0)", "stranger_who_could another_user stranger_listens", WRONG),
    # -- the completing veth: the kernel must have the checksum trick for these to show
    Mutation("trick: frames of a tap are not completed before the guard",
             [(VALIDATE, "if (request->kind == KIND_PACKET) return GUARD_PACKET;", "return request->kind == KIND_PACKET ? GUARD_PACKET : GUARD_TAP;")],
             TRICK, "test_trick", "frames were rewritten", vm=True),
    # The port's exit is before the veth that completes, so no program is there on such a kernel: seen by its places, and by what gets out.
    *(Mutation(f"trick: a packet lease is guarded at its port's exit, {how}", [(ATTACH, "if (!g->checksum_trick)", "if (g->id != 0)")],
               test, pattern, because, vm)
      for how, test, pattern, because, vm in (("its places", "tests/unit/test-guard.c", "test_shapes", "test_shapes", False),
                                              ("its frames", TRICK, "test_trick", "frames were rewritten", True))),
    # Not here: a packet port whose offload is left on. A veth makes a checksum that starts inside the Ethernet header none (__dev_forward_skb(),
    # skb_postpull_rcsum()), so that such a mutant plays no trick: tried on 6.1.
    Mutation("offload: the port's sender leaves everything to the reader",
             [("helper/kernel/offload.c", 'return !name_ends(name, "-segmentation")', 'return true || !name_ends(name, "-segmentation")')],
             "tests/netns/test_segments.py", "tunnel", "is said to be gso_type"),
    Mutation("parent: a shared interface grows while it is up", [("helper/worker/host/shared.c", "link->mtu < IPV6_MIN_MTU &&", "link->mtu < 0 &&")],
             "tests/vm/test_vlan.py", "grows", "AssertionError", vm=True),
    # -- the mark says whose a VLAN interface is
    Mutation("shared: a renamed interface is open to the host",
             [("helper/kernel/nft.c", "NFTNL_EXPR_META_KEY, NFT_META_IIFGROUP);", "NFTNL_EXPR_META_KEY, NFT_META_IIFNAME);"),
              ("helper/kernel/nft.c", "NFTNL_EXPR_CMP_DATA, &group, sizeof(group))", 'NFTNL_EXPR_CMP_DATA, group ? "rnv" : "", 3)')],
             OWN_VLAN, "as_closed_as_before", "the host heard or answered", vm=True),
    # -- the host's guard survives a flush, and the helper's end
    Mutation("vlan-guard: both tables belong to nobody", [(VLAN_GUARD, "{.flags = NFT_TABLE_F_OWNER, .owner = netlink->port_id}", "{}")],
             HARDENING, "test_flush_ruleset", WRONG, vm=True),
    Mutation("vlan-guard: no table stays without the helper", [(VLAN_GUARD, "remove ? !table->exists : table->matches", "remove ? !table->exists : table->matches || !table->owner")],
             HARDENING, "helper_ends", WRONG, vm=True),
    Mutation("vlan-guard: workers do not take turns", [(VLAN_GUARD, "{.l_type = F_WRLCK,", "{.l_type = F_UNLCK,")],
             HARDENING, "take_turns", "wait for its turn did not come", vm=True),
    Mutation("vlan-guard: a worker reads another's answers",
             [(VLAN_GUARD, "recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0", "recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_PEEK) == 0")],
             HARDENING, "take_turns", "reading nftables' table .*: Invalid argument", vm=True),
    Mutation("shared: a new helper does not put the guard back", [(SWEEP, "        if (n_left > 0)\n", "        if (n_left > 0 && opening)\n")],
             HARDENING, "helper_ends", "the new helper's tables did not come", vm=True),
    Mutation("server: the helper leaves while its guard is needed", [(SERVER, "!server->sweep.timer && !server->guarding &&", "!server->sweep.timer &&")],
             HARDENING, "helper_stays", WRONG, vm=True),
    Mutation("vlan-harden: an earlier version's filter stays", [("helper/worker/host/vlan-harden.c", "r = remove_filter(netlink, &now, ret_refusal);", "r = 0;")],
             OWN_VLAN, "test_handed_over", WRONG, vm=True),
    Mutation("shared: a renamed interface is the administrator's", [(SHARED, "(link->group == RAWNET_VLAN_GROUP ||", "((link->group == RAWNET_VLAN_GROUP && has_name(link)) ||")],
             OWN_VLAN, "renamed_it_is_swept", "its end with the last lease did not come", vm=True),
    Mutation("shared: name and facts make an interface ours", [(SHARED, "(has_alias(link) && has_name(link))", "has_name(link)")],
             OWN_VLAN, "name_alone", WRONG, vm=True),
    Mutation("shared: what was taken over stays closed", [(SWEEP, "r = vlan_harden_undo(netlink, link->index, &refusal);", "r = 0;")],
             OWN_VLAN, "test_handed_over", WRONG, vm=True),
    Mutation("shared: what was taken over is swept", [(SWEEP, "if (shared->taken_over) {", "if (shared->taken_over && shared->stays) {")],
             OWN_VLAN, "test_handed_over", WRONG, vm=True),
    Mutation("watch: nobody notices that it was taken over", [("helper/daemon/watch.c", "link->group != RAWNET_VLAN_GROUP;", "link->group == 1;")],
             OWN_VLAN, "takes_the_rules_along", "letting go did not come", vm=True),
    Mutation("link: IPv6's attributes are sent to a link without IPv6",
             [("helper/kernel/link.c", "refusal.kernel_errno == EAFNOSUPPORT &&", "refusal.kernel_errno == 0 &&")],
             "tests/netns/test_no_ipv6.py", "mtu", "Address family not supported"),
    Mutation("link: an index of another namespace is one of here, with VLANs",
             [("helper/kernel/link-info.c", "                info.lower = 0;\n", "")], "tests/vm/test_wrong_wire.py", "index_of_another", WRONG, vm=True),
    Mutation("shared: a name stays right for ever",
             [("helper/worker/host/parent.c", "r = shared_check(network, parent, vlan, &link, ret_refusal);", "r = 0;")],
             "tests/vm/test_wrong_wire.py", "moved_away", WRONG, vm=True),
    # -- requests of rawnetd, while a walk along their list goes on
    Mutation("request: an end frees at once",
             [("service/request.c", "        if (pass_turn)\n                requests_next_turn(q->service, q->uid);\n}",
               "        if (pass_turn)\n                requests_next_turn(q->service, q->uid);\n        request_unlink(q);\n}")],
             "tests/unit/test-request.c", "synced", "heap-use-after-free"),
    # -- rawnetctl plug
    Mutation("qemu path: a setuid or setgid bit has its effect", [("client/qemu-bridge-helper.c", "getuid() != geteuid() || getgid() != getegid()", "false")],
             "tests/bus/test_qemu_path.py", "raised_rights", WRONG),
    Mutation("qemu path: file capabilities have their effect", [("client/qemu-bridge-helper.c", "getauxval(AT_SECURE) && ", "false && getauxval(AT_SECURE) && ")],
             "tests/bus/test_qemu_path.py", "raised_rights", WRONG),
    Mutation("plug: a server that never answers is waited for", [("client/qmp.c", "        if (now >= until_ms)\n                return -ETIMEDOUT;\n", ""),
                                                               ("client/qmp.c", "poll(&p, 1, (int)(until_ms - now))", "poll(&p, 1, (int)now | -1)")],
             "tests/unit/test-client-qmp.c", "useless_server", "hangs"),
    # -- a close whose report comes after the lease's end
    Mutation("news: a late report brings an ended lease back",
             [("helper/daemon/news.c", "return registry_find(news->registry, report->lease.id) ? news_lease(news, report, false) : 0;", "return news_lease(news, report, false);")],
             "tests/unit/test-news.c", "late_report", "not ok .*test_late_report"),
    Mutation("news: a close that reports late is no close", [("helper/daemon/news.c", "if (closing && !lease.gone)", "if (closing && lease.gone)")],
             "tests/unit/test-news.c", "late_report", "not ok .*test_late_report"),
    # -- a new helper knows every lease
    Mutation("scan: a list that ends early is whole",
             [("helper/worker/scan.c", "*ret_whole = dumped != NSID_LIST_CUT_OFF;", "*ret_whole = true;")],
             "tests/unit/test-scan.c", "cut_off", "told.whole"),
    Mutation("sweep: a list that is not whole will do", [(SWEEP, "if (shared->stays || !registry->whole)", "if (shared->stays)")],
             "tests/unit/test-sweep.c", "part_of_the_leases", "not ok"),
    Mutation("lease-id: a try gets the last one's id again",
             [("helper/lease-id.c", "atomic_fetch_add(&ids->next, 1) % N_IDS", "(atomic_fetch_add(&ids->next, 0) + tries) % N_IDS")],
             "tests/unit/test-nsid.c", "test_no_id_twice", "test-nsid.c"),
    Mutation("scan: ids are not asked for one by one",
             [("helper/worker/scan.c", "if (dumped != NSID_LIST_WHOLE) {", "if (dumped != NSID_LIST_WHOLE && list->failed) {")],
             "tests/attack/test_many.py", "finds_every_lease", "leases were forgotten"),
    Mutation("record: a later version is none",
             [("helper/kernel/record.c", "        return version;\n}", "        return version <= RECORD_VERSION ? version : 0;\n}")],
             "tests/netns/test_versions.py", "test_downgrade", "KeyError"),
    Mutation("sweep: what a later version's lease needs is deleted",
             [(SWEEP, "                if (lease->later)\n", "                if (lease->later && lease->gone)\n")],
             "tests/netns/test_versions.py", "not_swept", "AssertionError: ", vm=True),
    Mutation("lease: a later version's lease is closed",
             [("helper/worker/lease.c", "        if (ret->later)\n", "        if (ret->later && ret->gone)\n")],
             "tests/netns/test_versions.py", "test_downgrade", "expected org.rawnet1.Error.NotSupported"),
    Mutation("run --tap: the interface keeps the guest's address", [("client/run-tap.c", "r = give_address_up(interface, ret_refusal);", "r = 0;")],
             RUN_TAP, "finds", "an interface has the guest's address"),
    Mutation("run --tap: the bridge snoops and speaks",
             [("client/interface.c", "mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 0);", "mnl_attr_put_u8(message, IFLA_BR_MCAST_SNOOPING, 1);")],
             RUN_TAP, "only_the_guest", "AssertionError"),
    Mutation("run --tap: the namespace has IPv6", [("client/run-namespace.c", "r = silent ? silence() : 0;", "r = 0;")],
             RUN_TAP, "only_the_guest", "AssertionError"),
    Mutation("run --dhcp: the keeper holds the caller's pipes",
             [CLOSES_ALL], RUN_DHCP, "pipes", "AssertionError"),
    Mutation("run --dhcp: the client outlives its keeper",
             [("client/dhcp-keeper.c", "prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ", "")], RUN_DHCP, "keeper_is", "still runs"),
    Mutation("netavark: the DHCP client holds what podman's caller left open", [CLOSES_ALL], NETAVARK, "pipes", "AssertionError"),
    Mutation("netavark: teardown takes any DHCP client whose mark ends alike",
             [("client/netavark/dhcp.c", "process_find(mark, true)", "process_find(mark, false)")], NETAVARK, "alone", "AssertionError"),
    Mutation("netavark: a process without a command line keeps teardown busy",
             [("client/netavark/dhcp.c", "looks < LOOKS_MAX; looks++", "looks < LOOKS_MAX;")], NETAVARK, "without_a_command", "took too long"),
    Mutation("netavark: setup leaves what nobody knows of",
             [("client/netavark-rawnet.c", "        if (r != 0)\n                remove_interface(task, container.interface, NULL);\n", "")],
             NETAVARK, "nobody_waits", "AssertionError"),
    Mutation("netavark: a FIFO in the namespace's place keeps the driver waiting",
             [("client/netavark-rawnet.c", "O_CLOEXEC | O_NONBLOCK | O_NOCTTY", "O_CLOEXEC | O_NOCTTY")], NETAVARK, "what_is_gone", "TimeoutExpired"),
    Mutation("netavark: a text ends at its NUL",
             [("client/netavark/json.c", "return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;", "return text;")],
             "tests/unit/test-netavark.c", "containers_refused", "test-netavark.c"),
    Mutation("netavark: a member of another type is missing",
             [("client/netavark/json.c", "if (member && !json_object_is_type(member, type))", "if (member && type == json_type_null)")],
             "tests/unit/test-netavark.c", "containers_refused", "test-netavark.c"),
    Mutation("netavark: a metric of 64 bits becomes another one",
             [("client/netavark/request.c", " || metric < 0 || metric > UINT32_MAX)", ")")], NETAVARK, "metrics", "AssertionError"),
    Mutation("guard: what the wire reflects comes in", [(NAMESPACE, ".drop_own = plan->network.mode == MODE_PRIVATE,", ".drop_own = false,")],
             "tests/netns/test_modes.py", "reflects", WRONG),
    Mutation("scan: the port stays without its wire", [("helper/worker/scan.c", "if (r == 0 && lease.gone && !lease.later)", "if (r == 0 && lease.gone && r > 0)")],
             "tests/netns/test_parents.py", "deleted_under", "the port's end"),
    Mutation("registry: a parent's index is the parent", [("helper/registry.c", "registry->entries[i].lower = 0; found = true;", "found = true;")],
             "tests/unit/test-registry.c", "test_lower_gone", "test_lower_gone"),
    Mutation("shared: its MTU stays down until the next open", [(SERVER, "if (registry_outgrown(&server->registry, name, mtu))", "if (mtu == 0)")],
             "tests/vm/test_vlan.py", "falls_and_rises", "the leases' MTU of", vm=True),
    Mutation("shared: a name alone makes an interface ours",
             [("helper/worker/host/parent.c", "r = shared_check(network, parent, vlan, &link, ret_refusal);", "r = 0;")],
             "tests/attack/test_wrong_wire.py", "alternative", "AssertionError|got no error|it was opened"),
    Mutation("link: an index of another namespace is one of here",
             [("helper/kernel/link-info.c", "                info.lower = 0;\n", "")], "tests/attack/test_wrong_wire.py", "index_is_not", WRONG),
    Mutation("sweep: one look is enough", [("helper/doubt.h", "#define DOUBT_USEC UINT64_C(1000000)", "#define DOUBT_USEC UINT64_C(0)"),
                                            (SWEEP, "before != after || !doubts_confirm(", "before != after && !doubts_confirm(")],
             "tests/attack/test_sweep.py", "away", "was deleted"),
    Mutation("sweep: it waits for every open", [(SERVER, "server->ready && !server->sweeping &&", "server->ready && !server->sweeping && pool_count(&server->pool, JOB_OPEN) == 0 &&")],
             "tests/attack/test_sweep.py", "waiting", "still there after"),
    # -- containers
    helper("any namespace", VALIDATE, "if (r == 0 && kind == KIND_VETH && open->namespace_fd >= 0)", "if (r == 0 && kind == KIND_VETH && open->namespace_fd < -1)",
           "whose_namespace", OPENED),
    helper("the host's namespace", "common/namespace-fd.c", "        if (r <= 0)\n                return r < 0 ? r : refuse_initial(network, ret_refusal);\n",
           "        if (r < 0)\n                return r;\n", "whose_namespace", OPENED + "|AssertionError"),
    helper("another user's namespace", "common/namespace-fd.c", "if (owner == uid)", "if (owner != UINT32_MAX)", "whose_namespace", OPENED),
    helper("any name in the namespace", "common/ipc.c", "!interface_name_is_sane(o->interface)", "o->interface[0] == '/'", "malformed_attach", "answered with"),
    helper("what is raised is no container's", "common/ipc.c", "o->up != 0 || !is_zero(o->interface", "!is_zero(o->interface", "malformed", "answered with"),
    Mutation("attach: it stays down", [("helper/worker/open.c", "other.flags_on = IFF_UP;", "other.flags_on = 0;")], "tests/netns/test_attach.py", "interface_up", "UP"),
    Mutation("keep: it asks once", [(KEEP, "if (ask_both(guard) < 0) return;", "if (n < 0 && ask_both(guard) < 0) return;")], KEPT, "messages_are_lost", "the end of all leases"),
    Mutation("attach: the IP stack takes an address", [(NAMESPACE, "r = deafen(&links->port, ret_refusal);", "r = 0;")], KERNEL, "past_the_hook", "inet6"),
    Mutation("guard: a container's checksum may be anywhere", [(PROGRAM, "if (is_at_port(skb) && is_early(skb, entry))", "if (is_at_port(skb) && skb->len == 0)")], KERNEL, "place", "got out"),
    Mutation("guard: its sender shares what it judges", [(ETHERNET, "long pulled = bpf_skb_pull_data(skb, at + size);", "long pulled = 0;")],
             "tests/attack/test_shared_memory.py", "containers", "are a server's"),
    Mutation("keep: it has every system call", [(KEEP, "r = allow_few_calls();", "r = r == 0 ? 0 : allow_few_calls();")], KEPT, "keeper_has_nothing", "its filter"),
    Mutation("keep: it keeps its capabilities", [(KEEP, "return privilege_drop_all();", "return 0;")], KEPT, "keeper_has_nothing", "Cap"),
    Mutation("keep: it stays without the uplink", [(KEEP, "return r < 0 ? r : ask(guard->uplink.index);", "return r;")], KEPT, "uplinks_end", "the end of all leases"),
]
