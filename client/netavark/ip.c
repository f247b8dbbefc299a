/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/text.h"

size_t ip_size(const IpAddress *ip) {
        return ip->family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
}

static int parse_prefix(const char *text, unsigned bits, unsigned *ret) {
        uint32_t prefix;

        if (text_parse_u32(text, 0, bits, &prefix) < 0)
                return -EINVAL;
        *ret = prefix;
        return 0;
}

int ip_parse(const char *text, bool with_prefix, IpAddress *ret) {
        const char *slash = strchr(text, '/');
        size_t length = slash ? (size_t)(slash - text) : strlen(text);
        char address[INET6_ADDRSTRLEN];
        IpAddress ip = {};

        if ((slash != NULL) != with_prefix || length >= sizeof(address))
                return -EINVAL;
        memcpy(address, text, length);
        address[length] = '\0';
        ip.family = strchr(address, ':') ? AF_INET6 : AF_INET;
        if (inet_pton(ip.family, address, ip.octet) != 1)
                return -EINVAL;
        ip.prefix = 8 * (unsigned)ip_size(&ip);
        if (slash && parse_prefix(slash + 1, ip.prefix, &ip.prefix) < 0)
                return -EINVAL;
        *ret = ip;
        return 0;
}

const char *ip_format(const IpAddress *ip, char buffer[static IP_TEXT_SIZE]) {
        if (!inet_ntop(ip->family, ip->octet, buffer, IP_TEXT_SIZE))
                *buffer = '\0';
        return buffer;
}

const char *ip_format_prefix(const IpAddress *ip, char buffer[static IP_TEXT_SIZE]) {
        size_t length = strlen(ip_format(ip, buffer));

        snprintf(buffer + length, IP_TEXT_SIZE - length, "/%u", ip->prefix);
        return buffer;
}

bool ip_in_subnet(const IpAddress *ip, const IpAddress *subnet) {
        unsigned whole = subnet->prefix / 8, rest = subnet->prefix % 8;

        if (ip->family != subnet->family || memcmp(ip->octet, subnet->octet, whole) != 0)
                return false;
        return rest == 0 || (ip->octet[whole] ^ subnet->octet[whole]) >> (8 - rest) == 0;
}

int ip_mask_parse(const char *text, unsigned *ret_prefix) {
        struct in_addr address;
        uint32_t mask;

        if (inet_pton(AF_INET, text, &address) != 1)
                return -EINVAL;
        mask = ntohl(address.s_addr);
        /* Ones, then zeros: its complement is one less than a power of two. */
        if ((~mask & (~mask + 1)) != 0)
                return -EINVAL;
        *ret_prefix = (unsigned)__builtin_popcount(mask);
        return 0;
}
