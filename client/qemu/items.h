/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A QEMU command line as a list of the options that rawnetctl has to understand, whether they stand
 * on the line or in a file of -readconfig. Judges nothing, changes nothing.
 */

#include "client/qemu/options.h"

typedef enum QemuGroup {
        QEMU_NETDEV,
        QEMU_NIC,
        QEMU_NET,
        QEMU_DEVICE,
        QEMU_OBJECT,
        QEMU_MACHINE, /* -machine, -M and -enable-kvm */
        QEMU_MEMORY,  /* -m */
        QEMU_MEM_PATH,
        QEMU_NUMA,
        QEMU_ACCEL,
        QEMU_GLOBAL,
        QEMU_SET, /* its options: group, id, key, value */
        QEMU_READCONFIG,
        QEMU_DAEMONIZE,
} QemuGroup;

typedef struct QemuItem {
        QemuGroup group;
        QemuOptions options; /* with what -set adds to them */
        const char *option;  /* for messages: "-device", or "[device] of" */
        const char *text;    /* for messages: the value as written, or the file's name */
        size_t argument;     /* the value's place in argv; 0: from a file */
} QemuItem;

/* For printf: both parts of an item's name. */
#define QEMU_ITEM "%s %s"
#define QEMU_ITEM_NAME(item) (item)->option, (item)->text

typedef struct QemuItems {
        char **argv; /* borrowed, as is every text */
        QemuItem *list;
        size_t n, n_allocated;
        size_t program;     /* QEMU's own word in argv; what comes before it is another program's */
        const char *unread; /* a file of -readconfig that cannot be read; NULL: none */
} QemuItems;

/* argv: NULL-terminated, outliving *ret. 0 or -ENOMEM. What QEMU itself would refuse is left out.
 */
int qemu_items_parse(char **argv, QemuItems *ret);
void qemu_items_done(QemuItems *items);

/* The value that the last item of the group gives to key; NULL: none does. */
const char *qemu_items_last(const QemuItems *items, QemuGroup group, const char *key);

/* The last -object with this id, or NULL. */
const QemuItem *qemu_items_object(const QemuItems *items, const char *id);
