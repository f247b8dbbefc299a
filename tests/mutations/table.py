# SPDX-License-Identifier: GPL-2.0-or-later
"""The defences, each taken away by a small change of the sources, with the attack test that must notice and the words it says then."""

import dataclasses


@dataclasses.dataclass
class Mutation:
    name: str
    changes: list  # (file, text that occurs there once, what stands there instead)
    test: str
    pattern: str  # which of its tests
    because: str  # a regular expression in what it says
    vm: bool = False  # shows on another kernel only: with --full


SEND, RECEIVE = "tests/attack/test_send.py", "tests/attack/test_receive.py"
CONFIGURE, SILENCE = "tests/attack/test_configure.py", "tests/attack/test_silence.py"
CLIENTS, HELPER, TRICK = "tests/attack/test_clients.py", "tests/attack/test_helper.py", "tests/attack/test_trick.py"
RULES, PORT, LEARN = "helper/guard-rules.c", "helper/port.c", "helper/learn.c"
OUT = "frames got to the wire"
HEARD = "frames overheard"
OPENED = r"AssertionError: .*type=1,"


def guard(name, old, new, pattern, because=OUT, test=SEND):
    return Mutation(f"guard: {name}", [(RULES, old, new)], test, pattern, because)


NO_HUSH = ("helper/namespace.c", "const LinkChange change = {.no_ipv6_address = true};", "const LinkChange change = {.mtu = 0};")
TAP_NO_HUSH = ("helper/namespace.c", ".mtu = plan->lease.mtu, .no_ipv6_address = true}", ".mtu = plan->lease.mtu}")
ACCEPT_ALL = (RULES, ".policy = NF_DROP};", ".policy = NF_ACCEPT};")

MUTATIONS = [
    # -- the private namespace
    Mutation("namespace: the lease is made in the host's",
             [("helper/privilege.c", "if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {", "if (getppid() == 0) {"),
              ("helper/privilege.c", "        return keep_network_capabilities();\n}", "        return 0;\n}")],
             CONFIGURE, "nothing_in_the_host", "in the host's namespace"),
    # -- the guard: what the guest sends
    guard("tags pass", "        refuse_tags(&rule, ETHERTYPE);\n", "", "tagged"),
    *[guard(f"{tag} is no tag", f"{{0x{tag[:2]}, 0x{tag[2:]}}}", f"{{0x{tag[:2]}, 0x01}}", "tagged") for tag in ("8100", "88a8", "9100", "9200", "9300")],
    guard("any source passes", "if (guard->anti_spoof)\n", "if (guard->anti_spoof && guard->learning)\n", "spoofed"),
    guard("the source's first half is not compared", "        nft_rule_compare(rule, SCRATCH, false, source_0_1, sizeof(source_0_1));\n", "", "spoofed"),
    guard("the source's second half is not compared", "        nft_rule_compare(rule, SOURCE_2_5, false, mac->octet + 2, 4);\n", "", "spoofed"),
    Mutation("guard: link-local control frames pass", [(RULES, "guard->pass_control ? GROUP_ANY : GROUP_NONE", "GROUP_ANY"),
                                                       (RULES, "guard->pass_control ? GROUP_ANY : GROUP_CISCO", "GROUP_ANY")], SEND, "control_frames", OUT),
    guard("PAUSE passes", "        if (!guard->pass_control)\n", "        if (!guard->pass_control && guard->learning)\n", "control_frames"),
    guard("Cisco's addresses pass", "cd[2] = {0xcc, 0xcd}", "cd[2] = {0xcc, 0xcc}", "control_frames"),
    guard("the gate asks for no mark", "        nft_rule_compare(&rule, 0, false, &mark, sizeof(mark));\n", "", "spoofed"),
    guard("there is no gate", '                c.gate = chain_on("gate", &guard->uplink, NF_NETDEV_EGRESS);\n',
          '                c.gate = chain_on("gate", &guard->uplink, NF_NETDEV_EGRESS);\n                c.gate.policy = NF_ACCEPT;\n', "spoofed"),
    guard("a direct lease has no egress guard", "nft_rule_verdict(&rule, NF_ACCEPT);\n                } else {",
          "nft_rule_verdict(&rule, NF_ACCEPT);\n                        rule = nft_rule_new();\n                        nft_rule_verdict(&rule, NF_ACCEPT);\n"
          "                } else {", "spoofed"),
    # -- the guard: what the guest gets
    guard("tagged frames of the wire come in", "        refuse_tags(&rule, 0);\n", "", "no_attack", HEARD, RECEIVE),
    # -- the silence of the namespace
    Mutation("silence: the namespace's interfaces have IPv6 addresses", [NO_HUSH], SILENCE, "namespaces_are_silent", "frames on the wire that no guest sent"),
    Mutation("silence: they have, and what arrives at the port reaches them",
             [NO_HUSH, TAP_NO_HUSH, (RULES, '                c.port = chain_on("port", &guard->port, NF_NETDEV_INGRESS);',
               '                c.port = chain_on("port", &guard->port, NF_NETDEV_INGRESS);\n                c.port.policy = NF_ACCEPT;')],
             SILENCE, "namespaces_are_silent", "frames on the wire that no guest sent"),
    # -- the locked filter
    Mutation("filter: not attached", [(PORT, "        r = lock_filter(fd, index, ret_refusal);\n", "        r = 0;\n")],
             RECEIVE, "rebind on_the_uplink", HEARD),
    Mutation("filter: not locked", [(PORT, "int on = 1;\n\n#define", "int on = 0;\n\n#define")], RECEIVE, "locked_filter", "EPERM|AssertionError|overheard"),
    Mutation("filter: any interface", [(PORT, "        REFUSE_UNLESS(BPF_JEQ, index);\n", ""), (PORT, "7 + ARRAY_SIZE(tags) + 2", "6 + ARRAY_SIZE(tags) + 2")], RECEIVE, "on_the_uplink rebind", HEARD),
    Mutation("filter: tags in the header pass", [(PORT, "                REFUSE_IF(BPF_JEQ, tags[i]);\n", "                ;\n"),
                                                 (PORT, "7 + ARRAY_SIZE(tags) + 2", "7 + 2")], RECEIVE, "no_attack", HEARD),
    Mutation("filter: stripped tags pass", [(PORT, "        REFUSE_UNLESS(BPF_JEQ, 0);\n", ""), (PORT, "7 + ARRAY_SIZE(tags) + 2", "6 + ARRAY_SIZE(tags) + 2")],
             RECEIVE, "no_attack", HEARD),
    # -- learning
    Mutation("learn: any address is taken", [(LEARN, "        if (!mac_allowed(&mac, &l->plan->network.mac_prefix))\n                return 0;\n", "")],
             SEND, "learned_mac", "the learned MAC"),
    # -- polkit
    Mutation("polkit: every answer is yes", [("service/polkit.c", "*ret = authorized ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO;", "*ret = POLKIT_YES;")],
             CLIENTS, "outsider_opens", "it was opened"),
    Mutation("polkit: it is not told the network", [("service/open.c", 'polkit_detail(question, "network", wire->network);', 'polkit_detail(question, "network", "lab-private");')],
             CLIENTS, "yes_for_one", "it was opened"),
    Mutation("polkit: it is not told the kind", [("service/open.c", "wire->kind == KIND_TAP ? RAWNET_ACTION_OPEN_TAP : RAWNET_ACTION_OPEN_PACKET,",
                                                  "RAWNET_ACTION_OPEN_TAP,")], CLIENTS, "yes_for_one", "it was opened"),
    Mutation("polkit: everybody owns every lease", [("service/lease-object.c", "bool owner = lease->wire.uid == request->uid,", "bool owner = true,")],
             CLIENTS, "anothers_lease", "it succeeded"),
    # -- limits
    Mutation("limits: open questions", [("service/polkit.c", "#define POLKIT_QUESTIONS_MAX 16u", "#define POLKIT_QUESTIONS_MAX 100000u"),
                                        ("service/request.c", "#define REQUESTS_PER_USER_MAX 64u", "#define REQUESTS_PER_USER_MAX 100000u")],
             CLIENTS, "open_questions", "AssertionError"),
    Mutation("limits: requests", [("service/request.c", "#define REQUESTS_PER_USER_MAX 64u", "#define REQUESTS_PER_USER_MAX 100000u")],
             CLIENTS, "flood_of_requests", "the refusals did not come"),
    Mutation("limits: leases of one user", [("service/quota.c", "if (n >= network->max_leases_per_user)", "if (n > network->max_leases)")],
             CLIENTS, "flood_of_leases", "AssertionError"),
    # -- the helper
    Mutation("helper: anybody may speak", [("helper/server.c", "if (peer.uid == server->peer_uid)", "if (peer.uid <= UINT32_MAX)")],
             HELPER, "only_rawnetd", "AssertionError"),
    Mutation("helper: messages are not checked", [("helper/server.c", "wire_request_check(&request, (size_t)n) < 0 ||", "n < 0 ||")],
             HELPER, "malformed", "answered with"),
    Mutation("helper: the request may differ from the file", [("helper/validate.c", "        r = check_asked(&plan.network, request, vlan, isolation, ret_refusal);\n", "        r = 0;\n")],
             HELPER, "only_what_the_file_says", OPENED),
    Mutation("helper: any MAC", [("helper/validate.c", "request->mac_mode == WIRE_MAC_GIVEN && !mac_allowed(", "request->mac_mode > WIRE_MAC_LEARN && !mac_allowed(")],
             HELPER, "only_what_the_file_says", OPENED),
    Mutation("helper: any kind", [("helper/validate.c", "                r = network_offers(&plan.network, kind, ret_refusal);\n", "                r = 0;\n")],
             HELPER, "only_what_the_file_says", OPENED),
    Mutation("helper: any number of leases", [("helper/validate.c", ">= plan.network.max_leases)", ">= NETWORK_LEASES_MAX)")],
             HELPER, "most_leases", "AssertionError"),
    Mutation("helper: descriptors are taken", [("helper/server.c", "if (n <= 0 || n_fds > 0 ||", "if (n <= 0 ||")], HELPER, "descriptors", "AssertionError"),
    # -- the completing veth: this kernel must have the checksum trick
    Mutation("trick: frames of a tap are not completed before the guard",
             [("helper/validate.c", "return context->features & WIRE_FEATURE_CHECKSUM_TRICK ? GUARD_TAP_CHECKED : GUARD_TAP;", "return GUARD_TAP;")],
             TRICK, "test_trick", "frames were rewritten", vm=True),
    Mutation("trick: frames of a packet port are not completed before the guard",
             [("helper/namespace.c", "if (r == 0 && plan->checksum_trick)\n                r = link_offload_off(links->port_name, ret_refusal);", ";")],
             TRICK, "test_trick", "frames were rewritten", vm=True),
]  # fmt: skip
