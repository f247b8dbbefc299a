/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which kind of port each raw netdev gets.
 */

#include "client/qemu/judge.h"

#include <string.h>

#include "client/parse.h"
#include "client/qemu/memory.h"
#include "client/qemu/reason.h"

#define WRITE_DEVICE "write -device virtio-net-pci,netdev=…"

static const char *iommu_key(const QemuCard *card) {
        return qemu_options_true(&card->item->options, "iommu_platform") ? "iommu_platform=on"
                                                                         : NULL;
}

/* -global virtio-net-pci.iommu_platform=on, or driver=…,property=…,value=…. */
static bool sets_iommu(const QemuOptions *global) {
        const char *property = qemu_options_get(global, "property");

        if (property && strcmp(property, "iommu_platform") == 0)
                return qemu_options_true(global, "value");
        for (size_t i = 0; i < global->n_items; i++) {
                const char *key = global->items[i].key, *dot = strrchr(key, '.');

                if (strncmp(key, "virtio-", strlen("virtio-")) == 0 && dot &&
                    strcmp(dot, ".iommu_platform") == 0 && qemu_options_true(global, key))
                        return true;
        }
        return false;
}

/* Do guests reach their memory by an IOMMU or encrypted? The back end supports neither. */
static int judge_platform(const QemuItems *items, QemuReason *ret) {
        static const char *const keys[] = {"confidential-guest-support", "memory-encryption"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (qemu_items_last(items, QEMU_MACHINE, keys[i]))
                        return qemu_reason(ret, QEMU_CANNOT, NULL,
                                           "-machine %s= makes QEMU set iommu_platform=on, which "
                                           "rawnet-vhost does not support",
                                           keys[i]);
        for (size_t i = 0; i < items->n; i++)
                if (items->list[i].group == QEMU_GLOBAL && sets_iommu(&items->list[i].options))
                        return qemu_reason(ret, QEMU_CANNOT, "leave iommu_platform= out",
                                           QEMU_ITEM " is not supported by rawnet-vhost",
                                           QEMU_ITEM_NAME(&items->list[i]));
        return 0;
}

static bool is_pci(const QemuCard *card, const char *architecture) {
        const char *driver = qemu_card_driver(card);

        if (strncmp(driver, "virtio-net-pci", strlen("virtio-net-pci")) == 0)
                return true;
        /* The alias (softmmu/qdev-monitor.c, qdev_alias_table). */
        return strcmp(driver, "virtio-net") == 0 &&
               !(architecture &&
                 (strcmp(architecture, "s390x") == 0 || strcmp(architecture, "m68k") == 0));
}

bool qemu_card_is_pci(const QemuCard *card, const QemuItems *items, const QemuHost *host) {
        return qemu_card_is_virtio(card) && is_pci(card, qemu_architecture(items, host));
}

static int judge_card(const QemuLine *line, const QemuCard *card, const QemuHost *host,
                      QemuReason *ret) {
        const QemuItem *item = card->item;
        const char *vectors = qemu_options_get(&item->options, "vectors"), *key = iommu_key(card);

        if (!qemu_card_driver(card))
                return qemu_reason(ret, QEMU_CANNOT, "add model=virtio-net-pci",
                                   QEMU_ITEM " has no model=, so that the machine chooses the card",
                                   QEMU_ITEM_NAME(item));
        if (!qemu_card_is_virtio(card))
                return qemu_reason(ret, QEMU_CANNOT, WRITE_DEVICE,
                                   QEMU_ITEM " is not a virtio-net card", QEMU_ITEM_NAME(item));
        if (item->group == QEMU_NET)
                return qemu_reason(ret, QEMU_CANNOT, WRITE_DEVICE,
                                   QEMU_ITEM " takes no options of a virtio-net card",
                                   QEMU_ITEM_NAME(item));
        if (key)
                return qemu_reason(ret, QEMU_CANNOT, "leave it out",
                                   QEMU_ITEM ": rawnet-vhost does not support %s",
                                   QEMU_ITEM_NAME(item), key);
        if (vectors && strcmp(vectors, "0") != 0 && qemu_card_is_pci(card, &line->items, host) &&
            !qemu_msix_works(&line->items, host))
                return qemu_reason(ret, QEMU_CANNOT, "leave vectors= out, or write -accel kvm",
                                   QEMU_ITEM
                                   ": without KVM, vectors= other than 0 crash QEMU before 8.0",
                                   QEMU_ITEM_NAME(item));
        return 0;
}

static int judge_cards(const QemuLine *line, size_t port, const QemuHost *host, QemuReason *ret) {
        bool any = false;
        int r;

        for (size_t i = 0; i < line->n_cards; i++) {
                if (line->cards[i].port != port)
                        continue;
                any = true;
                r = judge_card(line, &line->cards[i], host, ret);
                if (r != 0)
                        return r;
        }
        return any ? 0
                   : qemu_reason(ret, QEMU_UNKNOWN, NULL,
                                 "no card on the command line has netdev=%s",
                                 line->ports[port].name);
}

/* Other users of a netdev: hubs and filters, which QEMU serves between taps and cards only. */
static const QemuItem *find_user(const QemuItems *items, const char *id) {
        for (size_t i = 0; i < items->n; i++) {
                const QemuItem *item = &items->list[i];
                const char *netdev = qemu_options_get(&item->options, "netdev"),
                           *type = qemu_options_get(&item->options, "type");

                if (!netdev || strcmp(netdev, id) != 0)
                        continue;
                if (item->group == QEMU_OBJECT ||
                    ((item->group == QEMU_NETDEV || item->group == QEMU_NET) && type &&
                     strcmp(type, "hubport") == 0))
                        return item;
        }
        return NULL;
}

static int judge_users(const QemuItems *items, const char *id, QemuReason *ret) {
        const QemuItem *user = find_user(items, id);

        return user ? qemu_reason(ret, QEMU_CANNOT, "leave it out", QEMU_ITEM " needs a tap",
                                  QEMU_ITEM_NAME(user))
                    : 0;
}

static int judge_architecture(const QemuLine *line, const QemuHost *host, QemuReason *ret) {
        const char *architecture = qemu_architecture(&line->items, host);

        if (!architecture)
                return qemu_reason(ret, QEMU_UNKNOWN, NULL,
                                   "rawnetctl cannot know which QEMU %s is, nor what it adds to "
                                   "the command line",
                                   line->items.argv[line->items.program]);
        if (!qemu_little_endian(architecture))
                return qemu_reason(ret, QEMU_UNKNOWN, NULL,
                                   "a guest on %s may be big-endian, and an old driver of such a "
                                   "guest "
                                   "gets nothing from rawnet-vhost",
                                   architecture);
        if (line->items.unread)
                return qemu_reason(ret, QEMU_UNKNOWN, NULL, "rawnetctl cannot read -readconfig %s",
                                   line->items.unread);
        return 0;
}

/* Can the port be a packet port? Certain answers are checked first. */
static int judge_port(const QemuLine *line, size_t port, const QemuHost *host, QemuReason *ret) {
        QemuReason unknown;
        int r, doubt = judge_cards(line, port, host, ret);

        if (doubt == QEMU_CANNOT)
                return doubt;
        unknown = *ret;
        r = judge_users(&line->items, line->ports[port].name, ret);
        if (r == 0)
                r = judge_platform(&line->items, ret);
        if (r != 0)
                return r;
        r = qemu_memory_judge(&line->items, host, ret);
        if (r == QEMU_CANNOT)
                return r;
        if (doubt == 0 && r != 0) {
                unknown = *ret;
                doubt = r;
        }
        r = judge_architecture(line, host, ret);
        if (r != 0)
                return r;
        *ret = unknown;
        return doubt;
}

/* Whether a tap is faster with the kernel's vhost-net, and QEMU takes it. */
static bool wants_vhost(const QemuLine *line, size_t port, const QemuHost *host) {
        const Port *candidate = &line->ports[port];
        QemuReason ignored;
        bool any = false;

        if (candidate->request.vhost >= 0 || candidate->request.queues * 2 > RAWNET_FDS_MAX ||
            !host->vhost_net || !qemu_msix_works(&line->items, host) ||
            find_user(&line->items, candidate->name) || judge_platform(&line->items, &ignored) != 0)
                return false;
        for (size_t i = 0; i < line->n_cards; i++) {
                if (line->cards[i].port != port)
                        continue;
                any = true;
                if (!qemu_card_is_virtio(&line->cards[i]) || iommu_key(&line->cards[i]))
                        return false;
        }
        return any;
}

int qemu_take_tap(QemuLine *line, size_t port, const QemuHost *host, const char *reason) {
        PortRequest *request = &line->ports[port].request;
        char *copy = strdup(reason);

        if (!copy)
                return -ENOMEM;
        free(line->netdevs[port].reason);
        line->netdevs[port].reason = copy;
        request->kind = KIND_TAP;
        request->vnet_hdr = -1;
        if (wants_vhost(line, port, host))
                request->vhost = 1;
        return 0;
}

static int judge_any(QemuLine *line, size_t port, const QemuHost *host) {
        QemuReason reason = {};
        int r;

        if (line->ports[port].request.vhost >= 0)
                r = qemu_reason(&reason, QEMU_CANNOT, NULL, "vhost= is for taps");
        else
                r = judge_port(line, port, host, &reason);
        return r == 0 ? 0 : qemu_take_tap(line, port, host, reason.text);
}

static int refuse_packet(const QemuNetdev *netdev, const QemuReason *reason, Refusal *ret_refusal) {
        const char *remedy = reason->remedy ? reason->remedy : "";
        const char *other = netdev->given >= 0 ? ""
                            : reason->remedy   ? ", or kind=auto"
                                               : "write kind=auto";

        return refuse(ret_refusal, RAWNET_NOT_SUPPORTED,
                      QEMU_ITEM ": a packet port does not work here: %s%s%s%s",
                      QEMU_ITEM_NAME(netdev->item), reason->text, *remedy || *other ? "; " : "",
                      remedy, other);
}

int qemu_judge(QemuLine *line, const QemuHost *host, Refusal *ret_refusal) {
        for (size_t i = 0; i < line->n_ports; i++) {
                const QemuNetdev *netdev = &line->netdevs[i];
                QemuReason reason = {};
                int r = 0;

                if (netdev->any_kind)
                        r = judge_any(line, i, host);
                else if (line->ports[i].request.kind == KIND_PACKET &&
                         judge_port(line, i, host, &reason) == QEMU_CANNOT)
                        r = refuse_packet(netdev, &reason, ret_refusal);
                if (r != 0)
                        return r;
        }
        return 0;
}
