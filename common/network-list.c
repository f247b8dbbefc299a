/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which networks there are: the names of the files of the search path.
 */

#include <dirent.h>
#include <string.h>

#include "common/log.h"
#include "common/network-file.h"
#include "common/network-search.h"

/* Names while they are collected. */
typedef struct Names {
        char **name;
        size_t count, room;
} Names;

static void names_free(Names *names) {
        network_names_free(names->name, names->count);
}

void network_names_free(char **names, size_t count) {
        while (count > 0)
                free(names[--count]);
        free(names);
}

static int names_add(Names *names, const char *name, size_t length) {
        char *copy;

        if (GROW_ARRAY(names->name, names->count, names->room) < 0)
                return -ENOMEM;
        copy = strndup(name, length);
        if (!copy)
                return -ENOMEM;
        names->name[names->count++] = copy;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* May the first length bytes of a file's name be a network's? If not, logs why. */
static bool check_file_name(const char *dir, const char *file, size_t length) {
        size_t good = network_name_length(file);

        if (good < length)
                log_warning(
                        "%s/%s: ignored: a network's name has letters, digits, '-' and '_' only, and not "
                        "'%c'; rename the file",
                        dir, file, file[good]);
        else if (length == 0)
                log_warning("%s/%s: ignored: there is no name before " NETWORK_SUFFIX
                            "; rename the file",
                            dir, file);
        else if (length > RAWNET_NETWORK_NAME_MAX)
                log_warning(
                        "%s/%s: ignored: the name has %zu characters, and at most %u are allowed; rename the "
                        "file",
                        dir, file, length, RAWNET_NETWORK_NAME_MAX);
        else
                return true;
        return false;
}

/* Adds the NAME of every NAME.conf in dir. A missing directory has none. */
static int read_dir(const char *path, Names *names) {
        _cleanup_closedir_ DIR *dir = NULL;

        dir = opendir(path); /* CLOEXEC, opendir(3) */
        if (!dir)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        for (;;) {
                const struct dirent *entry;
                size_t length;
                int r;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                length = strlen(entry->d_name);
                if (length < strlen(NETWORK_SUFFIX) ||
                    strcmp(entry->d_name + length - strlen(NETWORK_SUFFIX), NETWORK_SUFFIX) != 0)
                        continue;
                length -= strlen(NETWORK_SUFFIX);
                if (!check_file_name(path, entry->d_name, length))
                        continue;
                r = names_add(names, entry->d_name, length);
                if (r < 0)
                        return r;
        }
}

/* Is there a network of that name? A file that cannot be opened counts as a network with a mistake.
 * 1, 0 or -errno. */
static int is_there(const char *const *dirs, const char *name) {
        _cleanup_(network_found_close) NetworkFound found = {.fd = -1};
        int r;

        r = network_search(dirs, name, &found);
        if (r == -ENAMETOOLONG || network_is_our_trouble(-r))
                return r;
        if (r < 0)
                return 1;
        return r > 0 && !network_is_mask(&found.st);
}

int network_file_list_at(const char *const *dirs, char ***ret_names, size_t *ret_count) {
        _cleanup_(names_free) Names names = {0};
        size_t kept = 0;
        int r;

        for (size_t i = 0; dirs[i]; i++) {
                r = read_dir(dirs[i], &names);
                if (r < 0)
                        return r;
        }
        if (names.count > 0)
                qsort(names.name, names.count, sizeof(*names.name), compare_names);
        /* Keeps the first of equal names, in place. A dropped name is freed and set to NULL at
         * once, so that an error in the middle frees every name once. */
        for (size_t i = 0; i < names.count; i++) {
                bool again = kept > 0 && strcmp(names.name[kept - 1], names.name[i]) == 0;

                r = again ? 0 : is_there(dirs, names.name[i]);
                if (r < 0)
                        return r;
                if (r > 0 && kept != i) {
                        char *dropped = names.name[kept];

                        names.name[kept] = names.name[i];
                        names.name[i] = dropped;
                }
                kept += r > 0;
        }
        while (names.count > kept)
                free(names.name[--names.count]);
        *ret_names = TAKE_PTR(names.name);
        *ret_count = names.count;
        names.count = 0;
        return 0;
}

int network_file_list(char ***ret_names, size_t *ret_count) {
        return network_file_list_at(network_dirs, ret_names, ret_count);
}
