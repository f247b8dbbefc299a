/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl qemu: opens a lease for each raw netdev and becomes QEMU. No process stays in
 * between, so signals and the exit status are QEMU's own.
 */

#include <fcntl.h>
#include <string.h>

#include "client/backend.h"
#include "client/bus.h"
#include "client/client.h"
#include "client/parse.h"
#include "client/qemu/host.h"
#include "client/qemu/judge.h"
#include "client/qemu/rewrite.h"

/* Returns 0, or the exit status. */
static int parse_options(int argc, char **argv, bool *ret_dry_run, char ***ret_command) {
        static const struct option options[] = {{"dry-run", no_argument, NULL, 'n'}, {}};
        int c;

        *ret_dry_run = false;
        while ((c = getopt_long(argc, argv, "+:", options, NULL)) >= 0) {
                if (c != 'n') {
                        say_bad_option(c, argv);
                        return EXIT_OWN_FAILURE;
                }
                *ret_dry_run = true;
        }
        if (optind >= argc) {
                log_error("qemu: which QEMU? (rawnetctl qemu [--dry-run] -- qemu-system-x86_64 "
                          "ARG...)");
                return EXIT_OWN_FAILURE;
        }
        *ret_command = argv + optind;
        return 0;
}

/* The caller's own packet socket: for the back end, not for QEMU too. */
static int take_given(Port *port, int fd, Refusal *ret_refusal) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, PORT_FIRST_NUMBER);

        if (copy < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the packet socket of raw netdev %s, fd=%d: %s", port->name, fd,
                              strerror(errno));
        port->fds[0] = copy;
        port->n_queues = 1;
        return 0;
}

static void say_kind(const QemuLine *line, size_t port) {
        const QemuNetdev *netdev = &line->netdevs[port];

        if (netdev->reason)
                log_notice(QEMU_ITEM ": kind=tap%s, because %s", QEMU_ITEM_NAME(netdev->item),
                           line->ports[port].request.vhost > 0 ? " with vhost" : "",
                           netdev->reason);
}

/* With kind=auto, a network without packet ports gets a tap. */
static int open_port(sd_bus *bus, QemuLine *line, size_t i, const QemuHost *host,
                     Refusal *ret_refusal) {
        Port *port = &line->ports[i];
        Refusal refusal = {};
        int r = bus_open_port(bus, port, &refusal);

        if (r == RAWNET_KIND_NOT_OFFERED && line->netdevs[i].any_kind &&
            port->request.kind == KIND_PACKET) {
                r = qemu_take_tap(line, i, host, refusal.text);
                if (r < 0)
                        return r;
                say_kind(line, i);
                r = bus_open_port(bus, port, &refusal);
        }
        return refusal_forward(r, &refusal, ret_refusal);
}

static int open_ports(QemuLine *line, const QemuHost *host, Refusal *ret_refusal) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r = 0;

        for (size_t i = 0; i < line->n_ports && r == 0; i++) {
                if (line->netdevs[i].given >= 0) {
                        r = take_given(&line->ports[i], line->netdevs[i].given, ret_refusal);
                        continue;
                }
                if (!bus)
                        r = bus_connect(&bus, ret_refusal);
                if (r == 0)
                        r = open_port(bus, line, i, host, ret_refusal);
                if (r > 0)
                        ports_explain_refusal(line->ports, i, ret_refusal);
        }
        return r;
}

/* A back end for each packet port; all leases are open by now. */
static int start_backends(QemuLine *line, Refusal *ret_refusal) {
        /* Then QEMU lets go of stderr as well, and who waits for its end would wait for ours. */
        bool quiet = qemu_items_last(&line->items, QEMU_DAEMONIZE, "daemonize");

        for (size_t i = 0; i < line->n_ports; i++) {
                int r = line->ports[i].request.kind == KIND_PACKET
                                ? backend_spawn(&line->ports[i], quiet, ret_refusal)
                                : 0;

                if (r > 0)
                        return r;
                if (r < 0)
                        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                                      "starting rawnet-vhost: %s", errno_text(r));
        }
        return 0;
}

/* What would be there after open_ports(). A MAC that only rawnet can say stands as {ID.mac}. */
static int pretend_ports(QemuLine *line) {
        for (size_t i = 0; i < line->n_ports; i++) {
                Port *port = &line->ports[i];
                const char *mac = port->request.mac;

                port->n_queues = port->request.kind == KIND_PACKET ? 0
                                 : port->request.queues            ? port->request.queues
                                                                   : 1;
                if (port->request.kind == KIND_PACKET &&
                    asprintf(&port->socket, "{%s.socket}", port->name) < 0)
                        return -ENOMEM;
                if (line->netdevs[i].given >= 0)
                        continue;
                port->n_vhosts = port->request.vhost > 0 ? port->n_queues : 0;
                if (mac && *mac)
                        port->mac = strdup(strcmp(mac, "learn") == 0 ? "" : mac);
                else if (asprintf(&port->mac, "{%s.mac}", port->name) < 0)
                        port->mac = NULL;
                if (!port->mac)
                        return -ENOMEM;
        }
        return 0;
}

static void print_command(char **argv) {
        for (size_t i = 0; argv[i]; i++) {
                if (i > 0)
                        fputc(' ', stdout);
                shell_quote(stdout, argv[i]);
        }
        fputc('\n', stdout);
}

/* A card that rawnetctl does not see: on a hub, or plugged in later. */
static void warn_unused(const QemuLine *line) {
        for (size_t i = 0; i < line->n_ports; i++) {
                const Port *port = &line->ports[i];
                bool used = false;

                for (size_t k = 0; k < line->n_cards; k++)
                        used = used || line->cards[k].port == i;
                if (!used && port->mac)
                        log_warning("no card on the command line has netdev=%s: the guest's card "
                                    "must have the MAC %s",
                                    port->name,
                                    *port->mac ? port->mac : "that the lease learns first");
        }
}

/* Everything that is done before QEMU's command line is complete. */
static int prepare(QemuLine *line, const QemuHost *host, bool dry_run, char ***ret_command,
                   Refusal *ret_refusal) {
        size_t wanted = qemu_line_descriptors(line);
        _cleanup_free_ int *numbers = calloc(wanted + 1, sizeof(*numbers));
        int r;

        if (!numbers)
                return -ENOMEM;
        r = ports_check_addresses(line->ports, line->n_ports, ret_refusal);
        if (r != 0)
                return r;
        /* Chosen before we open anything: QEMU finds its caller's descriptors (-add-fd, fd=) where
         * they were. */
        r = ports_find_free(numbers, wanted);
        if (r < 0)
                return r;
        r = dry_run ? pretend_ports(line) : open_ports(line, host, ret_refusal);
        if (r == 0)
                r = qemu_line_check_mtu(line, ret_refusal);
        if (r == 0 && !dry_run)
                r = start_backends(line, ret_refusal);
        if (r != 0)
                return r;
        ports_number_from(line->ports, line->n_ports, numbers);
        warn_unused(line);
        r = qemu_rewrite(line, host, ret_command);
        if (r < 0 || dry_run)
                return r;
        return ports_place(line->ports, line->n_ports, ret_refusal);
}

int verb_qemu(int argc, char **argv) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        _cleanup_(argv_freep) char **rewritten = NULL;
        QemuHostProbe probe;
        Refusal refusal = {};
        char **command;
        bool dry_run;
        int r;

        r = parse_options(argc, argv, &dry_run, &command);
        if (r != 0)
                return r;
        qemu_host_probe(&probe);
        r = qemu_line_parse(command, &line, &refusal);
        if (r == 0)
                r = qemu_judge(&line, &probe.host, &refusal);
        if (r == 0) {
                for (size_t i = 0; i < line.n_ports; i++)
                        say_kind(&line, i);
                r = prepare(&line, &probe.host, dry_run, &rewritten, &refusal);
        }
        if (r != 0) {
                say_failure(r, &refusal);
                return EXIT_OWN_FAILURE;
        }
        if (!dry_run)
                return run_program(rewritten);
        print_command(rewritten);
        return EXIT_SUCCESS;
}
