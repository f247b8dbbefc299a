/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/unread.h"

#include <string.h>

#include "service/bus-stats.h"

/* The bus is asked about rawnetd itself once in this many calls. The longest reply, with 4,096
 * leases in it, has 2 MB. */
#define CALLS_PER_QUESTION 16u
/* Unread bytes of rawnetd's: where it begins to ask about callers, and where it gives the
 * connection up. */
#define CAREFUL_BYTES (8u * 1024 * 1024)
#define OVERFULL_BYTES (96u * 1024 * 1024)
/* Bytes that a caller may have unread in the bus, whoever sent them. Bytes in his socket do not
 * count. */
#define CALLER_BYTES (64u * 1024)
/* A caller who did not read is asked about again after this time. */
#define AGAIN_USEC UINT64_C(500000)
#define ENTRIES_MAX 512u

typedef enum UnreadState {
        UNREAD_ASKED,
        UNREAD_CLEAN, /* for one call */
        UNREAD_DEAF,
} UnreadState;

typedef struct Entry {
        struct Entry *next;
        UnreadTable *table;
        UnreadState state;
        uint64_t asked; /* µs, CLOCK_MONOTONIC */
        sd_bus_slot *question;
        char name[];
} Entry;

struct UnreadTable {
        sd_bus *bus;
        UnreadEvents events;
        void *userdata;
        sd_bus_slot *question; /* the question about rawnetd itself */
        unsigned n_calls;      /* since then */
        unsigned n_entries;
        bool careful, overfull;
        Entry *first; /* the newest */
};

static void entry_free(Entry **p) {
        Entry *e = *p;

        *p = e->next;
        e->table->n_entries--;
        sd_bus_slot_unref(e->question);
        free(e);
}

static void forget_all(UnreadTable *table) {
        while (table->first)
                entry_free(&table->first);
}

static Entry **entry_find(UnreadTable *table, const char *name) {
        Entry **p = &table->first;

        while (*p && strcmp((*p)->name, name) != 0)
                p = &(*p)->next;
        return p;
}

static int on_own_answer(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error) {
        UnreadTable *table = userdata;
        uint32_t bytes = 0;

        table->question = sd_bus_slot_unref(table->question);
        /* A bus that cannot say it has other limits. */
        (void)bus_stats_read(answer, BUS_STATS_INCOMING_BYTES, &bytes);
        if (table->careful && bytes <= CAREFUL_BYTES) {
                forget_all(table);
                table->events.known(table->userdata);
        }
        table->careful = bytes > CAREFUL_BYTES;
        if (bytes > OVERFULL_BYTES && !table->overfull) {
                table->overfull = true;
                table->events.overfull(table->userdata);
        }
        return 1;
}

/* Where the bus cannot be asked, the next call tries again. */
static void ask_about_us(UnreadTable *table) {
        const char *name;

        if (++table->n_calls < CALLS_PER_QUESTION || table->question ||
            sd_bus_get_unique_name(table->bus, &name) < 0)
                return;
        if (bus_stats_ask(table->bus, name, on_own_answer, table, &table->question) >= 0)
                table->n_calls = 0;
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *ret_error) {
        Entry *e = userdata;
        UnreadTable *table = e->table;
        uint32_t bytes = 0;

        e->question = sd_bus_slot_unref(e->question);
        (void)bus_stats_read(answer, BUS_STATS_OUTGOING_BYTES, &bytes);
        e->state = bytes > CALLER_BYTES ? UNREAD_DEAF : UNREAD_CLEAN;
        table->events.known(table->userdata);
        return 1;
}

static int ask_about(Entry *e, uint64_t now) {
        e->state = UNREAD_ASKED;
        e->asked = now;
        return bus_stats_ask(e->table->bus, e->name, on_answer, e, &e->question);
}

static Entry *entry_new(UnreadTable *table, const char *name) {
        size_t size = strlen(name) + 1;
        Entry *e, **last = &table->first;

        if (table->n_entries >= ENTRIES_MAX) {
                while ((*last)->next)
                        last = &(*last)->next;
                entry_free(last);
                table->events.known(table->userdata);
        }
        e = malloc(sizeof(*e) + size);
        if (!e)
                return NULL;
        *e = (Entry){.next = table->first, .table = table};
        memcpy(e->name, name, size);
        table->first = e;
        table->n_entries++;
        return e;
}

int unread_may_pass(UnreadTable *table, const char *name, uint64_t now) {
        Entry **p, *e;

        ask_about_us(table);
        if (!table->careful)
                return 1;
        p = entry_find(table, name);
        if (*p && (*p)->state == UNREAD_CLEAN) {
                entry_free(p);
                return 1;
        }
        if (*p && (*p)->state == UNREAD_ASKED)
                return 0;
        if (*p && now < (*p)->asked + AGAIN_USEC)
                return -EBUSY;
        e = *p ? *p : entry_new(table, name);
        if (!e)
                return -EBUSY;
        if (ask_about(e, now) >= 0)
                return 0;
        entry_free(entry_find(table, name));
        return -EBUSY;
}

void unread_gone(UnreadTable *table, const char *name) {
        Entry **p = entry_find(table, name);

        if (!*p)
                return;
        entry_free(p);
        table->events.known(table->userdata);
}

int unread_table_new(sd_bus *bus, const UnreadEvents *events, void *userdata, UnreadTable **ret) {
        UnreadTable *table = malloc(sizeof(*table));

        if (!table)
                return -ENOMEM;
        *table = (UnreadTable){.bus = bus, .events = *events, .userdata = userdata};
        *ret = table;
        return 0;
}

void unread_table_free(UnreadTable *table) {
        if (!table)
                return;
        forget_all(table);
        sd_bus_slot_unref(table->question);
        free(table);
}
