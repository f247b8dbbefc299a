/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/status.h"

void netavark_status_done(NetavarkStatus *status) {
        free(status->domain);
        *status = (NetavarkStatus){};
}

static void put_objectp(json_object **object) {
        json_object_put(*object);
}

#define _cleanup_object_ _cleanup_(put_objectp)

/* Takes value, which may be NULL, in every case. */
static int set_member(json_object *object, const char *key, json_object *value) {
        if (value && json_object_object_add(object, key, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static int append(json_object *array, json_object *value) {
        if (value && json_object_array_add(array, value) == 0)
                return 0;
        json_object_put(value);
        return -ENOMEM;
}

static json_object *address_json(const NetavarkAddress *address) {
        _cleanup_object_ json_object *object = json_object_new_object();
        char text[IP_TEXT_SIZE];
        int r;

        if (!object)
                return NULL;
        r = set_member(object, "ipnet",
                       json_object_new_string(ip_format_prefix(&address->ip, text)));
        if (r == 0 && address->gateway.family != 0)
                r = set_member(object, "gateway",
                               json_object_new_string(ip_format(&address->gateway, text)));
        return r == 0 ? TAKE_PTR(object) : NULL;
}

static json_object *interface_json(const NetavarkStatus *status, const char *mac) {
        _cleanup_object_ json_object *object = json_object_new_object(),
                                     *subnets = json_object_new_array();
        int r;

        if (!object || !subnets)
                return NULL;
        r = set_member(object, "mac_address", json_object_new_string(mac));
        for (size_t i = 0; r == 0 && i < status->n_addresses; i++)
                r = append(subnets, address_json(&status->addresses[i]));
        if (r == 0)
                r = set_member(object, "subnets", TAKE_PTR(subnets));
        return r == 0 ? TAKE_PTR(object) : NULL;
}

json_object *netavark_status_json(const NetavarkStatus *status, const char *interface,
                                  const char *mac) {
        _cleanup_object_ json_object *object = json_object_new_object(),
                                     *interfaces = json_object_new_object(),
                                     *dns = json_object_new_array(),
                                     *domains = json_object_new_array();
        char text[IP_TEXT_SIZE];
        int r;

        if (!object || !interfaces || !dns || !domains)
                return NULL;
        r = set_member(interfaces, interface, interface_json(status, mac));
        for (size_t i = 0; r == 0 && i < status->n_dns; i++)
                r = append(dns, json_object_new_string(ip_format(&status->dns[i], text)));
        if (r == 0 && status->domain)
                r = append(domains, json_object_new_string(status->domain));
        if (r == 0)
                r = set_member(object, "interfaces", TAKE_PTR(interfaces));
        if (r == 0)
                r = set_member(object, "dns_server_ips", TAKE_PTR(dns));
        if (r == 0)
                r = set_member(object, "dns_search_domains", TAKE_PTR(domains));
        return r == 0 ? TAKE_PTR(object) : NULL;
}
