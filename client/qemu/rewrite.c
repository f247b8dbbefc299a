/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A QEMU command line with raw netdevs in it: the line that a stock QEMU understands.
 */

#include "client/qemu/rewrite.h"

#include <inttypes.h>
#include <linux/if_ether.h>
#include <string.h>

#include "client/parse.h"
#include "client/qemu/judge.h"
#include "client/qemu/memory.h"

/* The chardev's name cannot be one of the user's: '.' begins no identifier of QEMU's own making. */
#define CHARDEV_FORMAT "rawnet.%s"
#define MEMORY_ID "rawnet.memory"

typedef struct Words {
        char **list; /* NULL-terminated */
        size_t n;
} Words;

/* Takes word over; NULL: there was no memory for it. */
static int push(Words *words, char *word) {
        char **bigger = word ? reallocarray(words->list, words->n + 2, sizeof(*bigger)) : NULL;

        if (!bigger) {
                free(word);
                return -ENOMEM;
        }
        words->list = bigger;
        words->list[words->n++] = word;
        words->list[words->n] = NULL;
        return 0;
}

/* Takes value over. */
static int push_option(Words *words, const char *option, char *value) {
        int r = value ? push(words, strdup(option)) : -ENOMEM;

        if (r < 0) {
                free(value);
                return r;
        }
        return push(words, value);
}

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

static char *packet_netdev(const Port *port) {
        char *text;
        int r;

        if (queues_of(port) > 1)
                r = asprintf(&text, "vhost-user,id=%s,chardev=" CHARDEV_FORMAT ",queues=%u",
                             port->name, port->name, queues_of(port));
        else
                r = asprintf(&text, "vhost-user,id=%s,chardev=" CHARDEV_FORMAT, port->name,
                             port->name);
        return r < 0 ? NULL : text;
}

/* A card's text while options are added to it. The text of a card from a file cannot be changed, so
 * -set is used. */
typedef struct Completion {
        const QemuCard *card;
        char *text;  /* NULL: from a file */
        Words *sets; /* options to put behind all others */
} Completion;

/* Adds the option where the card does not have it. */
static int complete(Completion *completion, const char *key, const char *value,
                    QemuValueType type) {
        const QemuOptions *options = &completion->card->item->options;
        char *longer;

        if (qemu_options_get(options, key))
                return 0;
        if (!completion->text) {
                if (asprintf(&longer, "device.%s.%s=%s", qemu_options_get(options, "id"), key,
                             value) < 0)
                        return -ENOMEM;
                return push_option(completion->sets, "-set", longer);
        }
        longer = qemu_options_append(completion->text, key, value, type);
        if (!longer)
                return -ENOMEM;
        free(completion->text);
        completion->text = longer;
        return 0;
}

static int complete_number(Completion *completion, const char *key, uint32_t number) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%" PRIu32, number) < 0)
                return -ENOMEM;
        return complete(completion, key, text, QEMU_NUMBER);
}

/* The MTU, which the guest hears of from the device alone (virtio 1.2, VIRTIO_NET_F_MTU) and takes
 * for 1500 otherwise. On a packet port no control of offloads: it is QEMU's, the back end does not
 * hear of it, and XDP in the guest would get frames that it cannot take. What a device needs to use
 * several queues: mq=on and, on PCI, an interrupt vector for each queue, one for the control queue
 * and one for configuration changes (hw/virtio/virtio-net-pci.c virtio_net_pci_realize()). */
static int complete_virtio(Completion *completion, const Port *port, const QemuLine *line,
                           const QemuHost *host) {
        bool packet = port->request.kind == KIND_PACKET;
        int r = 0;

        if (port->mtu > 0 && port->mtu != ETH_DATA_LEN)
                r = complete_number(completion, "host_mtu", port->mtu);
        if (r >= 0 && packet)
                r = complete(completion, "ctrl_guest_offloads", "off", QEMU_BOOL);
        if (r >= 0 && queues_of(port) > 1)
                r = complete(completion, "mq", "on", QEMU_BOOL);
        if (r < 0 || !qemu_card_is_pci(completion->card, &line->items, host))
                return r;
        if (packet && !qemu_msix_works(&line->items, host))
                return complete(completion, "vectors", "0", QEMU_NUMBER);
        return queues_of(port) > 1 ? complete_number(completion, "vectors", 2 * queues_of(port) + 2)
                                   : 0;
}

/* The old spelling has no options of a virtio device. */
static int complete_card(Completion *completion, const QemuLine *line, const QemuHost *host) {
        const QemuCard *card = completion->card;
        const Port *port = &line->ports[card->port];
        int r = 0;

        if (port->mac && *port->mac)
                r = complete(completion, qemu_card_mac_key(card), port->mac, QEMU_STRING);
        if (r < 0 || card->item->group == QEMU_NET || !qemu_card_is_virtio(card))
                return r;
        return complete_virtio(completion, port, line, host);
}

static int append(char **text, const char *key, const char *value) {
        char *longer = value ? qemu_options_append(*text, key, value, QEMU_STRING) : strdup(*text);

        if (!longer)
                return -ENOMEM;
        free(*text);
        *text = longer;
        return 0;
}

/* -nic with a card that is not virtio-net stays -nic: QEMU knows which device it is. */
static int rewrite_nic(Words *words, const QemuCard *card, const Port *port, char *netdev) {
        const QemuOptions *options = &card->item->options;
        _cleanup_free_ char *text = netdev;
        int r = append(&text, "model", qemu_options_get(options, "model"));

        if (r >= 0)
                r = append(&text, "mac", port->mac && *port->mac ? port->mac : NULL);
        return r < 0 ? r : push_option(words, "-nic", TAKE_PTR(text));
}

/* Any other -nic becomes a -netdev and a -device, which takes all options of a virtio-net card. */
static int rewrite_virtio_nic(Words *words, Words *sets, const QemuLine *line, const QemuHost *host,
                              const QemuCard *card, char *netdev) {
        const Port *port = &line->ports[card->port];
        const char *mac = qemu_options_get(&card->item->options, "mac");
        /* The options of -nic are not those of the device. */
        QemuItem item = {.group = QEMU_DEVICE};
        QemuCard device = {.item = &item, .port = card->port};
        _cleanup_(qemu_options_done) QemuOptions options = {};
        Completion completion = {.card = &device, .sets = sets};
        int r = push_option(words, "-netdev", netdev);

        if (r < 0)
                return r;
        if (asprintf(&completion.text, "%s,netdev=%s", qemu_card_driver(card), port->name) < 0)
                return -ENOMEM;
        r = qemu_options_add(&options, "driver", qemu_card_driver(card));
        item.options = options;
        if (r >= 0 && line->netdevs[card->port].given >= 0)
                r = append(&completion.text, "mac", mac);
        if (r >= 0)
                r = complete_card(&completion, line, host);
        if (r < 0) {
                free(completion.text);
                return r;
        }
        return push_option(words, "-device", completion.text);
}

static const QemuCard *card_at(const QemuLine *line, const QemuItem *item) {
        for (size_t i = 0; i < line->n_cards; i++)
                if (line->cards[i].item == item)
                        return &line->cards[i];
        return NULL;
}

static int rewrite_netdev(Words *words, Words *sets, const QemuLine *line, const QemuHost *host,
                          size_t i, const char *option) {
        const Port *port = &line->ports[i];
        char *netdev = port->request.kind == KIND_PACKET ? packet_netdev(port) : tap_netdev(port);
        const QemuCard *card = card_at(line, line->netdevs[i].item);

        if (!netdev)
                return -ENOMEM;
        if (!card)
                return push_option(words, option, netdev);
        return qemu_card_is_virtio(card) ? rewrite_virtio_nic(words, sets, line, host, card, netdev)
                                         : rewrite_nic(words, card, port, netdev);
}

static int rewrite_card(Words *words, Words *sets, const QemuLine *line, const QemuHost *host,
                        const QemuCard *card, const char *option) {
        const char *text = line->items.argv[card->item->argument];
        Completion completion = {.card = card, .sets = sets};
        int r;

        if (option) {
                completion.text = strdup(text);
                if (!completion.text)
                        return -ENOMEM;
        }
        r = complete_card(&completion, line, host);
        if (r < 0) {
                free(completion.text);
                return r;
        }
        return option ? push_option(words, option, completion.text) : 0;
}

/* The option whose value is argv[argument]; *ret_done: it was ours. */
static int rewrite_option(Words *words, Words *sets, const QemuLine *line, const QemuHost *host,
                          size_t argument, bool *ret_done) {
        const char *option = line->items.argv[argument - 1];

        *ret_done = true;
        for (size_t i = 0; i < line->n_ports; i++)
                if (line->netdevs[i].item->argument == argument)
                        return rewrite_netdev(words, sets, line, host, i, option);
        for (size_t i = 0; i < line->n_cards; i++)
                if (line->cards[i].item->argument == argument)
                        return rewrite_card(words, sets, line, host, &line->cards[i], option);
        *ret_done = false;
        return 0;
}

static int rewrite_all(Words *words, Words *sets, const QemuLine *line, const QemuHost *host) {
        char **argv = line->items.argv;
        int r = 0;

        for (size_t i = 0; argv[i] && r >= 0; i++) {
                bool done = false;

                if (argv[i + 1])
                        r = rewrite_option(words, sets, line, host, i + 1, &done);
                if (done)
                        i++;
                else if (r >= 0)
                        r = push(words, strdup(argv[i]));
        }
        for (size_t i = 0; i < line->n_cards && r >= 0; i++)
                if (line->cards[i].item->argument == 0)
                        r = rewrite_card(words, sets, line, host, &line->cards[i], NULL);
        return r;
}

static int append_memory(Words *words, const QemuLine *line, const QemuHost *host) {
        const uint64_t mib = UINT64_C(1) << 20;
        uint64_t size = 0, usual = 0;
        char *text;
        int r = qemu_memory_size(&line->items, &size);

        if (r >= 0 && size == 0 &&
            qemu_machine_known(&line->items, qemu_architecture(&line->items, host), &usual))
                size = usual;
        if (r < 0 || size == 0)
                return r;
        if (asprintf(&text, "memory-backend-memfd,id=" MEMORY_ID ",size=%" PRIu64 "%s,share=on",
                     size % mib == 0 ? size / mib : size, size % mib == 0 ? "M" : "") < 0)
                return -ENOMEM;
        r = push_option(words, "-object", text);
        return r < 0 ? r : push_option(words, "-machine", strdup("memory-backend=" MEMORY_ID));
}

/* What packet ports need beside their netdev: a chardev each, and memory that their back ends
 * share. */
static int append_backends(Words *words, const QemuLine *line, const QemuHost *host) {
        bool any = false;
        int r = 0;

        for (size_t i = 0; i < line->n_ports && r >= 0; i++) {
                const Port *port = &line->ports[i];
                _cleanup_free_ char *text = NULL;

                if (port->request.kind != KIND_PACKET)
                        continue;
                any = true;
                /* By path: QEMU passes descriptors over a chardev only that it knows to be a UNIX
                 * socket, and of fd= it does not (chardev/char-socket.c, is_unix). */
                if (asprintf(&text, "socket,id=" CHARDEV_FORMAT, port->name) < 0)
                        return -ENOMEM;
                r = push_option(words, "-chardev",
                                qemu_options_append(text, "path", port->socket, QEMU_STRING));
        }
        if (r < 0 || !any || qemu_memory_is_set(&line->items))
                return r;
        return append_memory(words, line, host);
}

static void words_done(Words *words) {
        argv_free(words->list);
        *words = (Words){};
}

int qemu_rewrite(const QemuLine *line, const QemuHost *host, char ***ret_argv) {
        _cleanup_(words_done) Words words = {}, sets = {};
        int r = rewrite_all(&words, &sets, line, host);

        if (r >= 0)
                r = append_backends(&words, line, host);
        for (size_t i = 0; i < sets.n && r >= 0; i++)
                r = push(&words, strdup(sets.list[i]));
        if (r < 0)
                return r;
        *ret_argv = TAKE_PTR(words.list);
        return 0;
}
