/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp-lease.h"

#include <string.h>

#include "common/text.h"

#define BLANKS " \t\n"
#define NOTHING "-"

/* RFC 1035 and what is in use beside it. */
static bool is_domain(const char *text) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789.-_";
        size_t length = strlen(text);

        return length > 0 && length <= 253 && text[0] != '-' && strspn(text, letters) == length;
}

static void read_servers(const char *text, const char *separators, NetavarkStatus *lease) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = NULL;

        for (char *word = copy ? strtok_r(copy, separators, &rest) : NULL;
             word && lease->n_dns < NETAVARK_DNS_MAX; word = strtok_r(NULL, separators, &rest))
                if (ip_parse(word, false, &lease->dns[lease->n_dns]) == 0)
                        lease->n_dns++;
}

/* udhcpc writes several routers in the server's order of preference, RFC 2132 3.5. */
static void read_router(const char *text, NetavarkAddress *address) {
        _cleanup_free_ char *first = strndup(text, strcspn(text, BLANKS));

        if (!first || ip_parse(first, false, &address->gateway) < 0 ||
            address->gateway.family != AF_INET)
                address->gateway = (IpAddress){};
}

static const char *variable(const char *name) {
        const char *value = getenv(name);

        return value ? value : "";
}

int dhcp_lease_from_environment(NetavarkStatus *ret) {
        NetavarkStatus lease = {.n_addresses = 1};
        NetavarkAddress *address = &lease.addresses[0];
        uint32_t prefix;

        if (ip_parse(variable("ip"), false, &address->ip) < 0 || address->ip.family != AF_INET)
                return -EINVAL;
        /* udhcpc gives the subnet mask and, in "mask", its length. */
        if (text_parse_u32(variable("mask"), 0, 32, &prefix) == 0)
                address->ip.prefix = prefix;
        else if (ip_mask_parse(variable("subnet"), &address->ip.prefix) < 0)
                return -EINVAL;
        read_router(variable("router"), address);
        read_servers(variable("dns"), BLANKS, &lease);
        if (is_domain(variable("domain"))) {
                lease.domain = strdup(variable("domain"));
                if (!lease.domain)
                        return -ENOMEM;
        }
        *ret = lease;
        return 0;
}

void dhcp_lease_write(FILE *out, const NetavarkStatus *lease) {
        const NetavarkAddress *address = &lease->addresses[0];
        char text[IP_TEXT_SIZE];

        fputs(ip_format_prefix(&address->ip, text), out);
        fprintf(out, " %s ",
                address->gateway.family != 0 ? ip_format(&address->gateway, text) : NOTHING);
        for (size_t i = 0; i < lease->n_dns; i++)
                fprintf(out, "%s%s", i > 0 ? "," : "", ip_format(&lease->dns[i], text));
        fprintf(out, "%s %s\n", lease->n_dns == 0 ? NOTHING : "",
                lease->domain ? lease->domain : NOTHING);
}

int dhcp_lease_read(const char *line, NetavarkStatus *ret) {
        _cleanup_free_ char *copy = strdup(line);
        NetavarkStatus lease = {.n_addresses = 1};
        char *words[4], *rest = NULL;

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                words[i] = strtok_r(i == 0 ? copy : NULL, BLANKS, &rest);
                if (!words[i])
                        return -EINVAL;
        }
        if (ip_parse(words[0], true, &lease.addresses[0].ip) < 0)
                return -EINVAL;
        read_router(words[1], &lease.addresses[0]);
        read_servers(words[2], ",", &lease);
        if (strcmp(words[3], NOTHING) != 0 && is_domain(words[3])) {
                lease.domain = strdup(words[3]);
                if (!lease.domain)
                        return -ENOMEM;
        }
        *ret = lease;
        return 0;
}
