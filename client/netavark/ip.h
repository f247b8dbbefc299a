/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * IP addresses with a prefix length, as podman writes them. Pure functions.
 */

#include <netinet/in.h>

#include "common/util.h"

typedef struct IpAddress {
        int family; /* AF_INET, AF_INET6; 0: none */
        uint8_t octet[16];
        unsigned prefix; /* bits; all of them where none was given */
} IpAddress;

#define IP_TEXT_SIZE (INET6_ADDRSTRLEN + 4u) /* an address, "/128", and the NUL */

/* 4 or 16 octets. */
size_t ip_size(const IpAddress *ip);

/* "192.0.2.7" or "192.0.2.7/24"; with a prefix required, without one refused where with_prefix says
 * so. 0 or -EINVAL. */
int ip_parse(const char *text, bool with_prefix, IpAddress *ret);
/* Without the prefix, and with it. Returns buffer. */
const char *ip_format(const IpAddress *ip, char buffer[static IP_TEXT_SIZE]);
const char *ip_format_prefix(const IpAddress *ip, char buffer[static IP_TEXT_SIZE]);

/* Is ip in subnet, whose host bits do not matter? */
bool ip_in_subnet(const IpAddress *ip, const IpAddress *subnet);

/* "255.255.255.0" is 24. 0 or -EINVAL. */
int ip_mask_parse(const char *text, unsigned *ret_prefix);
