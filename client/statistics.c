/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/statistics.h"

#include <string.h>

#include "common/text.h"

#define COUNTERS_MAX 256u

static int add_counter(Statistics *statistics, const char *name, uint64_t value) {
        char *copy;

        if (statistics->n == COUNTERS_MAX)
                return -EBADMSG;
        if (GROW_ARRAY(statistics->counters, statistics->n, statistics->n_allocated) < 0)
                return -ENOMEM;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        statistics->counters[statistics->n++] = (Counter){.name = copy, .value = value};
        return 0;
}

int statistics_read(sd_bus_message *m, Statistics *ret) {
        _cleanup_(statistics_done) Statistics statistics = {};
        const char *name;
        uint64_t value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{st}");
        while (r >= 0 && (r = sd_bus_message_read(m, "{st}", &name, &value)) > 0)
                if (text_is_printable_ascii(name)) /* it ends up on a terminal */
                        r = add_counter(&statistics, name, value);
        if (r < 0)
                return r;
        *ret = statistics;
        statistics = (Statistics){};
        return 0;
}

void statistics_done(Statistics *statistics) {
        for (size_t i = 0; i < statistics->n; i++)
                free(statistics->counters[i].name);
        free(statistics->counters);
        *statistics = (Statistics){};
}

uint64_t statistics_get(const Statistics *statistics, const char *name) {
        for (size_t i = 0; i < statistics->n; i++)
                if (strcmp(statistics->counters[i].name, name) == 0)
                        return statistics->counters[i].value;
        return 0;
}

uint64_t statistics_dropped(const Statistics *statistics) {
        const size_t size = strlen(STATISTICS_DROPPED_PREFIX);
        uint64_t dropped =
                statistics_get(statistics, "rx_dropped") + statistics_get(statistics, "tx_dropped");

        for (size_t i = 0; i < statistics->n; i++)
                if (strncmp(statistics->counters[i].name, STATISTICS_DROPPED_PREFIX, size) == 0)
                        dropped += statistics->counters[i].value;
        return dropped;
}
