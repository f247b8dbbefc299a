/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A port that a command asks for, and what it got: the request, the lease's facts, its descriptors
 * and the numbers that those will have in the program that is run. Pure but for the descriptors'
 * moving and closing.
 */

#include "common/address.h"
#include "common/names.h"
#include "common/network.h"
#include "common/refusal.h"

typedef struct PortRequest {
        const char *network;
        LeaseKind kind;
        const char *mac;                      /* NULL or "": rawnet chooses; "learn"; an address */
        const char *name;                     /* NULL or "": none */
        const char *addresses[ADDRESSES_MAX]; /* that the guest may use */
        size_t n_addresses;
        uint64_t rate;         /* bits a second; 0: not said */
        const char *interface; /* veth: its name in the namespace */
        int namespace;         /* veth: a descriptor of the network namespace, not owned */
        uint32_t queues;       /* 0: not said, one */
        int vhost;             /* -1: not said */
        int vnet_hdr;          /* -1: not said */
        int up;                /* veth; -1: not said */
} PortRequest;

#define PORT_REQUEST_INIT                                                                          \
        ((PortRequest){.kind = KIND_TAP, .namespace = -1, .vhost = -1, .vnet_hdr = -1, .up = -1})

typedef struct Port {
        char *name; /* as in --port NAME=NETWORK; NULL for the nameless one */
        PortRequest request;

        uint32_t lease, mtu, vlan;
        char *mac;       /* "" while learning */
        char *interface; /* rnHEX; veth: its name in the namespace */
        char *socket;    /* of its back end, for QEMU; backend_spawn() */
        bool mac_used;   /* port_lookup() was asked for the MAC */

        /* The lease's descriptors, first the n_queues taps or sockets, then the n_vhosts vhost
         * ones; owned. A veth port has none. */
        int fds[RAWNET_FDS_MAX];
        size_t n_queues, n_vhosts;
        int numbers[RAWNET_FDS_MAX]; /* where each will be in the program */
} Port;

/* One more address, as the user wrote it. 0 or RAWNET_INVALID_ARGS: it is none, or one too many. what
 * and of: as address_parse() has them. */
int port_request_add_address(PortRequest *request, const char *text, const char *what,
                             const char *of, Refusal *ret_refusal);

/* The rate, as the user wrote it. 0 or RAWNET_INVALID_ARGS. what and of: as above. */
int port_request_set_rate(PortRequest *request, const char *text, const char *what, const char *of,
                          Refusal *ret_refusal);

/* name: NULL, or allocated, and the port's from now on. */
void port_init(Port *port, char *name, const PortRequest *request);
void port_done(Port *port);

/* 1..32 of [A-Za-z0-9_-]: a name that is good as a word, in LISTEN_FDNAMES and, upper-cased, in the
 * environment. */
bool port_name_valid(const char *name);

/* Refused (RAWNET_INVALID_ARGS): two ports that ask for the same address on one network, or have
 * the same name there, from which the address is derived. Before anything is opened: afterwards
 * rawnetd could only blame a lease that the user does not know yet. */
int ports_check_addresses(const Port *ports, size_t n_ports, Refusal *ret_refusal);
/* ports[i] was refused. Where an earlier port of the command line has its address, on another
 * network with the same parent, the refusal says so. */
void ports_explain_refusal(const Port *ports, size_t i, Refusal *refusal);

/* The first number free for the ports' descriptors; sd_listen_fds(3): SD_LISTEN_FDS_START. */
#define PORT_FIRST_NUMBER 3

/* Gives the descriptors numbers from 3 up without a gap, port by port, as sd_listen_fds(3) has it.
 * Returns how many. */
size_t ports_number_from_three(Port *ports, size_t n_ports);
/* The lowest numbers from 3 up that are unused now in this process; call before anything is opened.
 * wanted: how many. Returns 0 or -errno. */
int ports_find_free(int *ret_numbers, size_t wanted);
/* Gives out numbers, port by port, in order. */
void ports_number_from(Port *ports, size_t n_ports, const int *numbers);
/* Moves every descriptor to its number, without CLOEXEC. Whatever else was there is closed: nothing
 * of the caller's own may be in use any more. Returns 0 or RAWNET_LIMITS_EXCEEDED (too many for
 * RLIMIT_NOFILE); after that the caller can only exit. */
int ports_place(Port *ports, size_t n_ports, Refusal *ret_refusal);

/* For placeholder_replace(), userdata is a PortList: {fd} {fds} {fds,} {vhostfds} {mac} {mtu}
 * {ifname}, with "NAME." in front for named ports; without it they mean the only port, and are
 * refused where there are several. */
typedef struct PortList {
        Port *ports;
        size_t n_ports;
} PortList;
int port_lookup(const char *word, void *userdata, char **ret_text, Refusal *ret_refusal);

/* LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES (sd_listen_fds(3)) and RAWNET_LEASE, _MAC, _IFNAME, _MTU,
 * with _NAME behind for named ports (upper case, - as _), put into this process's environment;
 * those of an outer rawnetctl are taken out. Where no port has a descriptor, LISTEN_* stay as they
 * are. 0 or -errno. */
int ports_set_environment(const Port *ports, size_t n_ports);
