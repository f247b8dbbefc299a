/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which kind of port each raw netdev gets: packet where QEMU can serve it by vhost-user, else tap.
 */

#include "client/qemu/line.h"
#include "client/qemu/machine.h"

/* Sets request.kind of each port with kind=auto, and why it is a tap. An explicit kind=packet that
 * cannot work is refused. Returns 0, RAWNET_NOT_SUPPORTED with the reason, or -ENOMEM. */
int qemu_judge(QemuLine *line, const QemuHost *host, Refusal *ret_refusal);

/* Makes a port with kind=auto a tap, for this reason. 0 or -ENOMEM. */
int qemu_take_tap(QemuLine *line, size_t port, const QemuHost *host, const char *reason);

/* Whether a card is a virtio-net device on PCI. */
bool qemu_card_is_pci(const QemuCard *card, const QemuItems *items, const QemuHost *host);
