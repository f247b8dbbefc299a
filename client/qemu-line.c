/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line with `-netdev raw,…` in it: what it asks for.
 */

#include "client/qemu-line.h"

#include <string.h>
#include <strings.h>

#include "client/parse.h"
#include "common/text.h"

bool qemu_is_option(const char *argument, const char *name) {
        if (*argument != '-')
                return false;
        argument += argument[1] == '-' ? 2 : 1;
        return strcmp(argument, name) == 0;
}

bool qemu_line_has(const QemuLine *line, const char *name) {
        for (size_t i = 1; i < line->argc; i++)
                if (qemu_is_option(line->argv[i], name))
                        return true;
        return false;
}

static int refuse_netdev(Refusal *ret_refusal, const char *value, const char *reason) {
        return refuse(ret_refusal, RAWNET_INVALID_ARGS, "-netdev %s: %s", value, reason);
}

static int check_keys(const QemuOptions *options, const char *value, Refusal *ret_refusal) {
        static const char *const known[] = {"type", "id",     "network", "kind", "mac",
                                            "name", "queues", "vhost",   "fd"};

        for (size_t i = 0; i < options->n_items; i++) {
                bool found = false;

                for (size_t k = 0; k < ARRAY_SIZE(known) && !found; k++)
                        found = strcmp(options->items[i].key, known[k]) == 0;
                if (!found)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "-netdev %s: raw does not know '%s' (it knows id, network, "
                                      "kind, mac, name, queues, vhost, fd)",
                                      value, options->items[i].key);
        }
        return 0;
}

/* packet unless it says tap. */
static int read_kind(const QemuOptions *options, const char *value, LeaseKind *ret,
                     Refusal *ret_refusal) {
        const char *kind = qemu_options_get(options, "kind");

        *ret = KIND_PACKET;
        if (kind && lease_kind_from_string(kind, ret) < 0)
                return refuse_netdev(ret_refusal, value, "kind is tap or packet");
        if (*ret == KIND_TAP && qemu_options_get(options, "fd"))
                return refuse_netdev(ret_refusal, value,
                                     "fd= and kind=tap do not go together: write -netdev tap,fd=");
        return 0;
}

/* fd=: a packet socket that is open already, so there is nothing to ask rawnet for. */
static int read_given(const QemuOptions *options, const char *value, int *ret,
                      Refusal *ret_refusal) {
        static const char *const others[] = {"network", "mac", "name", "queues"};
        const char *fd = qemu_options_get(options, "fd");
        uint32_t number;

        *ret = -1;
        if (!fd)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                if (qemu_options_get(options, others[i]))
                        return refuse_netdev(ret_refusal, value,
                                             "fd= is a port that is open already: network, mac, "
                                             "name and queues do not go with it");
        if (text_parse_u32(fd, 0, INT32_MAX, &number) < 0)
                return refuse_netdev(ret_refusal, value, "fd is a descriptor's number");
        *ret = (int)number;
        return 0;
}

static int read_request(const QemuOptions *options, const char *value, PortRequest *ret,
                        int *ret_given, Refusal *ret_refusal) {
        const char *queues = qemu_options_get(options, "queues"),
                   *vhost = qemu_options_get(options, "vhost");
        PortRequest request = PORT_REQUEST_INIT;
        bool flag;
        int r;

        r = check_keys(options, value, ret_refusal);
        if (r == 0)
                r = read_kind(options, value, &request.kind, ret_refusal);
        if (r == 0)
                r = read_given(options, value, ret_given, ret_refusal);
        if (r != 0)
                return r;
        if (request.kind == KIND_PACKET)
                request.vnet_hdr = 1;
        request.network = qemu_options_get(options, "network");
        request.mac = qemu_options_get(options, "mac");
        request.name = qemu_options_get(options, "name");
        if (*ret_given < 0 && (!request.network || !*request.network))
                return refuse_netdev(ret_refusal, value, "network= is missing");
        if (queues && text_parse_u32(queues, 1, RAWNET_QUEUES_MAX, &request.queues) < 0)
                return refuse_netdev(ret_refusal, value, "queues is a number from 1 to 16");
        if (vhost) {
                if (parse_bool(vhost, &flag) < 0)
                        return refuse_netdev(ret_refusal, value, "vhost is on or off");
                if (request.kind == KIND_PACKET)
                        return refuse_netdev(ret_refusal, value, "vhost is for kind=tap");
                request.vhost = flag;
        }
        if (request.queues * (request.vhost > 0 ? 2 : 1) > RAWNET_FDS_MAX)
                return refuse_netdev(ret_refusal, value, "with vhost=on queues is at most 8");
        *ret = request;
        return 0;
}

static int add_netdev(QemuLine *line, size_t argument, QemuOptions *options, Refusal *ret_refusal) {
        const char *value = line->argv[argument], *id = qemu_options_get(options, "id");
        PortRequest request;
        char *name;
        int r, given;

        r = read_request(options, value, &request, &given, ret_refusal);
        if (r != 0)
                return r;
        /* As QEMU has it (util/id.c id_wellformed()), so that it needs no quoting in what we write.
         */
        if (!id || !*id || strchr("0123456789-._", *id) ||
            strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") !=
                            strlen(id))
                return refuse_netdev(
                                ret_refusal, value,
                                "id= is missing, or not a letter and then letters, digits, - . _");
        for (size_t i = 0; i < line->n_ports; i++)
                if (strcmp(line->ports[i].name, id) == 0)
                        return refuse_netdev(ret_refusal, value,
                                             "there is another -netdev with this id");
        if (line->n_ports >= QEMU_PORTS_MAX)
                return refuse_netdev(ret_refusal, value, "too many of them");
        name = strdup(id);
        if (!name)
                return -ENOMEM;
        port_init(&line->ports[line->n_ports], name, &request);
        line->netdevs[line->n_ports] = (QemuPart){
                        .options = *options, .argument = argument, .port = line->n_ports};
        line->given[line->n_ports] = given;
        line->n_ports++;
        *options = (QemuOptions){};
        return 0;
}

static int find_netdevs(QemuLine *line, Refusal *ret_refusal) {
        for (size_t i = 1; i + 1 < line->argc; i++) {
                _cleanup_(qemu_options_done) QemuOptions options = {};
                const char *type;
                int r;

                if (qemu_is_option(line->argv[i], "nic") && strncmp(line->argv[i + 1], "raw", 3) == 0)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "-nic %s: write -netdev raw,id=n0,network=… and -device "
                                      "virtio-net-pci,netdev=n0",
                                      line->argv[i + 1]);
                if (!qemu_is_option(line->argv[i], "netdev"))
                        continue;
                r = qemu_options_parse(line->argv[++i], "type", &options);
                if (r == -ENOMEM)
                        return r;
                /* What is not JSON is QEMU's to complain about. */
                type = r < 0 ? NULL : qemu_options_get(&options, "type");
                if (!type || strcmp(type, "raw") != 0)
                        continue;
                r = add_netdev(line, i, &options, ret_refusal);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int add_device(QemuLine *line, size_t argument, size_t port, QemuOptions *options) {
        QemuPart *bigger = reallocarray(line->devices, line->n_devices + 1, sizeof(*bigger));

        if (!bigger)
                return -ENOMEM;
        line->devices = bigger;
        line->devices[line->n_devices++] =
                        (QemuPart){.options = *options, .argument = argument, .port = port};
        *options = (QemuOptions){};
        return 0;
}

static int find_devices(QemuLine *line) {
        for (size_t i = 1; i + 1 < line->argc; i++) {
                _cleanup_(qemu_options_done) QemuOptions options = {};
                const char *netdev;
                int r;

                if (!qemu_is_option(line->argv[i], "device"))
                        continue;
                r = qemu_options_parse(line->argv[++i], "driver", &options);
                if (r == -ENOMEM)
                        return r;
                netdev = r < 0 ? NULL : qemu_options_get(&options, "netdev");
                for (size_t port = 0; netdev && port < line->n_ports; port++)
                        if (strcmp(line->ports[port].name, netdev) == 0) {
                                r = add_device(line, i, port, &options);
                                if (r < 0)
                                        return r;
                                break;
                        }
        }
        return 0;
}

/* The guest's MAC must be the lease's, or nothing comes in: the device's word and the netdev's
 * become one. */
static int settle_mac(QemuLine *line, const QemuPart *device, Refusal *ret_refusal) {
        PortRequest *request = &line->ports[device->port].request;
        const char *mac = qemu_options_get(&device->options, "mac");

        if (!mac)
                return 0;
        if (!request->mac || !*request->mac)
                request->mac = mac;
        else if (strcmp(request->mac, "learn") != 0 && strcasecmp(request->mac, mac) != 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "-device %s: its mac is not that of -netdev %s: give one of them, or "
                              "the same to both",
                              line->argv[device->argument],
                              line->argv[line->netdevs[device->port].argument]);
        return 0;
}

int qemu_line_parse(char **argv, QemuLine *ret, Refusal *ret_refusal) {
        int r;

        *ret = (QemuLine){.argv = argv};
        while (argv[ret->argc])
                ret->argc++;
        r = find_netdevs(ret, ret_refusal);
        if (r == 0)
                r = find_devices(ret);
        for (size_t i = 0; i < ret->n_devices && r == 0; i++)
                r = settle_mac(ret, &ret->devices[i], ret_refusal);
        if (r != 0)
                qemu_line_done(ret);
        return r;
}

void qemu_line_done(QemuLine *line) {
        for (size_t i = 0; i < line->n_ports; i++) {
                port_done(&line->ports[i]);
                qemu_options_done(&line->netdevs[i].options);
        }
        for (size_t i = 0; i < line->n_devices; i++)
                qemu_options_done(&line->devices[i].options);
        free(line->devices);
        *line = (QemuLine){};
}

size_t qemu_line_descriptors(const QemuLine *line) {
        size_t n = 0;

        for (size_t i = 0; i < line->n_ports; i++) {
                const PortRequest *request = &line->ports[i].request;

                /* A packet port's are its back end's. */
                n += request->kind == KIND_PACKET ? 0
                                                  : (request->queues ? request->queues : 1) *
                                                              (request->vhost > 0 ? 2 : 1);
        }
        return n;
}
