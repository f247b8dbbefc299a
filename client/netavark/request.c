/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/request.h"

#include <string.h>

#include "client/parse.h"
#include "common/network-file.h"
#include "common/text.h"

#define DEFAULT_METRIC 100u /* netavark's own */

static int refuse_input(Refusal *ret_refusal, const char *what) {
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "cannot read what podman passed: %s; is this podman newer than rawnet?",
                      what);
}

/* The member's text; NULL where it is missing, null, or no text. */
static const char *get_text(json_object *object, const char *key) {
        json_object *member;

        if (!json_object_object_get_ex(object, key, &member) ||
            !json_object_is_type(member, json_type_string))
                return NULL;
        return json_object_get_string(member);
}

/* The member, or NULL where it is missing, null, or of another type. */
static json_object *get_member(json_object *object, const char *key, json_type type) {
        json_object *member;

        if (!json_object_object_get_ex(object, key, &member) || !json_object_is_type(member, type))
                return NULL;
        return member;
}

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
        json_object *options = get_member(input, "ipam_options", json_type_object);
        size_t n_subnets = array_length(get_member(input, "subnets", json_type_array));
        const char *driver = options ? get_text(options, "driver") : NULL;

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
        if (strcmp(key, "mtu") == 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "podman network %s: the MTU is the rawnet network's (MTU= in its "
                              "file); leave --opt %s out",
                              network->name, key);
        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                      "podman network %s: the driver rawnet has no --opt '%s'; it has "
                      "network, metric and no_default_route",
                      network->name, key);
}

static int read_options(json_object *input, NetavarkNetwork *network, Refusal *ret_refusal) {
        json_object *options = get_member(input, "options", json_type_object);

        struct json_object_iterator at, end;

        if (options) {
                at = json_object_iter_begin(options);
                end = json_object_iter_end(options);
                for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
                        json_object *value = json_object_iter_peek_value(&at);
                        int r;

                        if (!json_object_is_type(value, json_type_string))
                                return refuse_input(ret_refusal, "an option is no text");
                        r = read_option(network, json_object_iter_peek_name(&at),
                                        json_object_get_string(value), ret_refusal);
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

int netavark_read_network(json_object *input, NetavarkNetwork *ret, Refusal *ret_refusal) {
        NetavarkNetwork network = {.metric = DEFAULT_METRIC};
        const char *parent;
        int r;

        if (!json_object_is_type(input, json_type_object))
                return refuse_input(ret_refusal, "it is no JSON object");
        network.name = get_text(input, "name");
        if (!network.name)
                return refuse_input(ret_refusal, "the network has no name");
        parent = get_text(input, "network_interface");
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
                return refuse_input(ret_refusal, "an address is none");
        for (size_t i = 0; i < array_length(subnets); i++) {
                json_object *item = json_object_array_get_idx(subnets, i);
                const char *network = get_text(item, "subnet"), *gateway;

                if (!network || ip_parse(network, true, &subnet) < 0)
                        return refuse_input(ret_refusal, "a subnet is none");
                if (!ip_in_subnet(&address.ip, &subnet))
                        continue;
                address.ip.prefix = subnet.prefix;
                gateway = get_text(item, "gateway");
                if (gateway && *gateway && ip_parse(gateway, false, &address.gateway) < 0)
                        return refuse_input(ret_refusal, "a gateway is no address");
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
                return refuse_input(ret_refusal, "there are too many addresses");
        for (size_t i = 0; i < array_length(texts); i++) {
                const char *text = json_object_get_string(json_object_array_get_idx(texts, i));
                int r = read_address(subnets, text, &container->addresses[i], ret_refusal);

                if (r != 0)
                        return r;
                container->n_addresses++;
        }
        return 0;
}

/* 32 bits, of which podman uses all. Missing or null: *ret stays. */
static int read_metric(json_object *item, uint32_t *ret, Refusal *ret_refusal) {
        json_object *member;
        int64_t metric;

        if (!json_object_object_get_ex(item, "metric", &member) || !member)
                return 0;
        metric = json_object_get_int64(member); /* the nearest of 64 bits */
        if (!json_object_is_type(member, json_type_int) || metric < 0 || metric > UINT32_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the metric of the route to %s is %.40s; it takes a number from 0 to "
                              "%u",
                              get_text(item, "destination"), json_object_get_string(member),
                              UINT32_MAX);
        *ret = (uint32_t)metric;
        return 0;
}

static int read_route(json_object *item, uint32_t metric, NetavarkRoute *ret,
                      Refusal *ret_refusal) {
        const char *destination = get_text(item, "destination"),
                   *gateway = get_text(item, "gateway");
        NetavarkRoute route = {.metric = metric};
        int r;

        if (!destination || ip_parse(destination, true, &route.destination) < 0 || !gateway ||
            ip_parse(gateway, false, &route.gateway) < 0 ||
            route.destination.family != route.gateway.family)
                return refuse_input(ret_refusal, "a route is none");
        r = read_metric(item, &route.metric, ret_refusal);
        if (r != 0)
                return r;
        *ret = route;
        return 0;
}

static int read_routes(json_object *routes, NetavarkContainer *container, Refusal *ret_refusal) {
        if (array_length(routes) > NETAVARK_ROUTES_MAX)
                return refuse_input(ret_refusal, "there are too many routes");
        for (size_t i = 0; i < array_length(routes); i++) {
                int r = read_route(json_object_array_get_idx(routes, i), container->network.metric,
                                   &container->routes[i], ret_refusal);

                if (r != 0)
                        return r;
                container->n_routes++;
        }
        return 0;
}

/* podman's network options for one container; it checks the address's form itself. */
static int read_container_options(json_object *options, NetavarkContainer *container,
                                  Refusal *ret_refusal) {
        json_object *own = get_member(options, "options", json_type_object);
        struct json_object_iterator first;
        MacAddress mac;
        int r;

        container->interface = get_text(options, "interface_name");
        if (!container->interface)
                return refuse_input(ret_refusal, "the interface has no name");
        r = interface_name_check(container->interface, "podman network", container->network.name,
                                 ret_refusal);
        if (r != 0)
                return r;
        container->mac = get_text(options, "static_mac");
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

int netavark_read_container(json_object *input, NetavarkContainer *ret, Refusal *ret_refusal) {
        json_object *network = get_member(input, "network", json_type_object),
                    *options = get_member(input, "network_options", json_type_object);
        int r;

        *ret = (NetavarkContainer){};
        if (!network || !options)
                return refuse_input(ret_refusal, "it has no network");
        ret->name = get_text(input, "container_name");
        r = netavark_read_network(network, &ret->network, ret_refusal);
        if (r == 0)
                r = read_container_options(options, ret, ret_refusal);
        if (r == 0)
                r = read_addresses(get_member(network, "subnets", json_type_array),
                                   get_member(options, "static_ips", json_type_array), ret,
                                   ret_refusal);
        if (r == 0)
                r = read_routes(get_member(network, "routes", json_type_array), ret, ret_refusal);
        if (r == 0 && json_object_get_boolean(get_member(network, "internal", json_type_boolean)))
                ret->network.no_default_route = true;
        return r;
}

static int set_member(json_object *object, const char *key, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_object_add(object, key, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

int netavark_complete_network(json_object *input, const NetavarkNetwork *network) {
        json_object *ipam = get_member(input, "ipam_options", json_type_object);
        int r = 0;

        if (!ipam) {
                ipam = json_object_new_object();
                r = set_member(input, "ipam_options", ipam);
        }
        if (r == 0)
                r = set_member(ipam, "driver",
                               json_object_new_string(netavark_ipam_name(network->ipam)));
        /* aardvark-dns answers on a bridge of the host's; there is none here. */
        if (r == 0)
                r = set_member(input, "dns_enabled", json_object_new_boolean(false));
        return r;
}
