/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/counts.h"

#include <string.h>

static const char *const ends[COUNTED_ENDS] = {
        [COUNTED_LAST_FD] = "last-fd",
        [COUNTED_CLOSED] = "closed",
        [COUNTED_REVOKED] = "revoked",
        [COUNTED_LINK_GONE] = "link-gone",
        [COUNTED_INTERFACE_GONE] = "interface-gone",
};

NetworkCounts *counts_of(Counts *counts, const char *name) {
        NetworkCounts *network;

        for (size_t i = 0; i < counts->n; i++)
                if (strcmp(counts->networks[i].name, name) == 0)
                        return &counts->networks[i];
        if (GROW_ARRAY(counts->networks, counts->n, counts->n_allocated) < 0)
                return NULL;
        network = &counts->networks[counts->n++];
        *network = (NetworkCounts){};
        snprintf(network->name, sizeof(network->name), "%s", name);
        return network;
}

NetworkCounts *counts_of_full(Counts *counts, const char *full_name) {
        NetworkName name;

        return network_name_parse(full_name, &name, NULL) == 0 ? counts_of(counts, name.name)
                                                               : NULL;
}

void counts_refused(Counts *counts, const char *name, RawnetError error) {
        NetworkCounts *network = counts_of(counts, name);

        if (network)
                network->refused[error]++;
}

void counts_ended(NetworkCounts *network, const char *reason) {
        for (size_t i = 0; i < COUNTED_ENDS; i++)
                network->ended[i] += strcmp(ends[i], reason) == 0;
}

const char *counted_end_name(CountedEnd end) {
        return ends[end];
}

static void add_growth(uint64_t *total, uint64_t *seen, uint64_t now, bool known) {
        if (known)
                *total += now < *seen ? now : now - *seen;
        *seen = now;
}

void counts_read(NetworkCounts *network, SeenCounters *seen, const IpcStatistics *now) {
        for (size_t i = 0; i < COUNTED_TRAFFIC; i++)
                add_growth(&network->traffic[i], &seen->traffic[i], now->link[i], seen->known);
        for (size_t i = 0; i < DROP_REASONS; i++)
                add_growth(&network->dropped[i], &seen->dropped[i], now->drops[i], seen->known);
        seen->known = true;
}

void counts_done(Counts *counts) {
        free(counts->networks);
        *counts = (Counts){};
}
