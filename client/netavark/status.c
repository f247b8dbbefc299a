/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/status.h"

#include "client/netavark/json.h"

void netavark_status_done(NetavarkStatus *status) {
        free(status->domain);
        *status = (NetavarkStatus){};
}

static json_object *address_json(const NetavarkAddress *address) {
        _cleanup_json_ json_object *object = json_object_new_object();
        char text[IP_TEXT_SIZE];
        int r;

        if (!object)
                return NULL;
        r = json_set(object, "ipnet", json_object_new_string(ip_format_prefix(&address->ip, text)));
        if (r == 0 && address->gateway.family != 0)
                r = json_set(object, "gateway",
                             json_object_new_string(ip_format(&address->gateway, text)));
        return r == 0 ? TAKE_PTR(object) : NULL;
}

static json_object *interface_json(const NetavarkStatus *status, const char *mac) {
        _cleanup_json_ json_object *object = json_object_new_object(),
                                   *subnets = json_object_new_array();
        int r;

        if (!object || !subnets)
                return NULL;
        r = json_set(object, "mac_address", json_object_new_string(mac));
        for (size_t i = 0; r == 0 && i < status->n_addresses; i++)
                r = json_append(subnets, address_json(&status->addresses[i]));
        if (r == 0)
                r = json_set(object, "subnets", TAKE_PTR(subnets));
        return r == 0 ? TAKE_PTR(object) : NULL;
}

json_object *netavark_status_json(const NetavarkStatus *status, const char *interface,
                                  const char *mac) {
        _cleanup_json_ json_object *object = json_object_new_object(),
                                   *interfaces = json_object_new_object(),
                                   *dns = json_object_new_array(),
                                   *domains = json_object_new_array();
        char text[IP_TEXT_SIZE];
        int r;

        if (!object || !interfaces || !dns || !domains)
                return NULL;
        r = json_set(interfaces, interface, interface_json(status, mac));
        for (size_t i = 0; r == 0 && i < status->n_dns; i++)
                r = json_append(dns, json_object_new_string(ip_format(&status->dns[i], text)));
        if (r == 0 && status->domain)
                r = json_append(domains, json_object_new_string(status->domain));
        if (r == 0)
                r = json_set(object, "interfaces", TAKE_PTR(interfaces));
        if (r == 0)
                r = json_set(object, "dns_server_ips", TAKE_PTR(dns));
        if (r == 0)
                r = json_set(object, "dns_search_domains", TAKE_PTR(domains));
        return r == 0 ? TAKE_PTR(object) : NULL;
}
