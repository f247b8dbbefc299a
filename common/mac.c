/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/mac.h"

#include <assert.h>
#include <sha2.h>
#include <string.h>
#include <sys/random.h>

#include "common/text.h"

/* IEEE 802-2014, 8.2: the two low bits of the first octet. */
#define MAC_GROUP 0x01u
#define MAC_LOCAL 0x02u

/* Up to max octets with ':' between, to the end of text. Returns how many, or -EINVAL. */
static int parse_octets(const char *text, uint8_t *octets, int max) {
        int n = 0;

        for (;;) {
                int high, low;

                if (n == max)
                        return -EINVAL;
                high = text_hex_digit(text[0]);
                low = high < 0 ? -1 : text_hex_digit(text[1]);
                if (low < 0)
                        return -EINVAL;
                octets[n++] = (uint8_t)(high << 4 | low);
                text += 2;
                if (*text == '\0')
                        return n;
                if (*text++ != ':')
                        return -EINVAL;
        }
}

static const char *format_octets(const uint8_t *octets, size_t n, char *buffer) {
        static const char digits[] = "0123456789abcdef";
        char *p = buffer;

        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        *p++ = ':';
                *p++ = digits[octets[i] >> 4];
                *p++ = digits[octets[i] & 0x0f];
        }
        *p = '\0';
        return buffer;
}

static bool is_local_unicast(uint8_t first) {
        return (first & (MAC_LOCAL | MAC_GROUP)) == MAC_LOCAL;
}

int mac_parse(const char *text, MacAddress *ret) {
        MacAddress mac;

        if (parse_octets(text, mac.octet, sizeof(mac.octet)) != sizeof(mac.octet))
                return -EINVAL;
        *ret = mac;
        return 0;
}

const char *mac_format(const MacAddress *mac, char buffer[static MAC_TEXT_SIZE]) {
        return format_octets(mac->octet, sizeof(mac->octet), buffer);
}

bool mac_is_zero(const MacAddress *mac) {
        return mac_equal(mac, &(const MacAddress){0});
}

bool mac_equal(const MacAddress *a, const MacAddress *b) {
        return memcmp(a->octet, b->octet, sizeof(a->octet)) == 0;
}

int mac_prefix_parse(const char *text, MacPrefix *ret) {
        MacPrefix prefix = {0};

        if (text[0] != '\0') {
                int n = parse_octets(text, prefix.octet, sizeof(prefix.octet));

                if (n < 0)
                        return n;
                if ((prefix.octet[0] & MAC_GROUP) || (n < 3 && !(prefix.octet[0] & MAC_LOCAL)))
                        return -EINVAL;
                prefix.length = (uint8_t)n;
        }
        *ret = prefix;
        return 0;
}

const char *mac_prefix_format(const MacPrefix *prefix, char buffer[static MAC_TEXT_SIZE]) {
        return format_octets(prefix->octet, prefix->length, buffer);
}

int mac_prefixes_parse(const char *text, MacPrefixes *ret) {
        MacPrefixes prefixes = {0};

        for (const char *at = text + strspn(text, " \t"); *at; at += strspn(at, " \t")) {
                size_t length = strcspn(at, " \t");
                char word[MAC_TEXT_SIZE];

                if (length >= sizeof(word) || prefixes.n == MAC_PREFIXES_MAX)
                        return -EINVAL;
                memcpy(word, at, length);
                word[length] = '\0';
                if (mac_prefix_parse(word, &prefixes.prefix[prefixes.n]) < 0)
                        return -EINVAL;
                prefixes.n++;
                at += length;
        }
        if (prefixes.n == 0)
                prefixes.n = 1;
        *ret = prefixes;
        return 0;
}

const char *mac_prefixes_format(const MacPrefixes *prefixes,
                                char buffer[static MAC_PREFIXES_TEXT_SIZE]) {
        char *p = buffer;

        *p = '\0';
        for (size_t i = 0; i < prefixes->n; i++) {
                if (i > 0)
                        *p++ = ' ';
                (void)mac_prefix_format(&prefixes->prefix[i], p);
                p += strlen(p);
        }
        return buffer;
}

static bool begins_with(const MacAddress *mac, const MacPrefix *prefix) {
        if (prefix->length == 0)
                return is_local_unicast(mac->octet[0]);
        return memcmp(mac->octet, prefix->octet, prefix->length) == 0;
}

bool mac_allowed(const MacAddress *mac, const MacPrefixes *prefixes) {
        if ((mac->octet[0] & MAC_GROUP) || mac_is_zero(mac))
                return false;
        for (size_t i = 0; i < prefixes->n; i++)
                if (begins_with(mac, &prefixes->prefix[i]))
                        return true;
        return false;
}

/* Longer prefixes leave too few addresses. */
#define CHOOSE_LENGTH_MAX 4u
#define RESERVED_BITS 0xf0u

const MacPrefix *mac_prefix_to_choose(const MacPrefixes *prefixes) {
        for (size_t i = 0; i < prefixes->n; i++) {
                const MacPrefix *prefix = &prefixes->prefix[i];

                if (prefix->length <= CHOOSE_LENGTH_MAX &&
                    (prefix->length == 0 || is_local_unicast(prefix->octet[0])))
                        return prefix;
        }
        return NULL;
}

bool mac_is_reserved(const MacAddress *mac, const MacPrefix *prefix) {
        return prefix->length <= CHOOSE_LENGTH_MAX && begins_with(mac, prefix) &&
               (mac->octet[prefix->length] & RESERVED_BITS) == RESERVED_BITS;
}

bool mac_is_reserved_by(const MacAddress *mac, const MacPrefixes *prefixes) {
        for (size_t i = 0; i < prefixes->n; i++)
                if (mac_is_reserved(mac, &prefixes->prefix[i]))
                        return true;
        return false;
}

/* Six arbitrary octets become a locally administered unicast address under the prefix. */
static void put_under_prefix(const MacPrefix *prefix, MacAddress *mac) {
        assert(prefix->length <= CHOOSE_LENGTH_MAX);
        mac->octet[0] = (uint8_t)((mac->octet[0] | MAC_LOCAL) & ~MAC_GROUP);
        memcpy(mac->octet, prefix->octet, prefix->length);
}

int mac_random(const MacPrefix *prefix, MacAddress *ret) {
        MacAddress mac;
        ssize_t n;

        do {
                /* Up to 256 bytes come whole once the pool is ready, getrandom(2); before that a
                 * signal may interrupt. */
                do
                        n = getrandom(mac.octet, sizeof(mac.octet), 0);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        return -errno;
                if ((size_t)n != sizeof(mac.octet))
                        return -EIO;
                put_under_prefix(prefix, &mac);
        } while (mac_is_reserved(&mac, prefix));
        *ret = mac;
        return 0;
}

void mac_derive(const MacPrefix *prefix, const uint8_t key[static MAC_KEY_SIZE], uint32_t uid,
                const char *network, const char *name, MacAddress *ret) {
        uint8_t digest[SHA256_DIGEST_LENGTH];
        char uid_text[11]; /* 4294967295 and the NUL */
        SHA2_CTX context;
        MacAddress mac;
        int n;

        n = snprintf(uid_text, sizeof(uid_text), "%u", uid);
        SHA256Init(&context);
        SHA256Update(&context, key, MAC_KEY_SIZE);
        /* Each field with its NUL, so that ("ab", "c") and ("a", "bc") differ. */
        SHA256Update(&context, (const uint8_t *)uid_text, (size_t)n + 1);
        SHA256Update(&context, (const uint8_t *)network, strlen(network) + 1);
        SHA256Update(&context, (const uint8_t *)name, strlen(name) + 1);
        SHA256Final(digest, &context);

        memcpy(mac.octet, digest, sizeof(mac.octet));
        mac.octet[prefix->length] |= RESERVED_BITS;
        put_under_prefix(prefix, &mac);
        *ret = mac;
}
