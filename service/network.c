/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/network.h"

#include <string.h>
#include <sys/inotify.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/network-file.h"

/* Editors write, rename and chmod in one go: one look is enough, at the time when a file that was
 * just changed counts as finished. */
#define SETTLE_USEC UINT64_C(150000)
/* A file that was unfinished or missing is read again after this time. */
#define AGAIN_USEC UINT64_C(250000)
/* Writers empty or remove a file before they write it anew: a network without a file is shown for
 * this long. */
#define GONE_USEC UINT64_C(1000000)

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

static NetworkEntry *entry_copy(const NetworkEntry *entry) {
        NetworkEntry *copy = calloc(1, sizeof(*copy));

        if (!copy)
                return NULL;
        *copy = *entry;
        copy->error = entry->error ? strdup(entry->error) : NULL;
        return entry->error && !copy->error ? entry_free(copy) : copy;
}

/* Sets *ret to NULL where there is no such file. 0, RAWNET_NETWORK_BUSY or -ENOMEM. */
static int entry_load(const char *name, NetworkEntry **ret) {
        NetworkEntry *entry = calloc(1, sizeof(*entry));
        Refusal refusal = {};
        int r;

        if (!entry)
                return -ENOMEM;
        r = network_file_load(name, &entry->network, &refusal);
        if (r == RAWNET_NO_SUCH_NETWORK || r == RAWNET_NETWORK_BUSY) {
                *ret = entry_free(entry);
                return r == RAWNET_NETWORK_BUSY ? r : 0;
        }
        if (r < 0)
                (void)refuse_errno(&refusal, r, "network %s: cannot read its file", name);
        if (r != 0) {
                /* Whatever the result of the reading, the name is the one that was asked for. */
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

/* What is shown of a network from now on; *ret is NULL for nothing. old: what is shown of it, or
 * NULL. While its file is being written, and for GONE_USEC without one, that is what was shown
 * before, and *again is set. 0 or -errno. */
static int entry_next(const char *name, const NetworkEntry *old, bool *again, NetworkEntry **ret) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC), gone_since = 0;
        int r;

        r = entry_load(name, ret);
        if (r < 0 || *ret)
                return MIN_OF(r, 0);
        *again = *again || r == RAWNET_NETWORK_BUSY;
        if (!old)
                return 0;
        if (r == 0) {
                gone_since = old->gone_since ? old->gone_since : now;
                if (now - gone_since >= GONE_USEC)
                        return 0;
                *again = true;
        }
        *ret = entry_copy(old);
        if (!*ret)
                return -ENOMEM;
        (*ret)->gone_since = gone_since;
        return 0;
}

/* One walk over the files' names and what is shown now, both sorted. ret has room for both. */
static int entries_merge(const NetworkTable *table, char **names, size_t n_names, bool *again,
                         NetworkEntry **ret, size_t *ret_n) {
        size_t i = 0, j = 0, n = 0;
        int r = 0;

        while (r >= 0 && (i < table->n_entries || j < n_names)) {
                const NetworkEntry *old = i < table->n_entries ? table->entries[i] : NULL;
                const char *name = j < n_names ? names[j] : NULL;
                int order = !old ? 1 : !name ? -1 : strcmp(old->network.name, name);

                r = entry_next(order > 0 ? name : old->network.name, order > 0 ? NULL : old, again,
                               &ret[n]);
                n += r >= 0 && ret[n];
                i += order <= 0;
                j += order >= 0;
        }
        *ret_n = n;
        return r;
}

/* again: some files have to be read once more. */
static int entries_load(const NetworkTable *table, NetworkEntry ***ret_entries, size_t *ret_n,
                        bool *ret_again) {
        NetworkEntry **entries = NULL;
        char **names = NULL;
        size_t n_names = 0, n = 0;
        bool again = false;
        int r;

        r = network_file_list(&names, &n_names);
        if (r < 0)
                return r;
        entries = calloc(table->n_entries + n_names + 1, sizeof(NetworkEntry *));
        r = entries ? entries_merge(table, names, n_names, &again, entries, &n) : -ENOMEM;
        network_names_free(names, n_names);
        if (r < 0) {
                entries_free(entries, n);
                return r;
        }
        *ret_entries = entries;
        *ret_n = n;
        *ret_again = again;
        return 0;
}

static void log_bad(const NetworkEntry *before, const NetworkEntry *now) {
        if (now->error && !(before && before->error && strcmp(before->error, now->error) == 0))
                log_warning("%s", now->error);
}

/* Both lists are sorted: one walk finds what came, went and changed. */
static void entries_compare(const NetworkTable *table, NetworkEntry **old, size_t n_old,
                            NetworkEntry **new, size_t n_new) {
        size_t i = 0, j = 0;

        while (i < n_old || j < n_new) {
                int order = i == n_old   ? 1
                            : j == n_new ? -1
                                         : strcmp(old[i]->network.name, new[j]->network.name);

                if (order < 0) {
                        table->events->removed(table->data, old[i++]->network.name);
                } else if (order > 0) {
                        log_bad(NULL, new[j]);
                        table->events->added(table->data, new[j++]);
                } else {
                        log_bad(old[i], new[j]);
                        table->events->changed(table->data, old[i++], new[j++]);
                }
        }
}

/* A network whose file may no longer ask for its host interface. Of a bad file that is not known.
 */
static bool has_host_interface(NetworkEntry **entries, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (entries[i]->error || entries[i]->network.host_interface[0])
                        return true;
        return false;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata);

static void watch_one(NetworkTable *table, const char *path) {
        const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
                              IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
        int r;

        if (table->n_watches == NETWORK_WATCHES_MAX)
                return;
        r = sd_event_add_inotify(table->event, &table->watches[table->n_watches], path, mask,
                                 on_inotify, table);
        if (r >= 0)
                table->n_watches++;
        else if (r != -ENOENT && r != -ENOTDIR)
                log_warning(
                        "cannot watch %s, changes there show after a restart only (opening reads the file itself): %s",
                        path, strerror(-r));
}

/* Each search directory, and every directory above it but the root: any may come, go or be
 * replaced. */
static void watch_all(NetworkTable *table) {
        for (size_t i = 0; i < table->n_watches; i++)
                sd_event_source_disable_unref(table->watches[i]);
        table->n_watches = 0;
        for (size_t i = 0; i < ARRAY_SIZE(network_dirs); i++) {
                _cleanup_free_ char *path = strdup(network_dirs[i]);

                while (path && path[0]) {
                        watch_one(table, path);
                        *strrchr(path, '/') = '\0';
                }
        }
}

static int on_rescan(sd_event_source *source, uint64_t usec, void *userdata);

static void rescan_later(NetworkTable *table, uint64_t usec) {
        int r;

        if (table->rescan_source)
                return;
        r = sd_event_add_time_relative(table->event, &table->rescan_source, CLOCK_MONOTONIC, usec,
                                       1000, on_rescan, table);
        if (r < 0)
                log_error("cannot follow the network files: %s", strerror(-r));
}

static void settle(NetworkTable *table) {
        bool host = table->host;

        if (!table->unsettled)
                return;
        table->unsettled = table->host = false;
        table->events->settled(table->data, host);
}

static int on_rescan(sd_event_source *source, uint64_t usec, void *userdata) {
        NetworkTable *table = userdata;
        NetworkEntry **old = table->entries, **entries;
        size_t n_old = table->n_entries, n;
        bool again;
        int r;

        table->rescan_source = sd_event_source_disable_unref(table->rescan_source);
        /* Watches first and reads then: a change in between is seen twice, and not missed. */
        watch_all(table);
        r = entries_load(table, &entries, &n, &again);
        if (r < 0) {
                log_error("cannot read the network files: %s", strerror(-r));
                return 0;
        }
        table->entries = entries;
        table->n_entries = n;
        entries_compare(table, old, n_old, entries, n);
        table->unsettled = true;
        table->host = table->host || has_host_interface(old, n_old);
        entries_free(old, n_old);
        if (again)
                rescan_later(table, AGAIN_USEC);
        else
                settle(table);
        return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        NetworkTable *table = userdata;

        /* In the directories above, only the next part of a search path is of interest; in the
         * search directories, files. */
        if (event->len > 0 && !strstr(event->name, ".conf") && strcmp(event->name, "rawnet") != 0 &&
            strcmp(event->name, "networks") != 0)
                return 0;
        rescan_later(table, SETTLE_USEC);
        return 0;
}

int network_table_start(NetworkTable *table) {
        bool again;
        int r;

        watch_all(table);
        r = entries_load(table, &table->entries, &table->n_entries, &again);
        if (r < 0)
                return r;
        for (size_t i = 0; i < table->n_entries; i++)
                log_bad(NULL, table->entries[i]);
        /* The helper's first sweep leaves alone what an unfinished file asks for. */
        table->unsettled = table->host = again;
        if (again)
                rescan_later(table, AGAIN_USEC);
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
