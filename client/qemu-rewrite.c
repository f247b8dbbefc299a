/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line with `-netdev raw,…` in it: the line that a stock QEMU understands.
 */

#include <inttypes.h>
#include <linux/if_ether.h>
#include <string.h>

#include "client/parse.h"
#include "client/qemu-line.h"
#include "client/qemu-memory.h"

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

static unsigned queues_of(const Port *port) {
        return port->request.queues ? port->request.queues : 1;
}

/* The chardev's name cannot be one of the user's: '.' begins no identifier of QEMU's own making. */
#define CHARDEV_FORMAT "rawnet.%s"
#define MEMORY_ID "rawnet.memory"

static char *packet_netdev(const Port *port) {
        char *text;
        int r;

        if (queues_of(port) > 1)
                r = asprintf(&text, "vhost-user,id=%s,chardev=" CHARDEV_FORMAT ",queues=%u", port->name,
                             port->name, queues_of(port));
        else
                r = asprintf(&text, "vhost-user,id=%s,chardev=" CHARDEV_FORMAT, port->name, port->name);
        return r < 0 ? NULL : text;
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

/* The MAC; the MTU, which the guest hears of from the device alone (virtio 1.2, VIRTIO_NET_F_MTU) and takes for 1500 otherwise; and
 * what a virtio-net device needs to use several queues: mq=on and, on PCI, an interrupt vector for each queue, one for the control
 * queue and one for configuration changes (hw/virtio/virtio-net-pci.c virtio_net_pci_realize()). */
static int complete_device(const QemuLine *line, const QemuPart *device, char **text) {
        const Port *port = &line->ports[device->port];
        const char *driver = qemu_options_get(&device->options, "driver");
        bool virtio = has_prefix(driver, "virtio-net"), pci = has_prefix(driver, "virtio-net-pci");
        _cleanup_free_ char *vectors = NULL, *mtu = NULL;
        int r = 0;

        if (port->mac && *port->mac)
                r = complete(device, text, "mac", port->mac, QEMU_STRING);
        if (r >= 0 && virtio && port->mtu > 0 && port->mtu != ETH_DATA_LEN) {
                if (asprintf(&mtu, "%" PRIu32, port->mtu) < 0)
                        return -ENOMEM;
                r = complete(device, text, "host_mtu", mtu, QEMU_NUMBER);
        }
        if (r >= 0 && virtio && queues_of(port) > 1)
                r = complete(device, text, "mq", "on", QEMU_BOOL);
        if (r < 0 || !pci)
                return r;
        if (port->request.kind == KIND_PACKET) {
                r = qemu_may_emulate(line->argv);
                if (r != 0)
                        return r < 0 ? r : complete(device, text, "vectors", "0", QEMU_NUMBER);
        }
        if (queues_of(port) < 2)
                return 0;
        if (asprintf(&vectors, "%u", 2 * queues_of(port) + 2) < 0)
                return -ENOMEM;
        return complete(device, text, "vectors", vectors, QEMU_NUMBER);
}

/* Takes value over; NULL: there was no memory. */
static int append(char **argv, size_t *n, const char *option, char *value) {
        _cleanup_free_ char *held = value;
        char *name = strdup(option);

        if (!name || !held) {
                free(name);
                return -ENOMEM;
        }
        argv[(*n)++] = name;
        argv[(*n)++] = TAKE_PTR(held);
        return 0;
}

static int append_memory(const QemuLine *line, char **argv, size_t n) {
        _cleanup_free_ char *size = qemu_memory_size(line->argv);
        char *text;
        int r;

        if (!size || asprintf(&text, "memory-backend-memfd,id=" MEMORY_ID ",size=%s,share=on", size) < 0)
                return -ENOMEM;
        r = append(argv, &n, "-object", text);
        return r < 0 ? r : append(argv, &n, "-machine", strdup("memory-backend=" MEMORY_ID));
}

/* What packet ports need beside their netdev: a chardev each, and memory that their back ends share. */
static int append_backends(const QemuLine *line, char **argv, size_t n) {
        bool any = false;
        int r = 0;

        for (size_t i = 0; i < line->n_ports && r >= 0; i++) {
                const Port *port = &line->ports[i];
                _cleanup_free_ char *text = NULL;

                if (port->request.kind != KIND_PACKET)
                        continue;
                any = true;
                /* By path: QEMU passes descriptors over a chardev only that it knows to be a UNIX socket,
                 * and of fd= it does not (chardev/char-socket.c, is_unix). */
                if (asprintf(&text, "socket,id=" CHARDEV_FORMAT, port->name) < 0)
                        return -ENOMEM;
                r = append(argv, &n, "-chardev", qemu_options_append(text, "path", port->socket, QEMU_STRING));
        }
        if (r < 0 || !any)
                return r;
        r = qemu_memory_is_set(line->argv);
        if (r != 0)
                return MIN_OF(r, 0);
        return append_memory(line, argv, n);
}

int qemu_line_rewrite(const QemuLine *line, char ***ret_argv) {
        /* Room for a chardev a port, and the memory's two options. */
        _cleanup_(argv_freep) char **argv = calloc(line->argc + 2 * line->n_ports + 5, sizeof(*argv));
        int r = 0;

        if (!argv)
                return -ENOMEM;
        for (size_t i = 0; i < line->argc && r >= 0; i++) {
                argv[i] = strdup(line->argv[i]);
                r = argv[i] ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < line->n_ports && r >= 0; i++) {
                const Port *port = &line->ports[i];
                char **value = &argv[line->netdevs[i].argument],
                     *netdev = port->request.kind == KIND_PACKET ? packet_netdev(port) : tap_netdev(port);

                if (!netdev)
                        return -ENOMEM;
                free(*value);
                *value = netdev;
        }
        for (size_t i = 0; i < line->n_devices && r >= 0; i++)
                r = complete_device(line, &line->devices[i], &argv[line->devices[i].argument]);
        if (r >= 0)
                r = append_backends(line, argv, line->argc);
        if (r < 0)
                return r;
        *ret_argv = TAKE_PTR(argv);
        return 0;
}
