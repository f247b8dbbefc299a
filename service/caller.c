/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/caller.h"

#include <string.h>

#define BUS_DAEMON "org.freedesktop.DBus"
#define BUS_DAEMON_PATH "/org/freedesktop/DBus"
/* Names kept, and questions open at a time. dbus-daemon lets a user have 256 connections
 * (dbus-daemon(1), max_connections_per_user); a name that was forgotten is asked for again. */
#define CALLERS_MAX 1024u
#define QUESTIONS_MAX 512u

typedef struct Caller {
        struct Caller *next;
        CallerTable *table;
        sd_bus_slot *question; /* the bus is being asked; uid is not known yet */
        uint32_t uid;
        char name[];
} Caller;

struct CallerTable {
        sd_bus *bus;
        CallerAnswer answer;
        void *userdata;
        Caller *first; /* the one that called last comes first */
        unsigned n_callers, n_questions;
};

static void caller_free(Caller *caller) {
        caller->table->n_callers--;
        if (caller->question) {
                caller->table->n_questions--;
                sd_bus_slot_unref(caller->question);
        }
        free(caller);
}

/* Where the pointer to the caller is stored, or to the NULL at the list's end. */
static Caller **caller_find(CallerTable *table, const char *name) {
        Caller **p = &table->first;

        while (*p && strcmp((*p)->name, name) != 0)
                p = &(*p)->next;
        return p;
}

/* Makes room for one more name: forgets the known name that has been idle for the longest time. */
static void forget_oldest(CallerTable *table) {
        Caller **oldest = NULL, *caller;

        for (Caller **p = &table->first; *p; p = &(*p)->next)
                if (!(*p)->question)
                        oldest = p;
        if (!oldest)
                return;
        caller = *oldest;
        *oldest = caller->next;
        caller_free(caller);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Caller *caller = userdata;
        CallerTable *table = caller->table;
        int r;

        caller->question = sd_bus_slot_unref(caller->question);
        table->n_questions--;
        if (sd_bus_message_is_method_error(reply, NULL) > 0)
                (void)sd_bus_error_copy(&error, sd_bus_message_get_error(reply));
        else {
                r = sd_bus_message_read_basic(reply, 'u', &caller->uid);
                if (r < 0)
                        (void)sd_bus_error_set_errno(&error, r);
        }
        if (!sd_bus_error_is_set(&error)) {
                table->answer(table->userdata, caller->name, caller->uid, NULL);
                return 1;
        }
        *caller_find(table, caller->name) = caller->next;
        table->answer(table->userdata, caller->name, 0, &error);
        caller_free(caller);
        return 1;
}

static int caller_ask(CallerTable *table, const char *name) {
        size_t size = strlen(name) + 1;
        Caller *caller;
        int r;

        if (table->n_questions >= QUESTIONS_MAX)
                return -ENOBUFS;
        caller = malloc(sizeof(*caller) + size);
        if (!caller)
                return -ENOMEM;
        *caller = (Caller){.table = table};
        memcpy(caller->name, name, size);
        /* The bus takes the uid from the socket's SO_PEERCRED at connect. The caller cannot choose
         * it. */
        r = sd_bus_call_method_async(table->bus, &caller->question, BUS_DAEMON, BUS_DAEMON_PATH,
                                     BUS_DAEMON, "GetConnectionUnixUser", on_answer, caller, "s",
                                     name);
        if (r < 0) {
                free(caller);
                return r;
        }
        if (table->n_callers >= CALLERS_MAX)
                forget_oldest(table);
        table->n_callers++;
        table->n_questions++;
        caller->next = table->first;
        table->first = caller;
        return 0;
}

int caller_uid(CallerTable *table, const char *name, uint32_t *ret_uid) {
        Caller **p = caller_find(table, name), *caller = *p;

        if (!caller)
                return caller_ask(table, name);
        *p = caller->next;
        caller->next = table->first;
        table->first = caller;
        if (caller->question)
                return 0;
        *ret_uid = caller->uid;
        return 1;
}

void caller_gone(CallerTable *table, const char *name) {
        Caller **p = caller_find(table, name), *caller = *p;

        if (!caller)
                return;
        *p = caller->next;
        caller_free(caller);
}

int caller_table_new(sd_bus *bus, CallerAnswer answer, void *userdata, CallerTable **ret) {
        CallerTable *table = malloc(sizeof(*table));

        if (!table)
                return -ENOMEM;
        *table = (CallerTable){.bus = bus, .answer = answer, .userdata = userdata};
        *ret = table;
        return 0;
}

void caller_table_free(CallerTable *table) {
        if (!table)
                return;
        while (table->first) {
                Caller *caller = table->first;

                table->first = caller->next;
                caller_free(caller);
        }
        free(table);
}
