/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * MAC addresses as QEMU takes them.
 */

#include "client/qemu/mac.h"

#include <string.h>

#include "common/mac.h"
#include "common/text.h"

/* One or two hex digits. */
static bool take_octet(const char **p, uint8_t *ret) {
        unsigned value = 0, n = 0;

        for (; n < 2 && text_hex_digit(**p) >= 0; n++, (*p)++)
                value = value * 16 + (unsigned)text_hex_digit(**p);
        *ret = (uint8_t)value;
        return n > 0;
}

char *qemu_mac_normalize(const char *text) {
        char buffer[MAC_TEXT_SIZE];
        const char *p = text;
        MacAddress mac;

        for (size_t i = 0; i < ARRAY_SIZE(mac.octet); i++) {
                if (!take_octet(&p, &mac.octet[i]))
                        return strdup(text);
                if (i + 1 < ARRAY_SIZE(mac.octet) ? *p != ':' && *p != '-' : *p != '\0')
                        return strdup(text);
                p += i + 1 < ARRAY_SIZE(mac.octet);
        }
        return strdup(mac_format(&mac, buffer));
}
