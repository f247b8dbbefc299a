/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/request.h"

#include <string.h>

#include "client/netavark/json.h"
#include "client/parse.h"
#include "common/network-file.h"
#include "common/bit-rate.h"
#include "common/text.h"

#define DEFAULT_METRIC 100u /* netavark's own */

static size_t array_length(json_object *array) {
        return array ? json_object_array_length(array) : 0;
}

const char *netavark_ipam_name(NetavarkIpam ipam) {
        switch (ipam) {
        case NETAVARK_IPAM_HOST_LOCAL:
                return "host-local";
        case NETAVARK_IPAM_NONE:
                return "none";
        case NETAVARK_IPAM_DHCP:
                break;
        }
        return "dhcp";
}

static int read_ipam(json_object *input, NetavarkNetwork *network, Refusal *ret_refusal) {
        json_object *options, *subnets;
        const char *driver = NULL;
        size_t n_subnets;
        int r;

        r = json_get(input, "ipam_options", json_type_object, &options, ret_refusal);
        if (r == 0)
                r = json_get(input, "subnets", json_type_array, &subnets, ret_refusal);
        if (r == 0 && options)
                r = json_get_text(options, "driver", &driver, ret_refusal);
        if (r != 0)
                return r;
        n_subnets = array_length(subnets);
        if (!driver || !*driver)
                network->ipam = n_subnets > 0 ? NETAVARK_IPAM_HOST_LOCAL : NETAVARK_IPAM_DHCP;
        else if (strcmp(driver, "host-local") == 0)
                network->ipam = NETAVARK_IPAM_HOST_LOCAL;
        else if (strcmp(driver, "none") == 0)
                network->ipam = NETAVARK_IPAM_NONE;
        else if (strcmp(driver, "dhcp") == 0)
                network->ipam = NETAVARK_IPAM_DHCP;
        else
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: there is no --ipam-driver '%s'; give host-local, "
                              "dhcp or none",
                              network->name, driver);
        if (network->ipam == NETAVARK_IPAM_HOST_LOCAL && n_subnets == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --ipam-driver host-local needs a --subnet",
                              network->name);
        if (network->ipam != NETAVARK_IPAM_HOST_LOCAL && n_subnets > 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --ipam-driver %s takes no --subnet",
                              network->name, netavark_ipam_name(network->ipam));
        return 0;
}

static int read_option(NetavarkNetwork *network, const char *key, const char *value,
                       Refusal *ret_refusal) {
        if (strcmp(key, NETAVARK_OPTION_NETWORK) == 0) {
                network->rawnet = value;
                return 0;
        }
        if (strcmp(key, NETAVARK_OPTION_NO_DEFAULT_ROUTE) == 0) {
                if (parse_bool(value, &network->no_default_route) == 0)
                        return 0;
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --opt %s=%s is neither true nor false",
                              network->name, key, value);
        }
        if (strcmp(key, NETAVARK_OPTION_METRIC) == 0) {
                if (text_parse_u32(value, 0, UINT32_MAX, &network->metric) == 0)
                        return 0;
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --opt %s=%s is not a number from 0 to %u",
                              network->name, key, value, UINT32_MAX);
        }
        if (strcmp(key, NETAVARK_OPTION_RATE) == 0) {
                if (bit_rate_parse(value, &network->rate) == 0)
                        return 0;
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --opt %s=%s is no rate; write " BIT_RATE_INSTEAD,
                              network->name, key, value);
        }
        if (strcmp(key, "mtu") == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: the MTU is the rawnet network's (MTU= in its "
                              "file); leave --opt %s out",
                              network->name, key);
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "podman network %s: the driver rawnet has no --opt '%s'; it has "
                      "network, metric, no_default_route and rate",
                      network->name, key);
}

static int read_options(json_object *input, NetavarkNetwork *network, Refusal *ret_refusal) {
        struct json_object_iterator at, end;
        json_object *options;
        int r = json_get(input, "options", json_type_object, &options, ret_refusal);

        if (r != 0)
                return r;
        if (options) {
                at = json_object_iter_begin(options);
                end = json_object_iter_end(options);
                for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
                        const char *value = json_text(json_object_iter_peek_value(&at));

                        if (!value)
                                return json_refuse(ret_refusal, "an option is no text");
                        r = read_option(network, json_object_iter_peek_name(&at), value,
                                        ret_refusal);
                        if (r != 0)
                                return r;
                }
        }
        if (!network->rawnet || !*network->rawnet)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: which rawnet network? Add --opt network=NAME; "
                              "rawnetctl networks lists them",
                              network->name);
        return 0;
}

static int read_name(json_object *network, const char **ret, Refusal *ret_refusal) {
        int r = json_get_text(network, "name", ret, ret_refusal);

        return r == 0 && !*ret ? json_refuse(ret_refusal, "the network has no name") : r;
}

int netavark_read_network(json_object *input, NetavarkNetwork *ret, Refusal *ret_refusal) {
        NetavarkNetwork network = {.metric = DEFAULT_METRIC};
        const char *parent;
        int r;

        r = read_name(input, &network.name, ret_refusal);
        if (r == 0)
                r = json_get_text(input, "network_interface", &parent, ret_refusal);
        if (r != 0)
                return r;
        if (parent && *parent)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: the parent interface is the rawnet network's; "
                              "leave --interface-name %s out",
                              network.name, parent);
        r = read_ipam(input, &network, ret_refusal);
        if (r == 0)
                r = read_options(input, &network, ret_refusal);
        if (r == 0)
                *ret = network;
        return r;
}

/* The prefix length and the gateway of an address are those of its subnet. */
static int read_address(json_object *subnets, const char *text, NetavarkAddress *ret,
                        Refusal *ret_refusal) {
        NetavarkAddress address = {};
        IpAddress subnet;

        if (!text || ip_parse(text, false, &address.ip) < 0)
                return json_refuse(ret_refusal, "an address is none");
        for (size_t i = 0; i < array_length(subnets); i++) {
                json_object *item = json_object_array_get_idx(subnets, i);
                const char *network, *gateway;
                int r = json_get_text(item, "subnet", &network, ret_refusal);

                if (r == 0)
                        r = json_get_text(item, "gateway", &gateway, ret_refusal);
                if (r != 0)
                        return r;
                if (!network || ip_parse(network, true, &subnet) < 0)
                        return json_refuse(ret_refusal, "a subnet is none");
                if (!ip_in_subnet(&address.ip, &subnet))
                        continue;
                address.ip.prefix = subnet.prefix;
                if (gateway && *gateway && ip_parse(gateway, false, &address.gateway) < 0)
                        return json_refuse(ret_refusal, "a gateway is no address");
                *ret = address;
                return 0;
        }
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "address %s is in none of the network's subnets", text);
}

static int read_addresses(json_object *subnets, json_object *texts, NetavarkContainer *container,
                          Refusal *ret_refusal) {
        if (container->network.ipam != NETAVARK_IPAM_HOST_LOCAL) {
                if (array_length(texts) == 0)
                        return 0;
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: --ip needs a network with a --subnet",
                              container->network.name);
        }
        if (array_length(texts) > NETAVARK_ADDRESSES_MAX)
                return json_refuse(ret_refusal, "there are too many addresses");
        for (size_t i = 0; i < array_length(texts); i++) {
                const char *text = json_text(json_object_array_get_idx(texts, i));
                int r = read_address(subnets, text, &container->addresses[i], ret_refusal);

                if (r != 0)
                        return r;
                container->n_addresses++;
        }
        return 0;
}

/* 32 bits, of which podman uses all. Missing or null: *ret stays. */
static int read_metric(json_object *item, const char *destination, uint32_t *ret,
                       Refusal *ret_refusal) {
        json_object *member;
        int64_t metric;

        if (!json_object_object_get_ex(item, "metric", &member) || !member)
                return 0;
        metric = json_object_get_int64(member); /* the nearest of 64 bits */
        if (!json_object_is_type(member, json_type_int) || metric < 0 || metric > UINT32_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the metric of the route to %s is %.40s; it takes a number from 0 to "
                              "%u",
                              destination, json_object_get_string(member), UINT32_MAX);
        *ret = (uint32_t)metric;
        return 0;
}

static int read_route(json_object *item, uint32_t metric, NetavarkRoute *ret,
                      Refusal *ret_refusal) {
        NetavarkRoute route = {.metric = metric};
        const char *destination, *gateway;
        int r;

        r = json_get_text(item, "destination", &destination, ret_refusal);
        if (r == 0)
                r = json_get_text(item, "gateway", &gateway, ret_refusal);
        if (r != 0)
                return r;
        if (!destination || ip_parse(destination, true, &route.destination) < 0 || !gateway ||
            ip_parse(gateway, false, &route.gateway) < 0 ||
            route.destination.family != route.gateway.family)
                return json_refuse(ret_refusal, "a route is none");
        r = read_metric(item, destination, &route.metric, ret_refusal);
        if (r != 0)
                return r;
        *ret = route;
        return 0;
}

static int read_routes(json_object *routes, NetavarkContainer *container, Refusal *ret_refusal) {
        if (array_length(routes) > NETAVARK_ROUTES_MAX)
                return json_refuse(ret_refusal, "there are too many routes");
        for (size_t i = 0; i < array_length(routes); i++) {
                int r = read_route(json_object_array_get_idx(routes, i), container->network.metric,
                                   &container->routes[i], ret_refusal);

                if (r != 0)
                        return r;
                container->n_routes++;
        }
        return 0;
}

static int read_interface(json_object *options, const char **ret, Refusal *ret_refusal) {
        int r = json_get_text(options, "interface_name", ret, ret_refusal);

        return r == 0 && !*ret ? json_refuse(ret_refusal, "the interface has no name") : r;
}

/* podman's network options for one container; it checks the address's form itself. */
static int read_container_options(json_object *options, NetavarkContainer *container,
                                  Refusal *ret_refusal) {
        struct json_object_iterator first;
        json_object *own;
        MacAddress mac;
        int r;

        r = read_interface(options, &container->interface, ret_refusal);
        if (r == 0)
                r = interface_name_check(container->interface, "podman network",
                                         container->network.name, ret_refusal);
        if (r == 0)
                r = json_get_text(options, "static_mac", &container->mac, ret_refusal);
        if (r == 0)
                r = json_get(options, "options", json_type_object, &own, ret_refusal);
        if (r != 0)
                return r;
        if (container->mac && !*container->mac)
                container->mac = NULL;
        if (container->mac && mac_parse(container->mac, &mac) < 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: '%s' is not a MAC address",
                              container->network.name, container->mac);
        if (!own || json_object_object_length(own) == 0)
                return 0;
        first = json_object_iter_begin(own);
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "podman network %s: --network %s takes no option '%s'; it takes ip, ip6, "
                      "mac and interface_name",
                      container->network.name, container->network.name,
                      json_object_iter_peek_name(&first));
}

/* The container's network, and its place on it. */
static int read_parts(json_object *input, json_object **ret_network, json_object **ret_options,
                      Refusal *ret_refusal) {
        int r;

        r = json_get(input, "network", json_type_object, ret_network, ret_refusal);
        if (r == 0)
                r = json_get(input, "network_options", json_type_object, ret_options, ret_refusal);
        if (r == 0 && (!*ret_network || !*ret_options))
                return json_refuse(ret_refusal, "it has no network");
        return r;
}

/* What is in arrays. */
static int read_lists(json_object *network, json_object *options, NetavarkContainer *container,
                      Refusal *ret_refusal) {
        json_object *subnets, *addresses, *routes;
        int r;

        r = json_get(network, "subnets", json_type_array, &subnets, ret_refusal);
        if (r == 0)
                r = json_get(options, "static_ips", json_type_array, &addresses, ret_refusal);
        if (r == 0)
                r = json_get(network, "routes", json_type_array, &routes, ret_refusal);
        if (r == 0)
                r = read_addresses(subnets, addresses, container, ret_refusal);
        return r == 0 ? read_routes(routes, container, ret_refusal) : r;
}

int netavark_read_container(json_object *input, NetavarkContainer *ret, Refusal *ret_refusal) {
        json_object *network, *options, *internal;
        int r;

        *ret = (NetavarkContainer){};
        r = read_parts(input, &network, &options, ret_refusal);
        if (r == 0)
                r = json_get_text(input, "container_name", &ret->name, ret_refusal);
        if (r == 0)
                r = netavark_read_network(network, &ret->network, ret_refusal);
        if (r == 0)
                r = json_get(network, "internal", json_type_boolean, &internal, ret_refusal);
        if (r == 0)
                r = read_container_options(options, ret, ret_refusal);
        if (r == 0)
                r = read_lists(network, options, ret, ret_refusal);
        if (r == 0 && json_object_get_boolean(internal))
                ret->network.no_default_route = true;
        return r;
}

int netavark_read_place(json_object *input, NetavarkContainer *ret, Refusal *ret_refusal) {
        json_object *network, *options;
        int r;

        *ret = (NetavarkContainer){};
        r = read_parts(input, &network, &options, ret_refusal);
        if (r == 0)
                r = read_name(network, &ret->network.name, ret_refusal);
        if (r == 0)
                r = read_interface(options, &ret->interface, ret_refusal);
        if (r == 0 && !interface_name_is_valid(ret->interface))
                return json_refuse(ret_refusal, "the interface's name is none");
        return r;
}

int netavark_complete_network(json_object *input, const NetavarkNetwork *network) {
        json_object *ipam;
        int r = json_get(input, "ipam_options", json_type_object, &ipam, NULL);

        if (r == 0 && !ipam) {
                ipam = json_object_new_object();
                r = json_set(input, "ipam_options", ipam);
        }
        if (r == 0)
                r = json_set(ipam, "driver",
                             json_object_new_string(netavark_ipam_name(network->ipam)));
        /* aardvark-dns answers on a bridge of the host's; there is none here. */
        if (r == 0)
                r = json_set(input, "dns_enabled", json_object_new_boolean(false));
        return r;
}
