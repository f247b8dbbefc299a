/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * netavark's StatusBlock: what podman shows of the container's interface, and the name servers that
 * it writes into the container's resolv.conf.
 */

#include <json-c/json.h>

#include "client/netavark/request.h"

#define NETAVARK_DNS_MAX 8u

typedef struct NetavarkStatus {
        NetavarkAddress addresses[NETAVARK_ADDRESSES_MAX];
        size_t n_addresses;
        IpAddress dns[NETAVARK_DNS_MAX];
        size_t n_dns;
        char *domain; /* NULL: none */
} NetavarkStatus;

void netavark_status_done(NetavarkStatus *status);

/* NULL without memory. */
json_object *netavark_status_json(const NetavarkStatus *status, const char *interface,
                                  const char *mac);
