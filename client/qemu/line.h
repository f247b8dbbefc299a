/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A QEMU command line with raw netdevs in it: which ports it asks for, and which cards are on them.
 * Knows nothing of the bus; opens nothing but the files of -readconfig.
 */

#include "client/port.h"
#include "client/qemu/items.h"

#define QEMU_PORTS_MAX 256u

/* A -netdev raw, or a -nic raw, which is a card as well. */
typedef struct QemuNetdev {
        const QemuItem *item;
        bool any_kind; /* kind=auto: qemu_judge() sets the request's */
        int given;     /* fd=: the caller's packet socket, -1 for a lease */
        char *mac;     /* what request.mac points to, if that is not the item's own text */
        char *reason;  /* why kind=auto is a tap; NULL: it is not */
} QemuNetdev;

/* A -device, -net nic or -nic on one of them. */
typedef struct QemuCard {
        const QemuItem *item;
        size_t port; /* in QemuLine.ports */
} QemuCard;

typedef struct QemuLine {
        QemuItems items;
        Port ports[QEMU_PORTS_MAX]; /* name: the netdev's id; request filled in */
        QemuNetdev netdevs[QEMU_PORTS_MAX];
        size_t n_ports; /* of ports and of netdevs */
        QemuCard *cards;
        size_t n_cards, n_cards_allocated;
} QemuLine;

/* argv: QEMU and its arguments, NULL-terminated, outliving *ret. Returns 0, RAWNET_INVALID_ARGS
 * with the reason, or -errno. */
int qemu_line_parse(char **argv, QemuLine *ret, Refusal *ret_refusal);
void qemu_line_done(QemuLine *line);

/* The QEMU device that a card is; NULL: the machine's own choice. */
const char *qemu_card_driver(const QemuCard *card);
/* Whether it is a virtio-net device, on any bus. */
bool qemu_card_is_virtio(const QemuCard *card);
/* The option of a card that has its MAC address. */
const char *qemu_card_mac_key(const QemuCard *card);

/* 0, or RAWNET_INVALID_ARGS: a card's host_mtu= is larger than its port's MTU. The ports are open.
 */
int qemu_line_check_mtu(const QemuLine *line, Refusal *ret_refusal);

/* How many descriptors QEMU gets at most for the ports together. */
size_t qemu_line_descriptors(const QemuLine *line);
