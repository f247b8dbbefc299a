/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Leases as they come and go. Anybody on the bus may send a signal to anybody: only signals of the
 * owner of rawnetd's name count.
 */

#include "client/watch.h"

#include <string.h>

#include "client/show.h"
#include "common/text.h"

#define DRIVER "org.freedesktop.DBus"
#define LOCAL "org.freedesktop.DBus.Local" /* sd-bus's own, sd_bus_set_exit_on_disconnect(3) */
#define TRIES_MAX 3u
#define LIST_USEC UINT64_C(60000000) /* rawnetd may have to be started, and its helper */

typedef struct Entry {
        LeaseObject lease;
        bool ended;  /* WATCH_ENDED was reported, or it was known as ended from the start */
        bool silent; /* its last descriptor is closed: no WATCH_REMOVED follows */
        bool seen;   /* in the list that is being read */
} Entry;

struct Watch {
        sd_bus *bus;
        const WatchHandler *handler;
        void *userdata;
        sd_bus_slot *signals, *owner_changes, *disconnect, *list;
        char *owner; /* the unique name that rawnetd has; NULL: none, or not known yet */
        Entry *entries;
        size_t n_entries, n_allocated;
        unsigned tries; /* questions for the list that rawnetd ended under */
        bool listed, failed;
};

const char *watch_event_to_string(WatchEvent event) {
        static const char *const names[] = {
                [WATCH_LISTED] = "listed", [WATCH_OPENED] = "opened",   [WATCH_CHANGED] = "changed",
                [WATCH_ENDED] = "ended",   [WATCH_REMOVED] = "removed",
        };

        return names[event];
}

size_t watch_count(const Watch *watch) {
        return watch->n_entries;
}

const LeaseObject *watch_lease(const Watch *watch, size_t i) {
        return &watch->entries[i].lease;
}

static void report(Watch *watch, WatchEvent event, const LeaseObject *lease, const char *reason) {
        if (!watch->failed)
                watch->handler->lease(watch->userdata, event, lease, reason);
}

static void fail(Watch *watch, int r, const Refusal *refusal) {
        if (watch->failed)
                return;
        watch->failed = true;
        watch->handler->failed(watch->userdata, r, refusal);
}

static void fail_errno(Watch *watch, int r) {
        Refusal refusal = {};

        r = bus_refuse(&SD_BUS_ERROR_NULL, r, &refusal);
        fail(watch, r, &refusal);
}

static Entry *find(Watch *watch, uint32_t id) {
        for (size_t i = 0; i < watch->n_entries; i++)
                if (watch->entries[i].lease.id == id)
                        return &watch->entries[i];
        return NULL;
}

/* It is gone. */
static void drop(Watch *watch, Entry *entry) {
        size_t i = (size_t)(entry - watch->entries);
        LeaseObject lease = entry->lease;

        if (!entry->ended)
                report(watch, WATCH_ENDED, &lease, "unknown");
        else if (!entry->silent)
                report(watch, WATCH_REMOVED, &lease, "");
        memmove(entry, entry + 1, (watch->n_entries - i - 1) * sizeof(*entry));
        watch->n_entries--;
        lease_object_done(&lease);
}

/* Takes *lease over. */
static int add(Watch *watch, LeaseObject *lease) {
        Entry *entry;

        if (GROW_ARRAY(watch->entries, watch->n_entries, watch->n_allocated) < 0)
                return -ENOMEM;
        entry = &watch->entries[watch->n_entries++];
        *entry =
                (Entry){.lease = *lease, .ended = strcmp(lease->state, "ended") == 0, .seen = true};
        *lease = (LeaseObject){};
        report(watch, watch->listed ? WATCH_OPENED : WATCH_LISTED, &entry->lease, "");
        return 0;
}

/* All that --json shows of a lease, to compare; the caller frees. */
static json_object *all_of(const LeaseObject *lease) {
        return json_of_fields(lease_fields, n_lease_fields, lease);
}

static bool differ(json_object *before, json_object *after) {
        return !before || !after || !json_object_equal(before, after);
}

/* A lease that rawnetd shows, new or known. Takes what it needs of *lease. */
static int put(Watch *watch, LeaseObject *lease) {
        Entry *entry = find(watch, lease->id);
        json_object *before, *after;

        /* The same number, but another lease. */
        if (entry && entry->lease.since != lease->since) {
                drop(watch, entry);
                entry = NULL;
        }
        if (!entry)
                return add(watch, lease);
        entry->seen = true;
        before = all_of(&entry->lease);
        after = all_of(lease);
        if (differ(before, after)) {
                lease_object_done(&entry->lease);
                entry->lease = *lease;
                *lease = (LeaseObject){};
                if (!entry->ended && strcmp(entry->lease.state, "ended") == 0) {
                        entry->ended = true;
                        report(watch, WATCH_ENDED, &entry->lease, "unknown");
                } else
                        report(watch, WATCH_CHANGED, &entry->lease, "");
        }
        json_object_put(before);
        json_object_put(after);
        return 0;
}

static int put_all(Watch *watch, Objects *objects) {
        int r = 0;

        for (size_t i = 0; i < objects->n_leases && r >= 0; i++)
                r = put(watch, &objects->leases[i]);
        return r;
}

/* The lease of an object's path. */
static bool path_to_id(const char *path, uint32_t *ret) {
        const size_t size = strlen(RAWNET_PATH_LEASE "/");

        return strncmp(path, RAWNET_PATH_LEASE "/", size) == 0 &&
               text_parse_u32(path + size, RAWNET_ID_MIN, RAWNET_ID_MAX, ret) == 0;
}

static int on_added(Watch *watch, sd_bus_message *m) {
        _cleanup_(objects_done) Objects objects = {};
        int r = objects_parse_added(m, &objects);

        return r < 0 ? r : put_all(watch, &objects);
}

static int on_removed(Watch *watch, sd_bus_message *m) {
        const char *path;
        uint32_t id;
        Entry *entry;
        int r = sd_bus_message_read_basic(m, 'o', &path);

        if (r < 0)
                return r;
        entry = path_to_id(path, &id) ? find(watch, id) : NULL;
        if (entry)
                drop(watch, entry);
        return 0;
}

static int on_changed(Watch *watch, sd_bus_message *m, Entry *entry) {
        json_object *before = all_of(&entry->lease), *after;
        const char *interface;
        int r;

        r = sd_bus_message_read_basic(m, 's', &interface);
        if (r >= 0 && strcmp(interface, RAWNET_IFACE_LEASE) == 0)
                r = bus_read_fields(m, lease_fields, n_lease_fields, &entry->lease);
        after = all_of(&entry->lease);
        if (r >= 0 && differ(before, after))
                report(watch, WATCH_CHANGED, &entry->lease, "");
        json_object_put(before);
        json_object_put(after);
        return r;
}

static int on_ended(Watch *watch, sd_bus_message *m, Entry *entry) {
        const char *reason;
        _cleanup_free_ char *shown = NULL;
        char *ended;
        int r = sd_bus_message_read_basic(m, 's', &reason);

        if (r < 0)
                return r;
        shown = strdup(reason);
        ended = strdup("ended");
        if (!shown || !ended) {
                free(ended);
                return -ENOMEM;
        }
        text_make_printable(shown);
        /* State follows where the lease is still held; that is no further change. */
        free(entry->lease.state);
        entry->lease.state = ended;
        entry->ended = true;
        entry->silent = strcmp(reason, "last-fd") == 0;
        report(watch, WATCH_ENDED, &entry->lease, shown);
        return 0;
}

static int dispatch(Watch *watch, sd_bus_message *m) {
        const char *path = sd_bus_message_get_path(m);
        Entry *entry;
        uint32_t id;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded"))
                return on_added(watch, m);
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved"))
                return on_removed(watch, m);
        entry = path && path_to_id(path, &id) ? find(watch, id) : NULL;
        if (!entry)
                return 0;
        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Properties", "PropertiesChanged"))
                return on_changed(watch, m, entry);
        if (sd_bus_message_is_signal(m, RAWNET_IFACE_LEASE, "Ended"))
                return on_ended(watch, m, entry);
        return 0;
}

static bool is_from(sd_bus_message *m, const char *name) {
        const char *sender = sd_bus_message_get_sender(m);

        return sender && name && strcmp(sender, name) == 0;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Watch *watch = userdata;
        int r;

        /* Signals before the list are in the list. */
        if (!is_from(m, watch->owner))
                return 0;
        r = dispatch(watch, m);
        if (r < 0)
                fail_errno(watch, r);
        return 0;
}

static int set_owner(Watch *watch, const char *name) {
        char *copy = name && *name ? strdup(name) : NULL;

        if (name && *name && !copy)
                return -ENOMEM;
        free(watch->owner);
        watch->owner = copy;
        return 0;
}

static int take_list(Watch *watch, sd_bus_message *reply) {
        _cleanup_(objects_done) Objects objects = {};
        int r = objects_parse(reply, &objects);

        if (r >= 0)
                r = set_owner(watch, sd_bus_message_get_sender(reply));
        for (size_t i = 0; i < watch->n_entries; i++)
                watch->entries[i].seen = false;
        if (r >= 0)
                r = put_all(watch, &objects);
        for (size_t i = watch->n_entries; i-- > 0 && r >= 0;)
                if (!watch->entries[i].seen)
                        drop(watch, &watch->entries[i]);
        return r;
}

static int on_list(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

static int ask(Watch *watch) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        watch->list = sd_bus_slot_unref(watch->list);
        r = sd_bus_message_new_method_call(watch->bus, &m, RAWNET_BUS_NAME, RAWNET_PATH,
                                           "org.freedesktop.DBus.ObjectManager",
                                           "GetManagedObjects");
        return r < 0 ? r
                     : sd_bus_call_async(watch->bus, &watch->list, m, on_list, watch, LIST_USEC);
}

static int on_list(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Watch *watch = userdata;
        Refusal refusal = {};
        int r;

        watch->list = sd_bus_slot_unref(watch->list);
        if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) > 0 &&
            sd_bus_is_open(watch->bus) > 0 && ++watch->tries < TRIES_MAX)
                r = ask(watch);
        else if (sd_bus_message_is_method_error(reply, NULL) > 0) {
                r = bus_refuse(sd_bus_message_get_error(reply), -sd_bus_message_get_errno(reply),
                               &refusal);
                fail(watch, r, &refusal);
                return 0;
        } else {
                r = take_list(watch, reply);
                if (r >= 0 && !watch->listed && watch->handler->listed)
                        watch->handler->listed(watch->userdata);
                watch->listed = watch->listed || r >= 0;
                watch->tries = 0;
        }
        if (r < 0)
                fail_errno(watch, r);
        return 0;
}

/* rawnetd ends when it has nothing to do. If it has left leases behind, rawnetctl asks it again,
 * which starts it. Otherwise it is left alone until another client needs it. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const char *name, *before, *after;
        Watch *watch = userdata;
        int r;

        if (!is_from(m, DRIVER))
                return 0;
        r = sd_bus_message_read(m, "sss", &name, &before, &after);
        if (r >= 0)
                r = set_owner(watch, after);
        if (r >= 0 && watch->listed && (*after || watch->n_entries > 0))
                r = ask(watch);
        if (r < 0)
                fail_errno(watch, r);
        return 0;
}

static int on_disconnect(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        if (is_from(m, LOCAL))
                fail_errno(userdata, -ECONNRESET);
        return 0;
}

int watch_start(sd_bus *bus, const WatchHandler *handler, void *userdata, Watch **ret,
                Refusal *ret_refusal) {
        _cleanup_(watch_freep) Watch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (Watch){.bus = sd_bus_ref(bus), .handler = handler, .userdata = userdata};
        r = sd_bus_add_match(bus, &watch->disconnect,
                             "type='signal',sender='" LOCAL "',interface='" LOCAL
                             "',member='Disconnected'",
                             on_disconnect, watch);
        if (r >= 0)
                r = sd_bus_add_match(bus, &watch->owner_changes,
                                     "type='signal',sender='" DRIVER
                                     "',member='NameOwnerChanged',arg0='" RAWNET_BUS_NAME "'",
                                     on_owner, watch);
        if (r >= 0)
                r = sd_bus_add_match(bus, &watch->signals,
                                     "type='signal',sender='" RAWNET_BUS_NAME
                                     "',path_namespace='" RAWNET_PATH "'",
                                     on_signal, watch);
        if (r >= 0)
                r = ask(watch);
        if (r < 0)
                return bus_refuse(&SD_BUS_ERROR_NULL, r, ret_refusal);
        *ret = TAKE_PTR(watch);
        return 0;
}

void watch_free(Watch *watch) {
        if (!watch)
                return;
        sd_bus_slot_unref(watch->signals);
        sd_bus_slot_unref(watch->owner_changes);
        sd_bus_slot_unref(watch->disconnect);
        sd_bus_slot_unref(watch->list);
        for (size_t i = 0; i < watch->n_entries; i++)
                lease_object_done(&watch->entries[i].lease);
        free(watch->entries);
        free(watch->owner);
        sd_bus_unref(watch->bus);
        free(watch);
}
