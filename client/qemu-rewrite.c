/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line with `-netdev raw,…` in it: the line that a stock QEMU understands.
 */

#include <string.h>

#include "client/parse.h"
#include "client/qemu-line.h"

static void print_numbers(FILE *out, const char *one, const char *many, const int *numbers,
                          size_t n) {
        fprintf(out, ",%s=", n == 1 ? one : many);
        for (size_t i = 0; i < n; i++)
                fprintf(out, "%s%d", i > 0 ? ":" : "", numbers[i]);
}

/* One queue: fd= and vhostfd=, since QEMU takes no vhostfds= beside fd= (net/tap.c net_init_tap()).
 */
static char *tap_netdev(const Port *port) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        fprintf(out, "tap,id=%s", port->name);
        print_numbers(out, "fd", "fds", port->numbers, port->n_queues);
        if (port->n_vhosts > 0) {
                fputs(",vhost=on", out);
                print_numbers(out, "vhostfd", "vhostfds", port->numbers + port->n_queues,
                              port->n_vhosts);
        }
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* Appends where the device does not say it itself; *text is replaced. */
static int complete(const QemuPart *device, char **text, const char *key, const char *value,
                    QemuValueType type) {
        char *longer;

        if (qemu_options_get(&device->options, key))
                return 0;
        longer = qemu_options_append(*text, key, value, type);
        if (!longer)
                return -ENOMEM;
        free(*text);
        *text = longer;
        return 0;
}

static bool has_prefix(const char *text, const char *prefix) {
        return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The MAC, and what a virtio-net device needs to use several queues: mq=on and, on PCI, an
 * interrupt vector for each queue, one for the control queue and one for configuration changes
 * (hw/virtio/virtio-net-pci.c virtio_net_pci_realize()). */
static int complete_device(const QemuPart *device, const Port *port, char **text) {
        const char *driver = qemu_options_get(&device->options, "driver");
        _cleanup_free_ char *vectors = NULL;
        int r = 0;

        if (*port->mac)
                r = complete(device, text, "mac", port->mac, QEMU_STRING);
        if (r < 0 || port->n_queues < 2 || !has_prefix(driver, "virtio-net"))
                return r;
        if (asprintf(&vectors, "%zu", 2 * port->n_queues + 2) < 0)
                return -ENOMEM;
        r = complete(device, text, "mq", "on", QEMU_BOOL);
        if (r >= 0 && has_prefix(driver, "virtio-net-pci"))
                r = complete(device, text, "vectors", vectors, QEMU_NUMBER);
        return r;
}

int qemu_line_rewrite(const QemuLine *line, char ***ret_argv) {
        _cleanup_(argv_freep) char **argv = calloc(line->argc + 1, sizeof(*argv));
        int r = 0;

        if (!argv)
                return -ENOMEM;
        for (size_t i = 0; i < line->argc && r >= 0; i++) {
                argv[i] = strdup(line->argv[i]);
                r = argv[i] ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < line->n_ports && r >= 0; i++) {
                char **value = &argv[line->netdevs[i].argument];

                free(*value);
                *value = tap_netdev(&line->ports[i]);
                r = *value ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < line->n_devices && r >= 0; i++)
                r = complete_device(&line->devices[i], &line->ports[line->devices[i].port],
                                    &argv[line->devices[i].argument]);
        if (r < 0)
                return r;
        *ret_argv = TAKE_PTR(argv);
        return 0;
}
