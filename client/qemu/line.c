/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line with raw netdevs in it: what it asks for.
 */

#include "client/qemu/line.h"

#include <string.h>

#include "client/parse.h"
#include "client/qemu/mac.h"
#include "common/text.h"

static int refuse_netdev(Refusal *ret_refusal, const QemuItem *item, const char *reason) {
        return refuse(ret_refusal, RAWNET_INVALID_ARGS, QEMU_ITEM ": %s", QEMU_ITEM_NAME(item),
                      reason);
}

static int check_keys(const QemuItem *item, Refusal *ret_refusal) {
        static const char *const known[] = {"type",    "id",   "network", "kind",  "mac", "name",
                                            "address", "rate", "queues",  "vhost", "fd",  "model"};
        /* -nic is a netdev and a card. */
        size_t n = ARRAY_SIZE(known) - (item->group == QEMU_NIC ? 0 : 1);

        for (size_t i = 0; i < item->options.n_items; i++) {
                bool found = false;

                for (size_t k = 0; k < n && !found; k++)
                        found = strcmp(item->options.items[i].key, known[k]) == 0;
                if (!found)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      QEMU_ITEM
                                      ": raw does not know '%s' (it knows id, network, "
                                      "kind, mac, name, address, rate, queues, vhost, fd%s)",
                                      QEMU_ITEM_NAME(item), item->options.items[i].key,
                                      item->group == QEMU_NIC ? ", model" : "");
        }
        return 0;
}

/* auto unless the option says something else; fd= is a packet socket. */
static int read_kind(const QemuItem *item, LeaseKind *ret, bool *ret_any, Refusal *ret_refusal) {
        const char *kind = qemu_options_get(&item->options, "kind");
        bool given = qemu_options_get(&item->options, "fd");

        *ret = KIND_PACKET;
        *ret_any = !given && (!kind || strcmp(kind, "auto") == 0);
        if (kind && strcmp(kind, "auto") != 0 &&
            (lease_kind_from_string(kind, ret) < 0 || (*ret != KIND_PACKET && *ret != KIND_TAP)))
                return refuse_netdev(ret_refusal, item, "kind is auto, packet or tap");
        if (*ret == KIND_TAP && given)
                return refuse_netdev(ret_refusal, item,
                                     "fd= and kind=tap do not go together: write -netdev tap,fd=");
        return 0;
}

/* fd=: a packet socket that is open already, so there is nothing to ask rawnet for. */
static int read_given(const QemuItem *item, int *ret, Refusal *ret_refusal) {
        static const char *const others[] = {"network", "name", "address", "rate", "queues", "mac"};
        /* The mac of -nic is the card's. */
        size_t n = ARRAY_SIZE(others) - (item->group == QEMU_NIC ? 1 : 0);
        const char *fd = qemu_options_get(&item->options, "fd");
        uint32_t number;

        *ret = -1;
        if (!fd)
                return 0;
        for (size_t i = 0; i < n; i++)
                if (qemu_options_get(&item->options, others[i]))
                        return refuse_netdev(ret_refusal, item,
                                             "fd= is a port that is open already: network, mac, "
                                             "name, address, rate and queues do not go with it");
        if (text_parse_u32(fd, 0, INT32_MAX, &number) < 0)
                return refuse_netdev(ret_refusal, item, "fd is a descriptor's number");
        *ret = (int)number;
        return 0;
}

static int read_numbers(const QemuItem *item, bool any_kind, PortRequest *request,
                        Refusal *ret_refusal) {
        const char *queues = qemu_options_get(&item->options, "queues"),
                   *vhost = qemu_options_get(&item->options, "vhost");
        bool flag;

        if (queues && text_parse_u32(queues, 1, RAWNET_QUEUES_MAX, &request->queues) < 0)
                return refuse_netdev(ret_refusal, item, "queues is a number from 1 to 16");
        if (vhost) {
                if (parse_bool(vhost, &flag) < 0)
                        return refuse_netdev(ret_refusal, item, "vhost is on or off");
                if (request->kind == KIND_PACKET && !any_kind)
                        return refuse_netdev(ret_refusal, item, "vhost is for kind=tap");
                request->vhost = flag;
        }
        if (request->queues * (request->vhost > 0 ? 2 : 1) > RAWNET_FDS_MAX)
                return refuse_netdev(ret_refusal, item, "with vhost=on queues is at most 8");
        return 0;
}

/* address= may be repeated. */
static int read_addresses(const QemuItem *item, PortRequest *request, Refusal *ret_refusal) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < item->options.n_items; i++)
                if (strcmp(item->options.items[i].key, "address") == 0)
                        r = port_request_add_address(request, item->options.items[i].value,
                                                     item->option, item->text, ret_refusal);
        return r;
}

static int read_request(const QemuItem *item, PortRequest *ret, QemuNetdev *netdev,
                        Refusal *ret_refusal) {
        const char *rate = qemu_options_get(&item->options, "rate");
        PortRequest request = PORT_REQUEST_INIT;
        int r;

        r = check_keys(item, ret_refusal);
        if (r == 0)
                r = read_kind(item, &request.kind, &netdev->any_kind, ret_refusal);
        if (r == 0)
                r = read_given(item, &netdev->given, ret_refusal);
        if (r != 0)
                return r;
        if (request.kind == KIND_PACKET)
                request.vnet_hdr = 1;
        request.network = qemu_options_get(&item->options, "network");
        request.name = qemu_options_get(&item->options, "name");
        if (netdev->given < 0 && (!request.network || !*request.network))
                return refuse_netdev(ret_refusal, item, "network= is missing");
        r = read_numbers(item, netdev->any_kind, &request, ret_refusal);
        if (r == 0)
                r = read_addresses(item, &request, ret_refusal);
        if (r == 0 && rate)
                r = port_request_set_rate(&request, rate, item->option, item->text, ret_refusal);
        if (r == 0)
                *ret = request;
        return r;
}

/* As QEMU has it (util/id.c, id_wellformed()), so that it needs no quoting in what we write. -nic
 * needs none. */
static int read_id(const QemuLine *line, const QemuItem *item, char **ret, Refusal *ret_refusal) {
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
        const char *id = qemu_options_get(&item->options, "id");

        if (!id && item->group == QEMU_NIC)
                return asprintf(ret, "rawnet-nic%zu", line->n_ports) < 0 ? -ENOMEM : 0;
        if (!id || !*id || strchr("0123456789-._", *id) || strspn(id, allowed) != strlen(id))
                return refuse_netdev(
                        ret_refusal, item,
                        "id= is missing, or not a letter and then letters, digits, - . _");
        for (size_t i = 0; i < line->n_ports; i++)
                if (strcmp(line->ports[i].name, id) == 0)
                        return refuse_netdev(ret_refusal, item,
                                             "there is another -netdev with this id");
        *ret = strdup(id);
        return *ret ? 0 : -ENOMEM;
}

static int add_netdev(QemuLine *line, const QemuItem *item, Refusal *ret_refusal) {
        QemuNetdev netdev = {.item = item, .given = -1};
        PortRequest request;
        char *name;
        int r;

        if (line->n_ports >= QEMU_PORTS_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              QEMU_ITEM ": one command line can have %u raw netdevs",
                              QEMU_ITEM_NAME(item), QEMU_PORTS_MAX);
        r = read_request(item, &request, &netdev, ret_refusal);
        if (r == 0)
                r = read_id(line, item, &name, ret_refusal);
        if (r != 0)
                return r;
        port_init(&line->ports[line->n_ports], name, &request);
        line->netdevs[line->n_ports++] = netdev;
        return 0;
}

static bool is_raw(const QemuItem *item) {
        const char *type = qemu_options_get(&item->options, "type");

        return type && strcmp(type, "raw") == 0;
}

static int find_netdevs(QemuLine *line, Refusal *ret_refusal) {
        for (size_t i = 0; i < line->items.n; i++) {
                const QemuItem *item = &line->items.list[i];
                int r;

                if ((item->group != QEMU_NETDEV && item->group != QEMU_NIC &&
                     item->group != QEMU_NET) ||
                    !is_raw(item))
                        continue;
                if (item->argument == 0)
                        return refuse_netdev(ret_refusal, item,
                                             "raw is known on the command line only: take the "
                                             "section out of "
                                             "the file and write -netdev raw,id=…,network=…");
                if (item->group == QEMU_NET)
                        return refuse_netdev(ret_refusal, item,
                                             "-net does not know raw: write -nic "
                                             "raw,network=…,model=… in "
                                             "place of both -net options");
                r = add_netdev(line, item, ret_refusal);
                if (r != 0)
                        return r;
        }
        return 0;
}

static bool find_port(const QemuLine *line, const char *netdev, size_t *ret) {
        for (size_t i = 0; netdev && i < line->n_ports; i++)
                if (strcmp(line->ports[i].name, netdev) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

static bool is_card(const QemuLine *line, const QemuItem *item, size_t *ret_port) {
        const char *type = qemu_options_get(&item->options, "type");

        switch (item->group) {
        case QEMU_NIC:
                for (size_t i = 0; i < line->n_ports; i++)
                        if (line->netdevs[i].item == item) {
                                *ret_port = i;
                                return true;
                        }
                return false;
        case QEMU_NET:
                if (!type || strcmp(type, "nic") != 0)
                        return false;
                break;
        case QEMU_DEVICE:
                break;
        default:
                return false;
        }
        return find_port(line, qemu_options_get(&item->options, "netdev"), ret_port);
}

static int add_card(QemuLine *line, const QemuItem *item, size_t port, Refusal *ret_refusal) {
        if (item->argument == 0 && !qemu_options_get(&item->options, "id"))
                return refuse_netdev(
                        ret_refusal, item,
                        "a card on a raw netdev needs an id there, so that rawnetctl can "
                        "complete it: write [device \"NAME\"]");
        if (GROW_ARRAY(line->cards, line->n_cards, line->n_cards_allocated) < 0)
                return -ENOMEM;
        line->cards[line->n_cards++] = (QemuCard){.item = item, .port = port};
        return 0;
}

static int find_cards(QemuLine *line, Refusal *ret_refusal) {
        for (size_t i = 0; i < line->items.n; i++) {
                const QemuItem *item = &line->items.list[i];
                size_t port;
                int r;

                if (item->group == QEMU_SET &&
                    strcmp(qemu_options_get(&item->options, "group"), "netdev") == 0 &&
                    find_port(line, qemu_options_get(&item->options, "id"), &port))
                        return refuse_netdev(ret_refusal, item,
                                             "write it into the -netdev option itself");
                if (!is_card(line, item, &port))
                        continue;
                r = add_card(line, item, port, ret_refusal);
                if (r != 0)
                        return r;
        }
        return 0;
}

const char *qemu_card_driver(const QemuCard *card) {
        const QemuOptions *options = &card->item->options;
        const char *model;

        if (card->item->group == QEMU_DEVICE)
                return qemu_options_get(options, "driver");
        model = qemu_options_get(options, "model");
        /* hw/pci/pci.c, pci_nic_init_nofail(); on s390x hw/s390x/s390-virtio-ccw.c. */
        return model && strcmp(model, "virtio") == 0 ? "virtio-net" : model;
}

bool qemu_card_is_virtio(const QemuCard *card) {
        const char *driver = qemu_card_driver(card);

        return driver && strncmp(driver, "virtio-net", strlen("virtio-net")) == 0;
}

const char *qemu_card_mac_key(const QemuCard *card) {
        return card->item->group == QEMU_NET ? "macaddr" : "mac";
}

/* The guest's MAC must be the lease's, or nothing comes in: the card's and the netdev's become one.
 */
static int settle_mac(QemuLine *line, size_t port, const QemuItem *item, const char *text,
                      Refusal *ret_refusal) {
        QemuNetdev *netdev = &line->netdevs[port];
        PortRequest *request = &line->ports[port].request;
        _cleanup_free_ char *mac = NULL;

        if (!text)
                return 0;
        mac = qemu_mac_normalize(text);
        if (!mac)
                return -ENOMEM;
        if (!request->mac || !*request->mac) {
                free(netdev->mac);
                request->mac = netdev->mac = TAKE_PTR(mac);
                return 0;
        }
        if (strcmp(request->mac, "learn") == 0 || strcmp(request->mac, mac) == 0)
                return 0;
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      QEMU_ITEM ": its mac is %s, and that of " QEMU_ITEM
                                " is %s: give one of them, or "
                                "the same to both",
                      QEMU_ITEM_NAME(item), mac, QEMU_ITEM_NAME(netdev->item), request->mac);
}

static int settle_macs(QemuLine *line, Refusal *ret_refusal) {
        int r = 0;

        for (size_t i = 0; i < line->n_ports && r == 0; i++)
                if (line->netdevs[i].given < 0)
                        r = settle_mac(line, i, line->netdevs[i].item,
                                       qemu_options_get(&line->netdevs[i].item->options, "mac"),
                                       ret_refusal);
        for (size_t i = 0; i < line->n_cards && r == 0; i++) {
                const QemuCard *card = &line->cards[i];

                if (card->item->group != QEMU_NIC)
                        r = settle_mac(
                                line, card->port, card->item,
                                qemu_options_get(&card->item->options, qemu_card_mac_key(card)),
                                ret_refusal);
        }
        return r;
}

int qemu_line_parse(char **argv, QemuLine *ret, Refusal *ret_refusal) {
        int r;

        *ret = (QemuLine){};
        r = qemu_items_parse(argv, &ret->items);
        if (r == 0)
                r = find_netdevs(ret, ret_refusal);
        if (r == 0)
                r = find_cards(ret, ret_refusal);
        if (r == 0)
                r = settle_macs(ret, ret_refusal);
        if (r != 0)
                qemu_line_done(ret);
        return r;
}

void qemu_line_done(QemuLine *line) {
        for (size_t i = 0; i < line->n_ports; i++) {
                port_done(&line->ports[i]);
                free(line->netdevs[i].mac);
                free(line->netdevs[i].reason);
        }
        free(line->cards);
        qemu_items_done(&line->items);
        line->cards = NULL;
        line->n_cards = line->n_ports = 0;
}

int qemu_line_check_mtu(const QemuLine *line, Refusal *ret_refusal) {
        for (size_t i = 0; i < line->n_cards; i++) {
                const QemuItem *item = line->cards[i].item;
                const Port *port = &line->ports[line->cards[i].port];
                const char *text = qemu_options_get(&item->options, "host_mtu");
                uint32_t mtu;

                if (!text || port->mtu == 0 || text_parse_u32(text, 0, UINT32_MAX, &mtu) < 0 ||
                    mtu <= port->mtu)
                        continue;
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              QEMU_ITEM
                              ": host_mtu=%u is larger than the MTU of network %s, %u: longer "
                              "frames would be lost; leave host_mtu= out",
                              QEMU_ITEM_NAME(item), mtu, port->request.network, port->mtu);
        }
        return 0;
}

size_t qemu_line_descriptors(const QemuLine *line) {
        size_t n = 0;

        for (size_t i = 0; i < line->n_ports; i++) {
                const PortRequest *request = &line->ports[i].request;
                unsigned queues = request->queues ? request->queues : 1;

                /* A packet port's are its back end's. With kind=auto it may become a tap. */
                if (line->netdevs[i].any_kind)
                        n += (size_t)queues * 2;
                else if (request->kind != KIND_PACKET)
                        n += (size_t)queues * (request->vhost > 0 ? 2 : 1);
        }
        return n;
}
