/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/network.h"

#include <string.h>
#include <sys/inotify.h>

#include "common/log.h"
#include "service/host.h"
#include "service/service.h"

/* Editors write, rename and chmod in one go: look once, a little later. */
#define SETTLE_USEC UINT64_C(50000)

static const char *const network_dirs[] = {RAWNET_NETWORK_DIRS};

static NetworkEntry *entry_free(NetworkEntry *entry) {
        if (entry) {
                free(entry->error);
                free(entry);
        }
        return NULL;
}

static void entries_free(NetworkEntry **entries, size_t n) {
        for (size_t i = 0; i < n; i++)
                entry_free(entries[i]);
        free(entries);
}

/* Sets *ret to NULL where the file is gone by now. 0 or -ENOMEM. */
static int entry_load(const char *name, NetworkEntry **ret) {
        NetworkEntry *entry = calloc(1, sizeof(*entry));
        Refusal refusal = {};
        int r;

        if (!entry)
                return -ENOMEM;
        r = network_file_load(name, &entry->network, &refusal);
        if (r == RAWNET_NO_SUCH_NETWORK) {
                *ret = entry_free(entry);
                return 0;
        }
        if (r < 0)
                (void)refuse_errno(&refusal, r, "network %s: cannot read its file", name);
        if (r != 0) {
                /* Whatever else it came to, the name is the one that was asked for. */
                snprintf(entry->network.name, sizeof(entry->network.name), "%s", name);
                entry->error = strdup(refusal.text);
                if (!entry->error) {
                        entry_free(entry);
                        return -ENOMEM;
                }
        }
        *ret = entry;
        return 0;
}

static int entries_load(NetworkEntry ***ret_entries, size_t *ret_n) {
        NetworkEntry **entries = NULL;
        char **names = NULL;
        size_t n_names = 0, n = 0;
        int r;

        r = network_file_list(&names, &n_names);
        if (r < 0)
                return r;
        entries = calloc(n_names + 1, sizeof(NetworkEntry *));
        if (!entries)
                r = -ENOMEM;
        for (size_t i = 0; i < n_names && r >= 0; i++) {
                r = entry_load(names[i], &entries[n]);
                n += r == 0 && entries[n];
        }
        network_names_free(names, n_names);
        if (r < 0) {
                entries_free(entries, n);
                return r;
        }
        *ret_entries = entries;
        *ret_n = n;
        return 0;
}

/* Both lists are sorted: one walk finds what came, went and changed. */
static void entries_compare(Service *service, NetworkEntry **old, size_t n_old, NetworkEntry **new,
                            size_t n_new) {
        size_t i = 0, j = 0;

        while (i < n_old || j < n_new) {
                int order = i == n_old   ? 1
                            : j == n_new ? -1
                                         : strcmp(old[i]->network.name, new[j]->network.name);

                if (order < 0)
                        network_object_removed(service, old[i++]->network.name);
                else if (order > 0)
                        network_object_added(service, new[j++]);
                else
                        network_object_changed(service, old[i++], new[j++]);
        }
}

static void log_bad(NetworkEntry **entries, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (entries[i]->error)
                        log_warning("%s", entries[i]->error);
}

/* One that its file may have ceased to ask for. Of a bad file nothing is known. */
static bool has_host_leg(NetworkEntry **entries, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (entries[i]->error || entries[i]->network.host_interface[0])
                        return true;
        return false;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata);

static void watch_one(Service *service, const char *path) {
        const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
                              IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
        NetworkTable *table = &service->networks;
        int r;

        if (table->n_watches == NETWORK_WATCHES_MAX)
                return;
        r = sd_event_add_inotify(service->event, &table->watches[table->n_watches], path, mask,
                                 on_inotify, service);
        if (r >= 0)
                table->n_watches++;
        else if (r != -ENOENT && r != -ENOTDIR)
                log_warning(
                        "cannot watch %s, changes there show after a restart only (opening reads the file itself): %s",
                        path, strerror(-r));
}

/* Each search directory, and every directory above it but the root: any may come, go or be
 * replaced. */
static void watch_all(Service *service) {
        NetworkTable *table = &service->networks;

        for (size_t i = 0; i < table->n_watches; i++)
                sd_event_source_disable_unref(table->watches[i]);
        table->n_watches = 0;
        for (size_t i = 0; i < ARRAY_SIZE(network_dirs); i++) {
                _cleanup_free_ char *path = strdup(network_dirs[i]);

                while (path && path[0]) {
                        watch_one(service, path);
                        *strrchr(path, '/') = '\0';
                }
        }
}

static int on_rescan(sd_event_source *source, uint64_t usec, void *userdata) {
        Service *service = userdata;
        NetworkTable *table = &service->networks;
        NetworkEntry **old = table->entries, **entries;
        size_t n_old = table->n_entries, n;
        int r;

        table->rescan_source = sd_event_source_disable_unref(table->rescan_source);
        /* First watch, then read: what changes in between is seen twice, not missed. */
        watch_all(service);
        r = entries_load(&entries, &n);
        if (r < 0) {
                log_error("cannot read the network files: %s", strerror(-r));
                return 0;
        }
        table->entries = entries;
        table->n_entries = n;
        log_bad(entries, n);
        entries_compare(service, old, n_old, entries, n);
        if (service->host_asked || has_host_leg(old, n_old))
                host_sweep(service);
        entries_free(old, n_old);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Service *service = userdata;
        NetworkTable *table = &service->networks;
        int r;

        /* In the directories above, only the next part of a search path is of interest; in the
         * search directories, files. */
        if (event->len > 0 && !strstr(event->name, ".conf") && strcmp(event->name, "rawnet") != 0 &&
            strcmp(event->name, "networks") != 0)
                return 0;
        if (table->rescan_source)
                return 0;
        r = sd_event_add_time_relative(service->event, &table->rescan_source, CLOCK_MONOTONIC,
                                       SETTLE_USEC, 1000, on_rescan, service);
        if (r < 0)
                log_error("cannot follow the network files: %s", strerror(-r));
        return 0;
}

int network_table_start(Service *service) {
        NetworkTable *table = &service->networks;
        int r;

        watch_all(service);
        r = entries_load(&table->entries, &table->n_entries);
        if (r < 0)
                return r;
        log_bad(table->entries, table->n_entries);
        return 0;
}

void network_table_done(NetworkTable *table) {
        for (size_t i = 0; i < table->n_watches; i++)
                sd_event_source_disable_unref(table->watches[i]);
        sd_event_source_disable_unref(table->rescan_source);
        entries_free(table->entries, table->n_entries);
        *table = (NetworkTable){};
}

NetworkEntry *network_table_find(const NetworkTable *table, const char *name) {
        for (size_t i = 0; i < table->n_entries; i++)
                if (strcmp(table->entries[i]->network.name, name) == 0)
                        return table->entries[i];
        return NULL;
}
