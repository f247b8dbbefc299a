/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/bus-stats.h"

#include <string.h>

int bus_stats_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t answer, void *userdata,
                  sd_bus_slot **ret) {
        int r;

        r = sd_bus_call_method_async(bus, ret, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus.Debug.Stats", "GetConnectionStats",
                                     answer, userdata, "s", name);
        return MIN_OF(r, 0);
}

/* a{sv} */
static int read_number(sd_bus_message *answer, const char *wanted, uint32_t *ret) {
        int r;

        r = sd_bus_message_enter_container(answer, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(answer, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read_basic(answer, 's', &key);
                if (r < 0)
                        return r;
                if (strcmp(key, wanted) == 0)
                        return sd_bus_message_read(answer, "v", "u", ret);
                r = sd_bus_message_skip(answer, "v");
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(answer);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : -ENODATA;
}

int bus_stats_read(sd_bus_message *answer, const char *key, uint32_t *ret) {
        int r;

        if (sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NAME_HAS_NO_OWNER) > 0)
                return 0;
        if (sd_bus_message_is_method_error(answer, NULL) > 0)
                return -sd_bus_message_get_errno(answer);
        r = read_number(answer, key, ret);
        return r < 0 ? r : 1;
}
