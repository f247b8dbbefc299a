/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl plug and unplug: a network card with a port behind it, in a QEMU that is running
 * already. QEMU gets the port's descriptors over its control socket and holds them from then on;
 * nothing of rawnetctl stays. What fails is undone, so that either there is a card or nothing.
 */

#include <inttypes.h>
#include <linux/if_ether.h>
#include <string.h>

#include "client/bus.h"
#include "client/client.h"
#include "client/port.h"
#include "client/qmp.h"
#include "client/run-options.h"
#include "client/show.h"

/* The time that a guest has to release a card. */
#define UNPLUG_SECONDS 10u
#define ID_LENGTH_MAX 64u
#define NAME_SIZE (ID_LENGTH_MAX + 32u) /* of what is named after it */

typedef struct PlugOptions {
        PortRequest request;
        const char *socket;
        const char *id;  /* of device and netdev; NULL: the port's name */
        const char *bus; /* NULL: QEMU's choice */
} PlugOptions;

/* QEMU's rule for ids (util/id.c, id_wellformed()); our names of descriptors begin with them. */
static bool id_is_valid(const char *id) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        static const char more[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

        return *id && strchr(letters, *id) && strlen(id) <= ID_LENGTH_MAX &&
               id[strspn(id, more)] == '\0';
}

enum {
        OPTION_QMP = 0x200,
        OPTION_ID,
        OPTION_BUS
};

static const struct option plug_long_options[] = {
        {"mac", required_argument, NULL, RUN_OPTION_MAC},
        {"name", required_argument, NULL, RUN_OPTION_NAME},
        {"address", required_argument, NULL, RUN_OPTION_ADDRESS},
        {"rate", required_argument, NULL, RUN_OPTION_RATE},
        {"queues", required_argument, NULL, RUN_OPTION_QUEUES},
        {"vhost", optional_argument, NULL, RUN_OPTION_VHOST},
        {"qmp", required_argument, NULL, OPTION_QMP},
        {"id", required_argument, NULL, OPTION_ID},
        {"bus", required_argument, NULL, OPTION_BUS},
        {},
};
static const struct option unplug_long_options[] = {{"qmp", required_argument, NULL, OPTION_QMP},
                                                    {}};

/* Checks the one argument. 0 or EXIT_USAGE. last: the question where it is missing. */
static int parse(int argc, char **argv, const struct option *long_options, const char *last,
                 PlugOptions *ret) {
        int c;

        *ret = (PlugOptions){.request = PORT_REQUEST_INIT};
        while ((c = getopt_long(argc, argv, ":", long_options, NULL)) >= 0) {
                if (c == '?' || c == ':')
                        return say_bad_option(c, argv);
                if (c == OPTION_QMP)
                        ret->socket = optarg;
                else if (c == OPTION_ID)
                        ret->id = optarg;
                else if (c == OPTION_BUS)
                        ret->bus = optarg;
                else if (!run_option_set(&ret->request, c, optarg))
                        return EXIT_USAGE;
        }
        if (!ret->socket) {
                log_error(
                        "%s: --qmp SOCKET is missing; write the path of the socket that QEMU's -qmp "
                        "listens on",
                        argv[0]);
                return EXIT_USAGE;
        }
        if (argc - optind != 1) {
                log_error("%s: %s (see 'rawnetctl help %s')", argv[0],
                          argc > optind ? "too many arguments" : last, argv[0]);
                return EXIT_USAGE;
        }
        return 0;
}

static int check_id(const char *id) {
        if (id_is_valid(id))
                return 0;
        log_error("--id is a letter and then letters, digits, '-', '.' and '_', %u characters at "
                  "most, not '%s'",
                  ID_LENGTH_MAX, id);
        return EXIT_USAGE;
}

/* The card's number i among the port's descriptors, as QEMU is to know it. */
static void fd_name(const char *id, size_t i, char ret[static NAME_SIZE]) {
        snprintf(ret, NAME_SIZE, "%s.fd%zu", id, i);
}

/* A netdev's id must differ from the device's. Otherwise QEMU's commands that take either
 * (set_link, query-rx-filter) find the wrong one. */
static void netdev_name(const char *id, char ret[static NAME_SIZE]) {
        snprintf(ret, NAME_SIZE, "%s.port", id);
}

static json_object *one(const char *key, const char *value) {
        json_object *object = json_object_new_object();

        if (object)
                json_object_object_add(object, key, json_object_new_string(value));
        return object;
}

static size_t n_fds(const Port *port) {
        return port->n_queues + port->n_vhosts;
}

static int give_fds(Qmp *qmp, const Port *port, const char *id, size_t *ret_given,
                    Refusal *ret_refusal) {
        char name[NAME_SIZE];
        int r = 0;

        for (*ret_given = 0; *ret_given < n_fds(port) && r == 0; *ret_given += r == 0) {
                fd_name(id, *ret_given, name);
                r = qmp_execute(qmp, "getfd", one("fdname", name), port->fds[*ret_given],
                                ret_refusal);
        }
        return r;
}

/* "a.fd0:a.fd1"; first..first+n */
static void add_names(json_object *arguments, const char *single, const char *many, const char *id,
                      size_t first, size_t n) {
        char names[RAWNET_FDS_MAX * NAME_SIZE], name[NAME_SIZE];
        size_t used = 0;

        if (n == 0)
                return;
        for (size_t i = first; i < first + n; i++) {
                fd_name(id, i, name);
                used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                         i > first ? ":" : "", name);
        }
        json_object_object_add(arguments, n == 1 ? single : many, json_object_new_string(names));
}

static int add_netdev(Qmp *qmp, const Port *port, const char *id, Refusal *ret_refusal) {
        json_object *arguments = one("type", "tap");
        char name[NAME_SIZE];

        if (!arguments)
                return -ENOMEM;
        netdev_name(id, name);
        json_object_object_add(arguments, "id", json_object_new_string(name));
        add_names(arguments, "fd", "fds", id, 0, port->n_queues);
        if (port->n_vhosts > 0)
                json_object_object_add(arguments, "vhost", json_object_new_boolean(true));
        add_names(arguments, "vhostfd", "vhostfds", id, port->n_queues, port->n_vhosts);
        return qmp_execute(qmp, "netdev_add", arguments, -1, ret_refusal);
}

static int add_device(Qmp *qmp, const Port *port, const char *id, const char *bus,
                      Refusal *ret_refusal) {
        json_object *arguments = one("driver", "virtio-net-pci");
        char name[NAME_SIZE];
        int r;

        if (!arguments)
                return -ENOMEM;
        netdev_name(id, name);
        json_object_object_add(arguments, "id", json_object_new_string(id));
        json_object_object_add(arguments, "netdev", json_object_new_string(name));
        if (bus)
                json_object_object_add(arguments, "bus", json_object_new_string(bus));
        if (*port->mac) /* else it is learnt from the guest */
                json_object_object_add(arguments, "mac", json_object_new_string(port->mac));
        /* The guest takes it for 1500 unless the device says another one. */
        if (port->mtu > 0 && port->mtu != ETH_DATA_LEN)
                json_object_object_add(arguments, "host_mtu", json_object_new_uint64(port->mtu));
        if (port->n_queues > 1) {
                json_object_object_add(arguments, "mq", json_object_new_boolean(true));
                /* One interrupt a virtqueue, for control and for changes (hw/virtio/virtio-pci.c).
                 */
                json_object_object_add(arguments, "vectors",
                                       json_object_new_uint64(2 * port->n_queues + 2));
        }
        r = qmp_execute(qmp, "device_add", arguments, -1, ret_refusal);
        /* QEMU's hw/core/qdev-hotplug.c; "bus" is there already where the user named it. */
        if (r > 0 && strstr(ret_refusal->text, "does not support hotplug"))
                return refuse(
                        ret_refusal, RAWNET_NOT_SUPPORTED,
                        "QEMU's %s takes no new cards while it runs; a q35 machine takes them on a root port: start it "
                        "with -device pcie-root-port,id=slot1,chassis=1 and plug with --bus slot1",
                        bus ? bus : "bus");
        return r;
}

/* QEMU takes a descriptor from its list when netdev_add uses it: what it has taken goes with the
 * netdev, the rest by name. */
static void take_back(Qmp *qmp, const char *id, size_t given) {
        char name[NAME_SIZE];

        for (size_t i = 0; i < given; i++) {
                fd_name(id, i, name);
                (void)qmp_execute(qmp, "closefd", one("fdname", name), -1, &(Refusal){});
        }
}

static int remove_netdev(Qmp *qmp, const char *id, Refusal *ret_refusal) {
        char name[NAME_SIZE];

        netdev_name(id, name);
        return qmp_execute(qmp, "netdev_del", one("id", name), -1, ret_refusal);
}

static int plug(Qmp *qmp, const Port *port, const char *id, const char *bus, Refusal *ret_refusal) {
        size_t given;
        int r;

        r = give_fds(qmp, port, id, &given, ret_refusal);
        if (r == 0)
                r = add_netdev(qmp, port, id, ret_refusal);
        if (r != 0) {
                take_back(qmp, id, given);
                return r;
        }
        r = add_device(qmp, port, id, bus, ret_refusal);
        if (r != 0)
                (void)remove_netdev(qmp, id, &(Refusal){});
        return r;
}

int verb_plug(int argc, char **argv) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(qmp_closep) Qmp *qmp = NULL;
        _cleanup_(port_done) Port port;
        PlugOptions options;
        Refusal refusal = {};
        const char *id;
        int r;

        port_init(&port, NULL, &PORT_REQUEST_INIT);
        r = parse(argc, argv, plug_long_options, "which network?", &options);
        if (r == 0 && options.id)
                r = check_id(options.id);
        if (r != 0)
                return r;
        options.request.network = argv[optind];
        port_init(&port, NULL, &options.request);
        /* A QEMU that cannot be reached is found out before a lease is opened. */
        r = qmp_connect(options.socket, QMP_PATIENCE_MS, &qmp, &refusal);
        if (r == 0)
                r = bus_connect(&bus, &refusal);
        if (r == 0)
                r = bus_open_port(bus, &port, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        id = options.id ? options.id : port.interface;
        r = plug(qmp, &port, id, options.bus, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        printf("%s: tap on %s, MAC %s, MTU %" PRIu32 ", device %s\n", port.interface,
               options.request.network, *port.mac ? port.mac : "(learning)", port.mtu, id);
        return EXIT_SUCCESS;
}

/* Asks the guest to release the card, unless it was asked before. *ret_there: false where there is
 * no such device (any more). */
static int ask_device(Qmp *qmp, const char *id, bool *ret_there, Refusal *ret_refusal) {
        Refusal refusal = {};
        int r = qmp_execute(qmp, "device_del", one("id", id), -1, &refusal);

        *ret_there = !(r > 0 && strcmp(qmp_error_class(qmp), "DeviceNotFound") == 0);
        /* QEMU's qdev-monitor.c, qmp_device_del(): no class of its own. */
        if (r > 0 && (!*ret_there || strstr(refusal.text, "already in the process of unplug")))
                return 0;
        return refusal_forward(r, &refusal, ret_refusal);
}

static int unplug(Qmp *qmp, const char *id, Refusal *ret_refusal) {
        bool there;
        int r;

        qmp_watch_device(qmp, id);
        r = ask_device(qmp, id, &there, ret_refusal);
        if (r == 0 && there)
                r = qmp_wait_deleted(qmp, UNPLUG_SECONDS, ret_refusal);
        return r != 0 ? r : remove_netdev(qmp, id, ret_refusal);
}

int verb_unplug(int argc, char **argv) {
        _cleanup_(qmp_closep) Qmp *qmp = NULL;
        PlugOptions options;
        Refusal refusal = {};
        int r;

        r = parse(argc, argv, unplug_long_options, "which device?", &options);
        if (r == 0)
                r = check_id(argv[optind]);
        if (r != 0)
                return r;
        r = qmp_connect(options.socket, QMP_PATIENCE_MS, &qmp, &refusal);
        if (r == 0)
                r = unplug(qmp, argv[optind], &refusal);
        return r == 0 ? EXIT_SUCCESS : say_failure(r, &refusal);
}
