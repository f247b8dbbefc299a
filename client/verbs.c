/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/verbs.h"

#include <string.h>

#include "client/client.h"

#define MAC_OPTION                                                                                 \
        { "mac", "ADDRESS", "the port's MAC address; default: rawnet chooses one" }
#define LEARN_MAC_TEXT                                                                             \
        "the port's MAC address, or the source of the guest's first frame; default: rawnet chooses one"
#define NAME_OPTION                                                                                \
        { "name", "NAME", "a name for the lease; a named lease always gets the same address" }
#define ADDRESS_TEXT "an IP address that the guest may use, and then no other; may be repeated"
#define RATE_OPTION                                                                                \
        { "rate", "RATE", "bits a second each way, such as 100M; no more than the network's" }
#define ADDRESS_OPTION                                                                             \
        { "address", "IP[/LENGTH]", ADDRESS_TEXT }
#define QUEUES_OPTION                                                                              \
        { "queues", "N", "descriptors of a multiqueue port, 1 to 16" }
#define JSON_OPTION                                                                                \
        { "json", NULL, "print JSON, which has every property and is stable" }
#define NO_LEGEND_OPTION                                                                           \
        { "no-legend", NULL, "print no headings and hints on a terminal" }
#define VHOST_OPTION                                                                               \
        { "vhost", "[BOOL]", "use the kernel's vhost-net; for a tap" }

static const VerbOption networks_options[] = {JSON_OPTION, NO_LEGEND_OPTION, {}};
static const VerbOption list_options[] = {JSON_OPTION, NO_LEGEND_OPTION, {}};
static const VerbOption monitor_options[] = {
        {"json", NULL, "print a JSON object on each line"}, NO_LEGEND_OPTION, {}};
static const VerbOption top_options[] = {
        {"sort", "total|received|sent|frames|dropped|name", "what comes first; default: total"},
        {"interval", "SECONDS", "time between two looks, 0.1 to 3600; default: 1"},
        {"count", "N", "print N tables, one below the other, and end"},
        {"json", NULL, "print a JSON object with all leases on a line for each look"},
        {}};
static const VerbOption stat_options[] = {
        {"all", NULL, "print every counter"},
        {"json", NULL, "print JSON, with every property and counter"},
        {}};
static const VerbOption log_options[] = {
        {"since", "TIME", "entries from then on, as journalctl(1) reads it"},
        {"until", "TIME", "entries up to then"},
        {"json", NULL, "print each entry as a JSON object with all its fields"},
        {}};
static const VerbOption check_options[] = {{"json", NULL, "print JSON"}, {}};
static const VerbOption run_options[] = {
        {"kind", "tap|packet|veth",
         "tap, the default, is for virtual machines; packet for programs "
         "that read and write frames; veth for any program, in a network "
         "namespace of its own"},
        {"mac", "ADDRESS|learn", LEARN_MAC_TEXT},
        NAME_OPTION,
        ADDRESS_OPTION,
        RATE_OPTION,
        QUEUES_OPTION,
        VHOST_OPTION,
        {"vnet-hdr", "BOOL", "frames have a struct virtio_net_hdr; for a packet port"},
        {"port", "NAME=NETWORK",
         "a port that {NAME.fd} and so on stand for; may be repeated, "
         "takes the options before it"},
        {"interface", "NAME", "what a veth port is called there; default: eth0"},
        {"dhcp", NULL, "run the host's DHCP client there, as long as the command runs"},
        {"tap", "NAME", "bridge a veth port to this tap, which a VMM opens by its name"},
        {}};
static const VerbOption attach_options[] = {
        {"pid", "PID", "a process in the container"},
        {"interface", "IFNAME",
         "the interface's name there; default: the first free of eth0, eth1 ..."},
        {"mac", "ADDRESS", "the interface's MAC address; default: rawnet chooses one"},
        NAME_OPTION,
        ADDRESS_OPTION,
        RATE_OPTION,
        {}};
static const VerbOption qemu_options[] = {
        {"dry-run", NULL, "open nothing, and print the command line"}, {}};
static const VerbOption vhost_options[] = {
        {"socket", "PATH", "listen for the front end there"},
        {"connect", "PATH", "connect to the front end, which listens there"},
        {"allow-user", "USER", "let this user be the front end, too"},
        MAC_OPTION,
        NAME_OPTION,
        ADDRESS_OPTION,
        RATE_OPTION,
        {"queues", "N", "pairs of queues, 1 to 16"},
        {"busy-poll", "USEC", "how long to look for more frames before sleeping"},
        {"coalesce", "USEC", "how long frames may wait, so that they are served in batches"},
        {}};
static const VerbOption plug_options[] = {
        {"qmp", "SOCKET", "the socket of QEMU's -qmp"},
        {"id", "DEVICE", "what QEMU calls the device; default: the port's name"},
        {"bus", "BUS", "the bus of the machine for the card"},
        {"mac", "ADDRESS|learn", LEARN_MAC_TEXT},
        NAME_OPTION,
        ADDRESS_OPTION,
        RATE_OPTION,
        QUEUES_OPTION,
        VHOST_OPTION,
        {}};
static const VerbOption unplug_options[] = {{"qmp", "SOCKET", "the socket of QEMU's -qmp"}, {}};

const Verb verbs[] = {
        {"networks", verb_networks, "list the networks that an administrator set up", "[OPTION...]",
         NULL,
         "Lists the networks: their state, leases, VLAN, parent interface, the kinds of\n"
         "ports that they offer, and the host's own interface.",
         "rawnetctl networks", networks_options},
        {"list", verb_list, "list the leases", "[OPTION...]", NULL,
         "Lists the leases, the oldest first. A lease is a port that somebody has open.",
         "rawnetctl list\n"
         "rawnetctl list --json | jq -r '.[] | select(.network == \"lab\") | .mac'",
         list_options},
        {"stat", verb_stat, "show a lease and what its guest received and sent", "[OPTION...] ID",
         "ID",
         "Shows a lease and its counters, seen from the guest. ID is a lease's ID, such\n"
         "as rn7fff0001, or its name.",
         "rawnetctl stat web1", stat_options},
        {"close", verb_close, "end a lease while a program still holds it", "ID", "ID",
         "Ends a lease while a program still holds it. ID is a lease's ID, such as\n"
         "rn7fff0001, or its name. Closing another user's lease needs authorization.",
         "rawnetctl close web1", NULL},
        {"monitor", verb_monitor, "print leases as they come and go", "[OPTION...]", NULL,
         "Prints the leases that there are, then one line for each that opens, changes,\n"
         "ends or is removed, until it is interrupted.",
         "rawnetctl monitor\n"
         "rawnetctl monitor --json | jq -c --unbuffered .lease.mac",
         monitor_options},
        {"top", verb_top, "show what each lease receives and sends, live", "[OPTION...]", NULL,
         "Shows the bits and frames that each lease receives and sends a second, and the\n"
         "frames that are dropped, until q is pressed. Directions are seen from the\n"
         "guest. Into a pipe, and with --count, it prints a table for each look.",
         "rawnetctl top --sort dropped\n"
         "rawnetctl top --count 1 --interval 5",
         top_options},
        {"log", verb_log, "show what the journal has about leases",
         "[OPTION...] [NETWORK|ID|NAME|MAC]", "NETWORK|ID",
         "Shows what the journal has about leases: opened, refused, ended, addresses\n"
         "learned, first frames dropped. Without an argument it shows all. The journal\n"
         "shows rawnetd's entries to root and to groups adm and systemd-journal only.",
         "rawnetctl log --since yesterday lab\n"
         "rawnetctl log --until '2026-11-24 12:00' 52:54:00:12:34:56",
         log_options},
        {"metrics", verb_metrics, "print counters for Prometheus", "", NULL,
         "Prints what rawnetd has counted since it started, by network, as OpenMetrics\n"
         "text: leases, refusals, bytes, frames, frames that the guard dropped.",
         "rawnetctl metrics > /var/lib/prometheus/node-exporter/rawnet.prom", NULL},
        {"check", verb_check, "say why a network cannot serve, and what to do",
         "[OPTION...] [NETWORK]", "NETWORK",
         "Says why networks cannot serve here and what to do, and whether you may open\n"
         "ports on them. Without NETWORK it checks all. Exits with 0 if all can serve.",
         "rawnetctl check lab", check_options},
        {"run", verb_run, "open ports for a command, and become it",
         "[OPTION...] NETWORK -- CMD [ARG...]\n"
         "[OPTION...] --port NAME=NETWORK ... -- CMD [ARG...]",
         "NETWORK CMD",
         "Opens a port and becomes CMD, which gets the port's descriptors, from 3 up.\n"
         "These words are replaced in ARG: {fd} {fds} {fds,} {vhostfds} {mac} {mtu}\n"
         "{ifname}; with --port {NAME.fd} and so on. With --kind veth CMD gets an\n"
         "interface instead, in a network namespace with nothing else.",
         "rawnetctl run lab -- qemu-system-x86_64 -m 1G disk.img \\\n"
         "    -netdev tap,id=n0,fd={fd} -device virtio-net-pci,netdev=n0,mac={mac}\n"
         "rawnetctl run --kind veth --dhcp lab -- ping neighbour.example",
         run_options},
        {"attach", verb_attach, "put an interface into a container that runs",
         "[OPTION...] --pid PID NETWORK", "NETWORK",
         "Puts an interface on a network into the network namespace of a process, as of a\n"
         "rootless container, and raises it. It has no IP address. It stays until the\n"
         "container ends, or until rawnetctl close.",
         "rawnetctl attach --pid $(podman inspect -f '{{.State.Pid}}' web) lab", attach_options},
        {"qemu", verb_qemu, "become QEMU with ports on networks", "[--dry-run] [--] QEMU [ARG...]",
         "CMD",
         "Becomes QEMU. Each -netdev raw,id=ID,network=NETWORK and each\n"
         "-nic raw,network=NETWORK gets a port.",
         "rawnetctl qemu -- qemu-system-x86_64 -m 1G disk.img \\\n"
         "    -netdev raw,id=n0,network=lab -device virtio-net-pci,netdev=n0",
         qemu_options},
        {"vhost", verb_vhost, "serve a port to a vhost-user front end",
         "[OPTION...] --socket PATH NETWORK\n"
         "[OPTION...] --connect PATH NETWORK",
         "NETWORK",
         "Opens a packet port and becomes rawnet-vhost(1), which serves it to a\n"
         "vhost-user front end: QEMU, libvirt, cloud-hypervisor.",
         "rawnetctl vhost --socket $XDG_RUNTIME_DIR/vm1.sock lab", vhost_options},
        {"plug", verb_plug, "put a network card with a port into a running QEMU",
         "[OPTION...] --qmp SOCKET NETWORK", "NETWORK",
         "Opens a port and puts a virtio network card with it into a QEMU that is\n"
         "running. Prints the lease and the device.",
         "rawnetctl plug --qmp $XDG_RUNTIME_DIR/vm1.qmp lab", plug_options},
        {"unplug", verb_unplug, "take that card out again", "--qmp SOCKET DEVICE", "DEVICE",
         "Removes a card that plug has added from a running QEMU. DEVICE is the name that\n"
         "plug printed.",
         "rawnetctl unplug --qmp $XDG_RUNTIME_DIR/vm1.qmp rn7fff0001", unplug_options},
        {"host", verb_host, "make or remove the host's own interface on a network",
         "up|down NETWORK", "up|down NETWORK",
         "Makes or removes the interface that HostInterface= in the network's file names,\n"
         "by which host and guests reach each other. For administrators.",
         "rawnetctl host up lab", NULL},
        {"help", verb_help, "show a command's options and an example", "[COMMAND]", "COMMAND",
         "Shows what a command does, its options and an example, or the list of\n"
         "commands.",
         "rawnetctl help run", NULL},
};
const size_t n_verbs = ARRAY_SIZE(verbs);

const Verb *verb_find(const char *name) {
        for (size_t i = 0; i < n_verbs; i++)
                if (strcmp(name, verbs[i].name) == 0)
                        return &verbs[i];
        return NULL;
}

const Verb *verb_guess(const char *name) {
        for (size_t i = 0; i < n_verbs; i++) {
                size_t n = MIN_OF(strlen(name), strlen(verbs[i].name));

                if (n >= 3 && strncmp(name, verbs[i].name, n) == 0)
                        return &verbs[i];
        }
        return NULL;
}
