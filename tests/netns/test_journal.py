# SPDX-License-Identifier: GPL-2.0-or-later
"""The audit trail: an entry for all that happens to a lease, each with the same fields, and one for each kind of refusal."""

import bus
import frames
import journal
import lab
import shapes
import tap

EVENTS = journal.events()
MAC = "52:54:00:00:77:21"


def fields_of(lease, name=None, mac=None, kind="tap", network="lab"):
    """What every entry about the lease has. None: the entry has no such field."""
    return {"RAWNET_LEASE": f"rn{lease.id:x}", "RAWNET_NAME": name, "RAWNET_UID": str(lab.uid_of("member")), "RAWNET_NETWORK": network,
            "RAWNET_VLAN": "none", "RAWNET_PARENT": "wire0", "RAWNET_KIND": kind, "RAWNET_MAC": mac or lease.info["mac"]}  # fmt: skip


def check(entry, wanted):
    assert {key: entry.get(key) for key in wanted} == wanted, (wanted, entry)


def test_the_life_of_a_lease():
    for kind in ("tap", "packet"):
        with journal.of_a_new_service() as log, bus.connect("member") as member:
            lease = member.open(kind, "lab", name="web")
            wanted = {**fields_of(lease, name="web", kind=kind), "RAWNET_SINCE": str(member.leases()[lease.path]["Since"])}
            entry = log.entry(EVENTS["OPENED"])
            check(entry, wanted)
            assert entry["MESSAGE"].endswith(f"MAC {lease.info['mac']}, untagged on wire0"), entry
            lease.close_fds()
            entry = log.entry(EVENTS["ENDED"])
            check(entry, {**wanted, "RAWNET_REASON": "last-fd", "RAWNET_CLOSER_UID": None})
            assert f"with MAC {lease.info['mac']} ended: " in entry["MESSAGE"], entry


def test_closed():
    with journal.of_a_new_service() as log, bus.connect("member") as member, member.open_tap("lab") as lease:
        member.close_lease(lease.path)
        check(log.entry(EVENTS["ENDED"]), {**fields_of(lease), "RAWNET_REASON": "closed", "RAWNET_CLOSER_UID": None})


def test_revoked():
    """The entry says who did it."""
    with journal.of_a_new_service() as log, bus.connect("member") as member, bus.connect() as root, member.open_tap("lab") as lease:
        root.close_lease(lease.path)
        entry = log.entry(EVENTS["REVOKED"])
        check(entry, {**fields_of(lease), "RAWNET_REASON": "revoked", "RAWNET_CLOSER_UID": "0"})
        assert entry["MESSAGE"].endswith("another user closed it, user 0"), entry


def test_learned():
    """Once, although the port goes on."""
    with journal.of_a_new_service() as log, bus.connect("member") as member, member.open_tap("lab", name="web", mac="learn") as lease:
        wanted = {**fields_of(lease, name="web"), "RAWNET_MAC": None}
        check(log.entry(EVENTS["OPENED"]), wanted)
        for _ in range(3):
            shapes.port_of(lease).send(frames.marker(MAC))
        check(log.entry(EVENTS["LEARNED"]), {**wanted, "RAWNET_MAC": MAC})
        member.close_lease(lease.path)
        after = []
        while not after or after[-1]["MESSAGE_ID"] != EVENTS["ENDED"]:
            after.append(log.any_entry())
        assert EVENTS["LEARNED"] not in [entry["MESSAGE_ID"] for entry in after], after
        check(after[-1], {**wanted, "RAWNET_MAC": MAC})


def test_found_again():
    """After a restart of rawnetd each lease has an entry: one without it has ended meanwhile."""
    with bus.connect("member") as member, member.open_tap("lab", name="web") as lease, journal.of_a_new_service() as log:
        member.leases()
        check(log.entry(EVENTS["FOUND"]), fields_of(lease, name="web"))
        # One that opens later was not found.
        with member.open_tap("lab") as later:
            assert log.any_entry()["MESSAGE_ID"] == EVENTS["OPENED"], later
        # The helper's restart ends nothing, and rawnetd knows the leases.
        lab.restart("rawnet-helper")
        member.close_lease(lease.path)
        check(log.any_entry(), {"RAWNET_LEASE": f"rn{later.id:x}"})
        check(log.any_entry(), {"MESSAGE_ID": EVENTS["ENDED"], "RAWNET_LEASE": f"rn{lease.id:x}"})


def refused(error, function, *words, user="member", **options):
    """The entry of a refusal."""
    with journal.of_a_new_service() as log, bus.connect(user) as connection:
        bus.expect_error(error, function, connection, *words, **options)
        return log.entry(EVENTS["REFUSED"])


def test_refused():
    """What is known of the request, each time."""
    uid, outsider = str(lab.uid_of("member")), str(lab.uid_of("outsider"))
    lab_fields = {"RAWNET_UID": uid, "RAWNET_NETWORK": "lab", "RAWNET_KIND": "tap", "RAWNET_LEASE": None, "RAWNET_SINCE": None}
    wire = {"RAWNET_VLAN": "none", "RAWNET_PARENT": "wire0"}
    tap_port = bus.Connection.open_tap
    # polkit
    entry = refused(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", tap_port, "lab", name="web", mac=MAC, user="outsider")
    check(entry, {**lab_fields, **wire, "RAWNET_UID": outsider, "RAWNET_NAME": "web", "RAWNET_MAC": MAC,
                  "RAWNET_ERROR": bus.DBUS_ERROR + "InteractiveAuthorizationRequired"})  # fmt: skip
    # the network file
    entry = refused(bus.DBUS_ERROR + "InvalidArgs", tap_port, "lab", name="web", mac="bc:24:11:00:77:21")
    check(entry, {**lab_fields, **wire, "RAWNET_NAME": "web", "RAWNET_MAC": "bc:24:11:00:77:21"})
    # an option, before the file is read
    entry = refused(bus.DBUS_ERROR + "InvalidArgs", tap_port, "lab", queues=99)
    check(entry, {**lab_fields, "RAWNET_VLAN": None, "RAWNET_PARENT": None, "RAWNET_NAME": None, "RAWNET_MAC": None})
    # no such network
    entry = refused("NoSuchNetwork", tap_port, "nope", name="web")
    check(entry, {**lab_fields, "RAWNET_NETWORK": "nope", "RAWNET_VLAN": None, "RAWNET_NAME": "web"})


def test_refused_to_close():
    """A lease of somebody else: all that is known of the lease, and the user who wanted it."""
    with bus.connect("member") as member, member.open_tap("lab", name="web") as lease:
        entry = refused(bus.DBUS_ERROR + "InteractiveAuthorizationRequired", bus.Connection.close_lease, lease.path, user="outsider")
        check(entry, {**fields_of(lease, name="web"), "RAWNET_UID": str(lab.uid_of("outsider"))})


def test_every_event_has_a_catalog_entry():
    with open(f"{lab.SOURCE}/systemd/rawnet.catalog", encoding="utf-8") as file:
        text = file.read()
    for name, number in EVENTS.items():
        assert f"\n-- {number}\nSubject: " in text, name
    assert text.count("\n-- ") == len(EVENTS)


if __name__ == "__main__":
    tap.main()
