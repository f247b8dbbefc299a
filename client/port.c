/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A port that a command asks for, and the lease that it got. */

#include "client/port.h"

#include <fcntl.h>
#include <string.h>

#include "common/bit-rate.h"
#include "common/fd-pass.h"
#include "common/mac.h"

int port_request_add_address(PortRequest *request, const char *text, const char *what,
                             const char *of, Refusal *ret_refusal) {
        AddressPrefix ignored;
        int r;

        r = address_parse(text, what, of, &ignored, ret_refusal);
        if (r != 0)
                return r;
        if (request->n_addresses == ADDRESSES_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s %s: more than %u addresses; name a network instead, such as "
                              "10.0.0.0/24",
                              what, of, ADDRESSES_MAX);
        request->addresses[request->n_addresses++] = text;
        return 0;
}

int port_request_set_rate(PortRequest *request, const char *text, const char *what, const char *of,
                          Refusal *ret_refusal) {
        if (bit_rate_parse(text, &request->rate) < 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s %s: '%.40s' is no rate; write " BIT_RATE_INSTEAD, what, of, text);
        return 0;
}

void port_init(Port *port, char *name, const PortRequest *request) {
        *port = (Port){.name = name, .request = *request};
        for (size_t i = 0; i < RAWNET_FDS_MAX; i++)
                port->fds[i] = port->numbers[i] = -1;
}

void port_done(Port *port) {
        fd_pass_close_all(port->fds, port->n_queues + port->n_vhosts);
        free(port->name);
        free(port->mac);
        free(port->interface);
        free(port->socket);
        *port = (Port){};
}

bool port_name_valid(const char *name) {
        static const char allowed[] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
        size_t length = strlen(name);

        return length >= 1 && length <= 32 && strspn(name, allowed) == length;
}

static bool is_said(const char *text) {
        return text && *text;
}

static bool same_mac(const char *a, const char *b) {
        MacAddress first, second;

        return is_said(a) && is_said(b) && mac_parse(a, &first) == 0 &&
               mac_parse(b, &second) == 0 && memcmp(&first, &second, sizeof(first)) == 0;
}

/* "--port a" is a name of the command line; a port of rawnetctl run may have none. */
static const char *label(const Port *port) {
        return port->name ? port->name : port->request.network;
}

int ports_check_addresses(const Port *ports, size_t n_ports, Refusal *ret_refusal) {
        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < i; k++) {
                        const PortRequest *a = &ports[k].request, *b = &ports[i].request;

                        /* Without a network: a port that is open already. */
                        if (!a->network || !b->network || strcmp(a->network, b->network) != 0)
                                continue;
                        if (same_mac(a->mac, b->mac))
                                return refuse(
                                        ret_refusal, RAWNET_INVALID_ARGS,
                                        "%s and %s both ask for the MAC address %s on network "
                                        "%s: give each its own",
                                        label(&ports[k]), label(&ports[i]), b->mac, b->network);
                        if (!is_said(a->mac) && !is_said(b->mac) && is_said(a->name) &&
                            is_said(b->name) && strcmp(a->name, b->name) == 0)
                                return refuse(
                                        ret_refusal, RAWNET_INVALID_ARGS,
                                        "%s and %s both have the name %s on network %s, and so "
                                        "the same MAC address: give each its own",
                                        label(&ports[k]), label(&ports[i]), b->name, b->network);
                }
        return 0;
}

void ports_explain_refusal(const Port *ports, size_t i, Refusal *refusal) {
        for (size_t k = 0; k < i && refusal->error == RAWNET_ADDRESS_IN_USE; k++)
                if (same_mac(ports[k].mac, ports[i].request.mac)) {
                        refuse(refusal, RAWNET_ADDRESS_IN_USE,
                               "%s and %s ask for the same MAC address %s, and their networks %s and "
                               "%s have the same parent: give each its own",
                               label(&ports[k]), label(&ports[i]), ports[k].mac,
                               ports[k].request.network, ports[i].request.network);
                        return;
                }
}

size_t ports_number_from_three(Port *ports, size_t n_ports) {
        size_t n = 0;

        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++)
                        ports[i].numbers[k] = PORT_FIRST_NUMBER + (int)n++;
        return n;
}

int ports_find_free(int *ret_numbers, size_t wanted) {
        int number = PORT_FIRST_NUMBER;

        for (size_t i = 0; i < wanted; number++)
                if (fcntl(number, F_GETFD) < 0) {
                        if (errno != EBADF)
                                return -errno;
                        ret_numbers[i++] = number;
                }
        return 0;
}

void ports_number_from(Port *ports, size_t n_ports, const int *numbers) {
        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++)
                        ports[i].numbers[k] = *numbers++;
}

static int highest_number(const Port *ports, size_t n_ports) {
        int highest = PORT_FIRST_NUMBER;

        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++)
                        if (ports[i].numbers[k] > highest)
                                highest = ports[i].numbers[k];
        return highest;
}

static int refuse_place(Refusal *ret_refusal) {
        return refuse(ret_refusal, RAWNET_LIMITS_EXCEEDED,
                      "cannot move the ports' descriptors to their places: %s; raise ulimit -n",
                      strerror(errno));
}

int ports_place(Port *ports, size_t n_ports, Refusal *ret_refusal) {
        int above = highest_number(ports, n_ports) + 1;

        /* Moves all of them away first: the new number of one descriptor could be the present
         * number of another. */
        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++) {
                        int moved = fcntl(ports[i].fds[k], F_DUPFD_CLOEXEC, above);

                        if (moved < 0)
                                return refuse_place(ret_refusal);
                        safe_close(ports[i].fds[k]);
                        ports[i].fds[k] = moved;
                }
        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++) {
                        if (dup2(ports[i].fds[k], ports[i].numbers[k]) < 0)
                                return refuse_place(ret_refusal);
                        safe_close(ports[i].fds[k]);
                        ports[i].fds[k] = ports[i].numbers[k];
                }
        return 0;
}

static char *join_numbers(const int *numbers, size_t n, char separator) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        fputc(separator, out);
                fprintf(out, "%d", numbers[i]);
        }
        if (fclose(out) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* The text of one word for one port; NULL for a word that there is not (errno 0) or no memory
 * (ENOMEM). */
static char *port_word(const Port *port, const char *word) {
        char *text;

        errno = 0;
        if (strcmp(word, "fd") == 0)
                return join_numbers(port->numbers, 1, ':');
        if (strcmp(word, "fds") == 0)
                return join_numbers(port->numbers, port->n_queues, ':');
        if (strcmp(word, "fds,") == 0)
                return join_numbers(port->numbers, port->n_queues, ',');
        if (strcmp(word, "vhostfds") == 0)
                return join_numbers(port->numbers + port->n_queues, port->n_vhosts, ':');
        if (strcmp(word, "mac") == 0)
                return strdup(port->mac);
        if (strcmp(word, "ifname") == 0)
                return strdup(port->interface);
        if (strcmp(word, "mtu") == 0)
                return asprintf(&text, "%u", port->mtu) < 0 ? NULL : text;
        return NULL;
}

static Port *find_port(const PortList *list, const char *name, size_t length) {
        for (size_t i = 0; i < list->n_ports; i++) {
                const char *candidate = list->ports[i].name;

                if (candidate && strlen(candidate) == length &&
                    memcmp(candidate, name, length) == 0)
                        return &list->ports[i];
        }
        return NULL;
}

int port_lookup(const char *word, void *userdata, char **ret_text, Refusal *ret_refusal) {
        PortList *list = userdata;
        const char *dot = strchr(word, '.');
        Port *port = &list->ports[0];
        _cleanup_free_ char *text = NULL;

        if (dot) {
                port = find_port(list, word, (size_t)(dot - word));
                if (!port)
                        return 0;
                word = dot + 1;
        }
        text = port_word(port, word);
        if (!text)
                return errno == ENOMEM ? -ENOMEM : 0;
        if (!dot && list->n_ports > 1)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "{%s} could be any of %zu ports: write {%s.%s}, with the name given "
                              "to --port",
                              word, list->n_ports, list->ports[0].name, word);
        if (strcmp(word, "mac") == 0) {
                if (!*text)
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "{mac} has no value on a port with --mac learn: the guest's "
                                      "first frame says it");
                port->mac_used = true;
        }
        if (port->request.kind == KIND_VETH && strstr(word, "fd"))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "{%s} has no value with --kind veth: the command finds interface %s "
                              "in its network namespace",
                              word, port->interface);
        if (strcmp(word, "vhostfds") == 0 && port->n_vhosts == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "{vhostfds} has no value without --vhost on network %s",
                              port->request.network);
        *ret_text = TAKE_PTR(text);
        return 1;
}

/* RAWNET_MAC, or RAWNET_MAC_WAN for the port "wan". */
static int set_variable(const char *variable, const char *port_name, const char *value) {
        _cleanup_free_ char *name = NULL;

        if (asprintf(&name, "%s%s%s", variable, port_name ? "_" : "", port_name ? port_name : "") <
            0)
                return -ENOMEM;
        for (char *p = name; *p; p++)
                if (*p >= 'a' && *p <= 'z')
                        *p = (char)(*p - 'a' + 'A');
                else if (*p == '-')
                        *p = '_';
        return setenv(name, value, 1) < 0 ? -errno : 0;
}

static int set_port_variables(const Port *port, const char *name) {
        _cleanup_free_ char *lease = NULL, *mtu = NULL;
        int r;

        if (asprintf(&lease, "%u", port->lease) < 0 || asprintf(&mtu, "%u", port->mtu) < 0)
                return -ENOMEM;
        r = set_variable("RAWNET_LEASE", name, lease);
        if (r >= 0)
                r = set_variable("RAWNET_MAC", name, port->mac);
        if (r >= 0)
                r = set_variable("RAWNET_IFNAME", name, port->interface);
        if (r >= 0)
                r = set_variable("RAWNET_MTU", name, mtu);
        return r;
}

static size_t count_descriptors(const Port *ports, size_t n_ports) {
        size_t n = 0;

        for (size_t i = 0; i < n_ports; i++)
                n += ports[i].n_queues + ports[i].n_vhosts;
        return n;
}

static int set_listen_variables(const Port *ports, size_t n_ports) {
        _cleanup_free_ char *names = NULL, *count = NULL, *pid = NULL;
        size_t n = 0, size = 0;
        FILE *out;

        /* The caller's own, of sd_listen_fds(3), are as good for CMD as they were. */
        if (count_descriptors(ports, n_ports) == 0)
                return 0;
        if (unsetenv("LISTEN_PIDFDID") < 0)
                return -errno;
        out = open_memstream(&names, &size);

        if (!out)
                return -errno;
        for (size_t i = 0; i < n_ports; i++)
                for (size_t k = 0; k < ports[i].n_queues + ports[i].n_vhosts; k++)
                        fprintf(out, "%s%s%s", n++ > 0 ? ":" : "",
                                ports[i].name ? ports[i].name : ports[i].request.network,
                                k < ports[i].n_queues ? "" : ".vhost");
        if (fclose(out) != 0)
                return -errno;
        if (asprintf(&count, "%zu", n) < 0 || asprintf(&pid, "%ld", (long)getpid()) < 0)
                return -ENOMEM;
        if (setenv("LISTEN_FDS", count, 1) < 0 || setenv("LISTEN_PID", pid, 1) < 0 ||
            setenv("LISTEN_FDNAMES", names, 1) < 0)
                return -errno;
        return 0;
}

int ports_set_environment(const Port *ports, size_t n_ports) {
        static const char *const plain[] = {"RAWNET_LEASE", "RAWNET_MAC", "RAWNET_IFNAME",
                                            "RAWNET_MTU"};
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
                if (unsetenv(plain[i]) < 0)
                        return -errno;
        for (size_t i = 0; i < n_ports; i++) {
                if (ports[i].name) {
                        r = set_port_variables(&ports[i], ports[i].name);
                        if (r < 0)
                                return r;
                }
                if (n_ports == 1) {
                        r = set_port_variables(&ports[i], NULL);
                        if (r < 0)
                                return r;
                }
        }
        return set_listen_variables(ports, n_ports);
}
