/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A QEMU command line with `-netdev raw,…` in it: which ports it asks for, and the line that a
 * stock QEMU understands once they are there. Knows nothing of the bus; opens nothing.
 */

#include "client/port.h"
#include "client/qemu-options.h"

#define QEMU_PORTS_MAX 32u

/* One -netdev raw or one -device that says netdev=. */
typedef struct QemuPart {
        QemuOptions options;
        size_t argument; /* its value's place in argv */
        size_t port;     /* in QemuLine.ports */
} QemuPart;

typedef struct QemuLine {
        char **argv; /* borrowed */
        size_t argc;
        Port ports[QEMU_PORTS_MAX]; /* name: the netdev's id; request filled in, pointing into the
                                       parts */
        QemuPart netdevs[QEMU_PORTS_MAX];
        size_t n_ports; /* of ports and of netdevs */
        int given[QEMU_PORTS_MAX]; /* fd=: the caller's packet socket, -1 for a lease */
        QemuPart *devices;
        size_t n_devices;
} QemuLine;

/* QEMU takes one dash or two (softmmu/vl.c lookup_opt()). */
bool qemu_is_option(const char *argument, const char *name);

/* Whether an option without a value is there. */
bool qemu_line_has(const QemuLine *line, const char *name);

/* argv: QEMU and its arguments, NULL-terminated, outliving *ret. Returns 0, RAWNET_INVALID_ARGS or
 * RAWNET_NOT_SUPPORTED with the reason, or -errno. */
int qemu_line_parse(char **argv, QemuLine *ret, Refusal *ret_refusal);
void qemu_line_done(QemuLine *line);

/* How many descriptors the ports will have together. */
size_t qemu_line_descriptors(const QemuLine *line);

/* The new argument vector, from ports with mac, numbers, n_queues and n_vhosts set; the caller
 * frees it with argv_free(). Returns 0 or -errno. */
int qemu_line_rewrite(const QemuLine *line, char ***ret_argv);
