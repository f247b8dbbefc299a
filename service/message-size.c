/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/message-size.h"

#include <string.h>

/* What each value costs beside its own length: its place in the message, and rawnetd's time to read
 * it. */
#define VALUE_COST 8u
/* D-Bus Specification, "Valid Signatures": 32 arrays in 32 structs; variants nest as well. */
#define DEPTH_MAX 16u

static int charge(size_t *left, size_t cost) {
        if (cost > *left)
                return -E2BIG;
        *left -= cost;
        return 0;
}

static bool is_number(char type) {
        return type != '\0' && strchr("ynqiuxtd", type);
}

static int read_value(sd_bus_message *m, char type, size_t *left) {
        uint64_t number; /* room for every type that is no string */
        const char *text;
        int r;

        if (!strchr("sog", type)) {
                r = sd_bus_message_read_basic(m, type, &number);
                return r < 0 ? r : charge(left, VALUE_COST);
        }
        r = sd_bus_message_read_basic(m, type, &text);
        return r < 0 ? r : charge(left, VALUE_COST + strlen(text));
}

/* An array of numbers at once. */
static int read_numbers(sd_bus_message *m, char type, size_t *left) {
        const void *data;
        size_t size;
        int r;

        r = sd_bus_message_read_array(m, type, &data, &size);
        return r < 0 ? r : charge(left, VALUE_COST + size);
}

/* Reads to the end of the container that m is in. */
static int read_all(sd_bus_message *m, size_t *left, unsigned depth) {
        for (;;) {
                const char *contents;
                char type;
                int r;

                r = sd_bus_message_peek_type(m, &type, &contents);
                if (r <= 0)
                        return r;
                if (type == SD_BUS_TYPE_ARRAY && is_number(contents[0])) {
                        r = read_numbers(m, contents[0], left);
                } else if (strchr("avre", type)) {
                        r = depth == 0 ? -E2BIG : charge(left, VALUE_COST);
                        if (r >= 0)
                                r = sd_bus_message_enter_container(m, type, contents);
                        if (r >= 0)
                                r = read_all(m, left, depth - 1);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                } else
                        r = read_value(m, type, left);
                if (r < 0)
                        return r;
        }
}

int message_size(sd_bus_message *m, size_t max, size_t *ret_size) {
        const char *path = sd_bus_message_get_path(m);
        size_t left = max;
        int r, rewound;

        r = charge(&left, path ? strlen(path) : 0);
        if (r >= 0)
                r = read_all(m, &left, DEPTH_MAX);
        rewound = sd_bus_message_rewind(m, true);
        if (r < 0)
                return r;
        if (rewound < 0)
                return rewound;
        *ret_size = max - left;
        return 0;
}
