/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/statistics.h"

#include <inttypes.h>
#include <string.h>

#include "common/drop.h"
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
                if (text_is_printable_ascii(name)) /* the name is shown on a terminal */
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

/* The reason's name; NULL: this counter is none of the guard's. */
static const char *drop_reason(const Counter *counter) {
        const size_t size = strlen(DROP_COUNTER_PREFIX);

        return strncmp(counter->name, DROP_COUNTER_PREFIX, size) == 0 ? counter->name + size : NULL;
}

uint64_t statistics_guard_dropped(const Statistics *statistics) {
        uint64_t dropped = 0;

        for (size_t i = 0; i < statistics->n; i++)
                if (drop_reason(&statistics->counters[i]))
                        dropped += statistics->counters[i].value;
        return dropped;
}

uint64_t statistics_dropped(const Statistics *statistics) {
        return statistics_get(statistics, "rx_dropped") + statistics_get(statistics, "tx_dropped") +
               statistics_guard_dropped(statistics);
}

/* A later rawnetd may have reasons that this version does not know. */
static void print_reason(FILE *out, const char *name) {
        const char *text = drop_text_of(name);

        if (text)
                fputs(text, out);
        for (; !text && *name; name++)
                fputc(*name == '_' ? ' ' : *name, out);
}

int statistics_guard_text(const Statistics *statistics, char **ret) {
        _cleanup_free_ char *text = NULL;
        const char *separator = "";
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return -errno;
        for (size_t i = 0; i < statistics->n; i++) {
                const Counter *counter = &statistics->counters[i];
                const char *name = drop_reason(counter);

                if (!name || counter->value == 0)
                        continue;
                fprintf(out, "%s%" PRIu64 " ", separator, counter->value);
                print_reason(out, name);
                separator = ", ";
        }
        if (fclose(out) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(text);
        return 0;
}
