# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may: the real polkitd with the real actions and rules, with and without an agent, and what happens while it thinks."""

import contextlib
import json

import bus
import documents
import changes
import lab
import tap
import waiting
from container import Container, attach

DETAILS = {"network", "parent", "vlan", "protocol", "kind", "mode", "mac", "mac-class", "queues", "rate", "vhost", "where", "addresses"}
DENIED = bus.DBUS_ERROR + "AccessDenied"
INTERACTIVE = bus.DBUS_ERROR + "InteractiveAuthorizationRequired"
RULE = "polkit.addRule(function (action, subject) { %s });"


class Agent:
    """agent.py as an unprivileged user."""

    def __init__(self, user):
        self.process = lab.popen_as(user, ["/usr/bin/python3", f"{lab.SOURCE}/tests/bus/agent.py"],
                                    stdin=lab.subprocess.PIPE, stdout=lab.subprocess.PIPE)  # fmt: skip
        self.expect("ready")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, event, seconds=20):
        assert waiting.readable([self.process.stdout], seconds), f"no '{event}' within {seconds} s"
        words = json.loads(self.process.stdout.readline())
        assert words["event"] == event, words
        return words

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def authenticate(agent, cookie):
    """What polkit-agent-helper-1 says after the right password of root."""
    with bus.connect() as root:
        root.call("/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority", "AuthenticationAgentResponse2",
                  "us(sa{sv})", (lab.uid_of("outsider"), cookie, ("unix-user", {"uid": ("u", 0)})),
                  destination="org.freedesktop.PolicyKit1")  # fmt: skip
    agent.say("done")


@contextlib.contextmanager
def polkit_thinks(connection, kind="tap", network="lab", **options):
    """polkitd has a question, and is stopped while the block runs: the call's serial."""
    connection.can_open(network, kind)  # polkitd has answered one, so that nothing but this question is new to it
    with bus.Monitor("type='method_call',member='CheckAuthorization'") as monitor, lab.stopped(lab.daemons()["polkitd"]["pid"]):
        serial = connection.send_open(kind, network, **options)
        monitor.wait("CheckAuthorization")
        yield serial


def refusal_of(connection, serial, name):
    full = name if "." in name else bus.ERROR + name
    try:
        connection.opened("tap", serial).close_fds()
    except bus.BusError as error:
        assert error.name == full, error
        return error.text
    raise AssertionError(f"expected {full}, but it was opened")


# -- yes, no, challenge


def test_member_yes_and_what_polkit_was_asked():
    with bus.connect("member") as connection:
        usual = {"mode": "bridge", "mac": "", "mac-class": "random", "queues": "1", "rate": "", "vhost": "false"}
        cases = [("tap", "lab", {}, {}), ("packet", "lab-private", {}, {"mode": "private"}),
                 ("tap", "lab", {"mac": "52:54:00:00:00:07"}, {"mac": "52:54:00:00:00:07", "mac-class": "given"}),
                 ("tap", "lab", {"mac": "learn"}, {"mac": "learn", "mac-class": "learn"}),
                 ("tap", "lab", {"name": "named"}, {"mac-class": "derived"}),
                 ("packet", "lab", {"queues": 16}, {"queues": "16"}), ("tap", "lab", {"queues": 3}, {"queues": "3"}),
                 ("tap", "lab", {"rate": 5000000}, {"rate": "5000000"}),
                 ("tap", "lab", {"queues": 2, "vhost": True}, {"queues": "2", "vhost": "true"})]  # fmt: skip
        for kind, network, options, details in cases:
            before = len(lab.questions())
            with contextlib.suppress(bus.BusError):  # without /dev/vhost-net the helper refuses, after the question
                connection.open(kind, network, **options).close_fds()
            asked = lab.asked_since(before)
            assert asked == [{"action": f"org.rawnet1.open-{kind}", "user": "member", "network": network, "parent": "wire0",
                              "vlan": "none", "protocol": "none", "kind": kind, **usual, **details}], asked  # fmt: skip


def test_polkit_is_told_the_protocol_of_the_tag():
    """The question comes before the kernel is asked for a VLAN."""
    with bus.connect("member") as connection:
        for protocol in ("802.1Q", "802.1ad"):
            with lab.network("tagged", VLAN="55", Protocol=protocol):
                before = len(lab.questions())
                assert connection.can_open("tagged", "tap") == ("yes" if lab.has_vlan() else "no")
                asked = lab.asked_since(before)[0]
                assert (asked["vlan"], asked["protocol"], asked["queues"], asked["vhost"]) == ("55", protocol, "1", "false"), asked


def test_a_rule_limits_queues_and_vhost():
    rule = RULE % 'if (parseInt(action.lookup("queues"), 10) > 8 || action.lookup("vhost") === "true") return polkit.Result.NO;'
    with bus.connect("member") as connection, lab.polkit_rule(rule):
        for kind, options in (("tap", {"vhost": True}), ("tap", {"queues": 16}), ("packet", {"queues": 16}), ("packet", {"queues": 9}),
                              ("tap", {"queues": 8, "vhost": True})):  # fmt: skip
            text = bus.expect_error(DENIED, connection.open, kind, "lab", **options)
            assert "polkit" in text, text
        connection.open_tap("lab", queues=8, vhost=False).close_fds()
        connection.open_packet("lab", queues=8).close_fds()


def test_each_open_asks_anew():
    with bus.connect("member") as connection:
        before = len(lab.questions())
        for _ in range(3):
            connection.open_tap("lab").close_fds()
        assert len(lab.asked_since(before, 3)) == 3


def test_a_rule_says_no():
    rule = RULE % 'if (action.lookup("network") == "lab" && action.lookup("kind") == "tap") return polkit.Result.NO;'
    with bus.connect("member") as connection:
        with lab.polkit_rule(rule):
            text = bus.expect_error(DENIED, connection.open_tap, "lab")
            assert "lab" in text and "org.rawnet1.open-tap" in text and "administrator" in text, text
            connection.open_packet("lab").close_fds()
            connection.open_tap("lab-private").close_fds()
        connection.open_tap("lab").close_fds()


def no_kind_of_port(connection, network):
    """What a rule refuses, it refuses by every action."""
    bus.expect_error(DENIED, connection.open_tap, network)
    bus.expect_error(DENIED, connection.open_packet, network)
    with Container("member") as box:
        bus.expect_error(DENIED, attach, connection, network, box)


def test_the_example_rule_by_vlan():
    with open(f"{lab.SOURCE}/policy/examples/60-rawnet-by-vlan.rules", encoding="utf-8") as file:
        text = file.read()
    with bus.connect("member") as connection, lab.polkit_rule(text, "60-rawnet-by-vlan.rules"):
        assert connection.can_open("lab", "tap") == "yes"
        with lab.network("phones", VLAN="200"):
            assert connection.can_open("phones", "tap") == "no"
            no_kind_of_port(connection, "phones")


def test_the_example_rule_gives_nobodys_address_away():
    """A port on VLAN 100, yes; with an address that rawnet derives for another user, no."""
    with open(f"{lab.SOURCE}/policy/examples/60-rawnet-by-vlan.rules", encoding="utf-8") as file:
        text = file.read().replace("lab-users", "rawnet")
    with bus.connect("member") as connection, lab.polkit_rule(text, "60-rawnet-by-vlan.rules"), lab.network("office", VLAN="100"):
        bus.expect_error(INTERACTIVE, connection.open_tap, "office", mac="52:54:00:f0:00:01")
        bus.expect_error(DENIED, connection.open_tap, "office", vhost=True)
        bus.expect_error(DENIED, connection.open_tap, "office", queues=8)
        if lab.has_vlan():
            connection.open_tap("office", mac="52:54:00:00:00:01").close_fds()
        else:
            bus.expect_error("NotSupported", connection.open_tap, "office", mac="52:54:00:00:00:01")  # polkit says yes


# -- the rules of docs/administrators.md, with users and groups of the lab


def rule(name, old, new):
    """The block of that name as a file of the name in its first line."""
    text = documents.block(name)
    assert f'"{old}"' in text, text
    return lab.polkit_rule(text.replace(f'"{old}"', f'"{new}"'), text.split()[1].rpartition("/")[2])


def test_the_printed_rule_for_a_user():
    with bus.connect("outsider") as outsider, lab.network("vlan100", VLAN="none"), rule("rule-user", "bob", "outsider"):
        outsider.open_tap("vlan100").close_fds()
        outsider.open_packet("vlan100").close_fds()
        assert outsider.can_open("vlan100", "veth") == "yes"
        bus.expect_error(INTERACTIVE, outsider.open_tap, "lab")


def test_the_printed_rule_for_a_group():
    with bus.connect("outsider") as outsider, rule("rule-group", "developers", "outsider"):
        outsider.open_tap("lab").close_fds()
        bus.expect_error(INTERACTIVE, outsider.open_packet, "lab")


def test_the_printed_rule_for_vlans():
    with bus.connect("member") as member, rule("rule-vlans", "developers", "rawnet"), lab.network("phones", VLAN="200"), \
            lab.network("office", VLAN="100"):  # fmt: skip
        no_kind_of_port(member, "phones")
        bus.expect_error(INTERACTIVE, member.open_tap, "office")
        member.open_tap("lab").close_fds()


def test_the_printed_rule_for_operators():
    with bus.connect("outsider") as outsider, bus.connect("member") as member, member.open_tap("lab") as lease:
        bus.expect_error(INTERACTIVE, outsider.close_lease, lease.path)
        with rule("rule-operators", "operators", "outsider"):
            outsider.close_lease(lease.path)


def test_outsider_without_an_agent():
    with bus.connect("outsider") as connection:
        for kind in ("tap", "packet"):
            text = bus.expect_error(INTERACTIVE, connection.open, kind, "lab")
            assert "lab" in text and "agent" in text and "rawnet" in text, text
            serial = connection.send_open(kind, "lab", interactive=True)  # may ask, but nobody is there to be asked
            text = refusal_of(connection, serial, INTERACTIVE)
            assert "lab" in text, text
    assert not lab.lease_ids()


def test_nobody_is_an_outsider_too():
    with bus.connect("nobody") as connection:
        bus.expect_error(INTERACTIVE, connection.open_tap, "lab")


def test_root_may():
    with bus.connect() as connection:
        connection.open_tap("lab").close_fds()


# -- with an agent


def test_agent_shows_the_question_and_its_yes_opens():
    """polkitd gives its agents the text that it made of the details, not the details: those are seen on their way to it."""
    with Agent("outsider") as agent, bus.Monitor("type='method_call',member='CheckAuthorization'") as monitor:
        agent.say("open tap lab mac=52:54:00:00:00:09")
        asked = agent.expect("asked")
        assert asked["action"] == "org.rawnet1.open-tap" and asked["identities"] == ["unix-user"], asked
        subject, _, details, flags, _ = monitor.wait("CheckAuthorization")
        assert subject[0] == "system-bus-name" and subject[1]["name"][1].startswith(":") and flags == 1, (subject, flags)
        assert details == {"network": "lab", "parent": "wire0", "vlan": "none", "kind": "tap", "mode": "bridge", "protocol": "none",
                           "mac": "52:54:00:00:00:09", "mac-class": "given", "queues": "1", "rate": "", "vhost": "false",
                           "where": "untagged on wire0", "addresses": ""}, details  # fmt: skip
        assert asked["text"].endswith("to open a virtual machine port on network lab (untagged on wire0)."), asked
        assert not lab.lease_ids()
        authenticate(agent, asked["cookie"])
        opened = agent.expect("opened")
        assert opened["info"]["mac"] == "52:54:00:00:00:09" and lab.lease_ids() == [opened["info"]["id"]], opened
        with bus.connect() as root:
            assert root.get_all(opened["path"], bus.LEASE)["Owner"] == lab.uid_of("outsider")


def test_agents_yes_is_for_one_port_only():
    """auth_admin, never auth_admin_keep: a kept authorization would ignore the details."""
    with Agent("outsider") as agent:
        for network in ("lab", "lab-private"):
            agent.say(f"open tap {network}")
            asked = agent.expect("asked")
            assert f"network {network} " in asked["text"], asked
            authenticate(agent, asked["cookie"])
            agent.expect("opened")
        agent.say("open tap lab")
        agent.say("quiet tap lab")
        agent.expect("asked")
        assert agent.expect("refused")["name"] == INTERACTIVE, "the one that allows no interaction"
        agent.say("cancel")
        assert agent.expect("refused")["name"] in (DENIED, INTERACTIVE)
        assert len(lab.lease_ids()) == 2


def test_person_dismisses_the_dialogue():
    with Agent("outsider") as agent:
        agent.say("open packet lab")
        assert agent.expect("asked")["action"] == "org.rawnet1.open-packet"
        agent.say("cancel")
        refused = agent.expect("refused")
        assert refused["name"] in (DENIED, INTERACTIVE) and "lab" in refused["text"], refused
        assert not lab.lease_ids()


def test_dialogue_has_no_time_limit_of_ours():
    """The contract: no 25 s limit. What is looked at is the call that rawnetd makes, not the clock."""
    with Agent("outsider") as agent:
        agent.say("open tap lab")
        asked = agent.expect("asked")
        with bus.connect("member") as connection:  # others are served meanwhile
            connection.open_tap("lab").close_fds()
            assert connection.can_open("lab", "tap") == "yes"
        authenticate(agent, asked["cookie"])
        agent.expect("opened")


def test_caller_vanishes_while_its_agent_asks():
    with Agent("outsider") as agent, bus.Monitor("type='method_call',interface='org.freedesktop.PolicyKit1.Authority'") as monitor:
        agent.say("open tap lab")
        asked = agent.expect("asked")
        action, details, flags, cancellation = monitor.wait("CheckAuthorization")[1:]
        assert action == "org.rawnet1.open-tap" and set(details) == DETAILS and flags == 1 and cancellation, (action, details, flags)
        agent.say("vanish")
        assert agent.expect("cancelled")["cookie"] == asked["cookie"]
        assert monitor.wait("CancelCheckAuthorization") == (cancellation,)
        with bus.connect("member") as connection:
            connection.open_tap("lab").close_fds()
        lab.wait_no_leases()


def test_file_changes_while_the_agent_asks():
    with lab.network("moving", Mode="bridge"), Agent("outsider") as agent:
        for change in ({"Mode": "private"}, {"AntiSpoof": "no"}, {"ControlFrames": "pass"}):
            with lab.network("moving", Mode="bridge"):
                agent.say("open tap moving")
                asked = agent.expect("asked")
                with lab.network("moving", **{"Mode": "bridge", **change}):
                    authenticate(agent, asked["cookie"])
                    refused = agent.expect("refused")
                    assert refused["name"] == DENIED and "moving" in refused["text"] and "changed" in refused["text"], refused


def test_closing_anothers_lease_with_an_agent():
    with bus.connect("member") as owner, owner.open_tap("lab") as lease, Agent("outsider") as agent, \
            bus.Monitor("type='method_call',member='CheckAuthorization'") as monitor:  # fmt: skip
        owner.subscribe()
        agent.say(f"close {lease.path}")
        asked = agent.expect("asked")
        assert asked["action"] == "org.rawnet1.close-others", asked
        details = {"lease": f"rn{lease.id:x}", "network": "lab", "owner": str(lab.uid_of("member"))}
        assert monitor.wait("CheckAuthorization")[2] == details
        assert all(value in asked["text"] for value in details.values()), asked
        authenticate(agent, asked["cookie"])
        agent.expect("closed")
        assert owner.wait_signal("Ended", path=lease.path)[1] == ("revoked",)


# -- while polkit works, without an agent: polkitd is stopped


def test_yes_comes_late():
    with bus.connect("member") as connection:
        with polkit_thinks(connection) as serial:
            pass
        with connection.opened("tap", serial) as lease:
            assert lab.lease_ids() == [lease.id]


def test_caller_vanishes_while_polkit_thinks():
    with bus.connect("member") as connection:
        connection.can_open("lab", "tap")
        with bus.Monitor("type='method_call',interface='org.freedesktop.PolicyKit1.Authority'") as monitor:
            with lab.stopped(lab.daemons()["polkitd"]["pid"]):
                connection.send_open("tap", "lab")
                cancellation = monitor.wait("CheckAuthorization")[4]
                connection.close()
                assert monitor.wait("CancelCheckAuthorization") == (cancellation,)
    with bus.connect("member") as connection:
        connection.open_tap("lab-private").close_fds()  # polkitd has answered the old question before this one
        lab.wait_no_leases()
        lab.wait_for(lambda: not connection.leases(), 5, "rawnetd's word of it")


@tap.limit(180)
def test_file_changes_while_polkit_thinks():
    """Whatever the file says otherwise by now: what polkit was asked about is no longer what would be opened."""
    full = ("BadNetworkFile", "QuotaExceeded")  # 0 is either a mistake in the file or a network that is full
    with bus.connect("member") as connection:
        for before, after, error in [(*change, "") for change in changes.CHANGES] + changes.OTHERWISE_REFUSED + [({}, {"MaxLeases": "0"}, full)]:
            with lab.network("moving", **before):
                with polkit_thinks(connection, network="moving") as serial, lab.network("moving", **after):
                    # The change is there when polkitd goes on: the context ends in the order thaw, then unlink.
                    lab.os.kill(lab.daemons()["polkitd"]["pid"], lab.signal.SIGCONT)
                    if error == full:
                        text = either(connection, serial, full)
                    else:
                        text = refusal_of(connection, serial, error or DENIED)
                    assert "moving" in text and (error or "changed" in text), (before, after, text)
                lab.wait_no_leases()


def test_file_is_written_again_while_polkit_thinks():
    """The same text in a new file is no change."""
    with bus.connect("member") as connection, lab.network("moving", MTU="1400"):
        with polkit_thinks(connection, network="moving") as serial, lab.network("moving", MTU="1400"):
            lab.os.kill(lab.daemons()["polkitd"]["pid"], lab.signal.SIGCONT)
            with connection.opened("tap", serial) as lease:
                assert lease.info["mtu"] == 1400, lease.info


def either(connection, serial, names):
    try:
        connection.opened("tap", serial).close_fds()
    except bus.BusError as error:
        assert error.name.removeprefix(bus.ERROR) in names, error
        return error.text
    raise AssertionError("it was opened")


def test_file_goes_while_polkit_thinks():
    with bus.connect("member") as connection:
        with lab.network("moving") as path:
            with polkit_thinks(connection, network="moving") as serial:
                lab.os.unlink(path)
            text = refusal_of(connection, serial, "NoSuchNetwork")
            assert "moving" in text, text
        with lab.network("moving") as path:
            with polkit_thinks(connection, network="moving") as serial:
                lab.os.unlink(path)
                lab.os.symlink("/dev/null", path)
            assert "disables (masks)" in refusal_of(connection, serial, "NoSuchNetwork")


def test_given_mac_falls_out_of_policy_while_polkit_thinks():
    with bus.connect("member") as connection, lab.network("moving"):
        with polkit_thinks(connection, network="moving", mac="52:54:00:00:00:05") as serial:
            with open(f"{lab.NETWORKS_DIR}/moving.conf", "a", encoding="utf-8") as file:
                file.write("MACPrefix=02:01:01\n")
        text = refusal_of(connection, serial, bus.DBUS_ERROR + "InvalidArgs")
        assert "moving" in text and "02:01:01" in text, text


def test_quota_is_used_up_while_polkit_thinks():
    with bus.connect("member") as connection, bus.connect("member2") as other, lab.network("few", MaxLeases="1"):
        other.can_open("few", "tap")
        with polkit_thinks(connection, network="few") as serial:
            second = other.send_open("tap", "few")
        outcomes = []
        for who, number in ((connection, serial), (other, second)):
            try:
                outcomes.append(who.opened("tap", number))
            except bus.BusError as error:
                assert error.name == bus.ERROR + "QuotaExceeded", error
        assert len(outcomes) == 1, outcomes
        outcomes[0].close_fds()


def test_too_many_questions_of_one_user():
    """Promise 6: open questions are bounded per user, and another user is served all the same."""
    pid = lab.daemons()["polkitd"]["pid"]
    with bus.connect("member") as connection, bus.connect("member2") as other:
        connection.can_open("lab", "tap")
        other.can_open("lab", "tap")
        with lab.stopped(pid):
            serials = [connection.send_open("tap", "lab") for _ in range(100)]
            refused = 0
            text = ""
            for serial in reversed(serials[64:]):
                text = refusal_of(connection, serial, bus.DBUS_ERROR + "LimitsExceeded")
                refused += 1
            assert refused == 36 and "lab" in text or "OpenTap" in text, (refused, text)
            late = other.send_open("tap", "lab")
        with other.opened("tap", late):
            pass
        answers = []
        for serial in serials[:64]:
            try:
                answers.append(connection.opened("tap", serial))
            except bus.BusError as error:
                assert error.name == bus.DBUS_ERROR + "LimitsExceeded", error
        assert answers, "none of the first was opened"
        tap.diag(f"{len(answers)} of 100 questions at once were put to polkit")
        for lease in answers:
            lease.close_fds()
        bus.wait_none_listed()  # they counted until now
        with connection.open_tap("lab"):
            pass


# -- polkitd is not there


def test_polkitd_stopped_is_refused_never_allowed():
    lab.stop("polkitd")
    try:
        for user in ("member", "outsider", None):
            with bus.connect(user) as connection:
                for kind in ("tap", "packet"):
                    text = bus.expect_error(DENIED, connection.open, kind, "lab")
                    assert "lab" in text and "polkit" in text and "not running" in text, text
                bus.expect_error(DENIED, connection.can_open, "lab", "tap")
        assert not lab.lease_ids()
    finally:
        lab.start("polkitd")
    with bus.connect("member") as connection:
        lab.wait_for(lambda: may_open(connection), 20, "polkitd's start")
        connection.open_tap("lab").close_fds()


def may_open(connection):
    try:
        return connection.can_open("lab", "tap") == "yes"
    except bus.BusError:
        return False


def test_polkitd_dies_while_it_thinks():
    with bus.connect("member") as connection:
        with polkit_thinks(connection) as serial:
            lab.os.kill(lab.daemons()["polkitd"]["pid"], lab.signal.SIGKILL)
            text = refusal_of(connection, serial, DENIED)
            assert "lab" in text and "polkit" in text, text
        lab.wait_for(lambda: not lab.daemons()["polkitd"]["pid"], 10, "polkitd's end")
        lab.start("polkitd")
        lab.wait_for(lambda: may_open(connection), 20, "polkitd's start")
        assert not lab.lease_ids()


def test_the_file_of_actions_has_no_keep():
    with open("/usr/share/polkit-1/actions/org.rawnet1.policy", encoding="utf-8") as file:
        text = file.read()
    assert "_keep" not in text.replace("never auth_admin_keep", "") and text.count("unix-user:_rawnet<") == 5


if __name__ == "__main__":
    tap.main()
