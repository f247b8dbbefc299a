/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What podman and netavark hand to the plugin on standard input (netavark's plugin-API.md):
 * podman's network for create, and the container's place on it for setup and teardown. Everything
 * is checked here, before anything is asked or done. Functions return 0, a RawnetError with a
 * sentence for podman's user, or -errno.
 */

#include <json-c/json.h>

#include "client/netavark/ip.h"
#include "common/mac.h"
#include "common/refusal.h"

/* podman network create --opt KEY=VALUE, and podman run --network NAME:KEY=VALUE of those that
 * rawnet has. */
#define NETAVARK_OPTION_NETWORK "network"
#define NETAVARK_OPTION_METRIC "metric"
#define NETAVARK_OPTION_RATE "rate"
#define NETAVARK_OPTION_NO_DEFAULT_ROUTE "no_default_route"

typedef enum NetavarkIpam {
        NETAVARK_IPAM_DHCP, /* as podman's macvlan networks: where there is no subnet */
        NETAVARK_IPAM_HOST_LOCAL,
        NETAVARK_IPAM_NONE,
} NetavarkIpam;

typedef struct NetavarkNetwork {
        const char *name; /* podman's */
        const char *rawnet;
        NetavarkIpam ipam;
        bool no_default_route;
        uint32_t metric; /* of default routes */
        uint64_t rate;   /* bits a second, each way; 0: the rawnet network's */
} NetavarkNetwork;

/* No container has more: podman itself gives one for each subnet. */
#define NETAVARK_ADDRESSES_MAX 16u
#define NETAVARK_ROUTES_MAX 64u

typedef struct NetavarkAddress {
        IpAddress ip;
        IpAddress gateway; /* family 0: none */
} NetavarkAddress;

typedef struct NetavarkRoute {
        IpAddress destination, gateway;
        uint32_t metric;
} NetavarkRoute;

typedef struct NetavarkContainer {
        NetavarkNetwork network;
        const char *name;
        const char *interface;
        const char *mac; /* NULL: rawnet chooses */
        NetavarkAddress addresses[NETAVARK_ADDRESSES_MAX];
        size_t n_addresses;
        NetavarkRoute routes[NETAVARK_ROUTES_MAX];
        size_t n_routes;
} NetavarkContainer;

/* Strings in *ret are input's. */
int netavark_read_network(json_object *input, NetavarkNetwork *ret, Refusal *ret_refusal);
int netavark_read_container(json_object *input, NetavarkContainer *ret, Refusal *ret_refusal);

/* For teardown, of a container that another version of podman or rawnet may have set up: the names
 * of network and interface alone. */
int netavark_read_place(json_object *input, NetavarkContainer *ret, Refusal *ret_refusal);

/* Makes the network that podman stores of the one that it asks for: no name server of podman's on
 * it, and addresses by DHCP where there is no subnet. 0 or -ENOMEM. */
int netavark_complete_network(json_object *input, const NetavarkNetwork *network);

/* The values of ipam_options.driver. */
const char *netavark_ipam_name(NetavarkIpam ipam);
