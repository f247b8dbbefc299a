/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

static unsigned bits_of(const AddressPrefix *a) {
        return a->family == 4 ? 32 : 128;
}

/* Are all bits behind the prefix zero? */
static bool is_aligned(const AddressPrefix *a) {
        for (unsigned bit = a->length; bit < 8 * sizeof(a->octet); bit++)
                if (a->octet[bit / 8] & (0x80u >> bit % 8))
                        return false;
        return true;
}

/* Of a host, as far as its first bits say: not of a group, not of the machine itself, not of "this
 * network", not IPv4 in an IPv6 form. */
static bool is_host(const AddressPrefix *a) {
        static const uint8_t zero[10];

        if (a->family == 4)
                return a->octet[0] != 0 && a->octet[0] != 127 && a->octet[0] < 224;
        return a->octet[0] != 0xff && memcmp(a->octet, zero, sizeof(zero)) != 0;
}

static bool is_valid(const AddressPrefix *a) {
        return (a->family == 4 || a->family == 6) && a->length >= 1 && a->length <= bits_of(a) &&
               is_aligned(a) && is_host(a);
}

static int parse_family(const char *text, AddressPrefix *ret) {
        AddressPrefix a = {.family = 4};

        if (inet_pton(AF_INET, text, a.octet) != 1) {
                a.family = 6;
                if (inet_pton(AF_INET6, text, a.octet) != 1)
                        return -EINVAL;
        }
        a.length = (uint8_t)bits_of(&a);
        *ret = a;
        return 0;
}

int address_parse(const char *text, const char *what, const char *name, AddressPrefix *ret,
                  Refusal *ret_refusal) {
        const char *slash = strchr(text, '/');
        const size_t size = slash ? (size_t)(slash - text) : strlen(text);
        char address[INET6_ADDRSTRLEN];
        AddressPrefix a = {};
        uint32_t length;

        if (size >= sizeof(address))
                goto bad;
        memcpy(address, text, size);
        address[size] = '\0';
        if (parse_family(address, &a) < 0)
                goto bad;
        if (slash) {
                if (text_parse_u32(slash + 1, 1, bits_of(&a), &length) < 0)
                        return refuse(
                                ret_refusal, RAWNET_INVALID_ARGS,
                                "%s %s: '%.64s': the length of this prefix is a number from 1 "
                                "to %u",
                                what, name, text, bits_of(&a));
                a.length = (uint8_t)length;
        }
        if (!is_aligned(&a))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s %s: '%.64s' is neither an address nor a network: it has bits "
                              "behind the prefix; write %s for the address, or the network's first "
                              "address with /%u",
                              what, name, text, address, a.length);
        if (!is_host(&a))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s %s: '%.64s' is no address that a host sends from on a network",
                              what, name, text);
        *ret = a;
        return 0;
bad:
        return refuse(
                ret_refusal, RAWNET_INVALID_ARGS,
                "%s %s: '%.64s' is no IP address; write one such as 10.0.0.9 or fd00::9, or a "
                "network such as 10.0.0.0/24",
                what, name, text);
}

const char *address_format(const AddressPrefix *a, char buffer[static ADDRESS_TEXT_SIZE]) {
        buffer[0] = '\0';
        if (a->family == 0)
                return buffer;
        (void)inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->octet, buffer, ADDRESS_TEXT_SIZE);
        if (a->length < bits_of(a)) {
                const size_t n = strlen(buffer);

                snprintf(buffer + n, ADDRESS_TEXT_SIZE - n, "/%u", a->length);
        }
        return buffer;
}

size_t address_list_count(const AddressList *list) {
        size_t n = 0;

        while (n < ADDRESSES_MAX && list->address[n].family != 0)
                n++;
        return n;
}

int address_list_add(AddressList *list, const char *text, const char *what, const char *name,
                     Refusal *ret_refusal) {
        const size_t n = address_list_count(list);

        if (n == ADDRESSES_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s %s: more than %u addresses; name a network instead, such as "
                              "10.0.0.0/24",
                              what, name, ADDRESSES_MAX);
        return address_parse(text, what, name, &list->address[n], ret_refusal);
}

const char *address_list_format(const AddressList *list,
                                char buffer[static ADDRESS_LIST_TEXT_SIZE]) {
        const size_t n = address_list_count(list);
        size_t size = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        buffer[size++] = ' ';
                size += strlen(address_format(&list->address[i], buffer + size));
        }
        return buffer;
}

bool address_list_is_valid(const AddressList *list) {
        static const AddressPrefix none;
        const size_t n = address_list_count(list);

        for (size_t i = 0; i < ADDRESSES_MAX; i++)
                if (i < n ? !is_valid(&list->address[i])
                          : memcmp(&list->address[i], &none, sizeof(none)) != 0)
                        return false;
        return true;
}

bool address_is_single(const AddressPrefix *a) {
        return (a->family == 4 || a->family == 6) && a->length == bits_of(a) &&
               (a->family == 6 || is_aligned(a));
}
