/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/system-bus.h"

#include <string.h>
#include <sys/stat.h>

#include "common/text.h"
#include "common/util.h"

#define ADDRESS_VARIABLE "DBUS_SYSTEM_BUS_ADDRESS"
#define ADDRESS_PREFIX "unix:path="
#define DEFAULT_PATH "/run/dbus/system_bus_socket" /* sd_bus_open_system(3) */
/* plugin, netavark, podman, conmon, and some shells between. */
#define ANCESTORS_MAX 16u

static bool is_socket(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* A thread of the ancestor that has another /run than we have: podman's main thread may be the one
 * that runs us, so all of them count. 1 with *ret, 0, or -ENOMEM. */
static int find_thread(pid_t pid, const char *path, char **ret) {
        _cleanup_closedir_ DIR *dir = NULL;
        _cleanup_free_ char *tasks = NULL;
        const struct dirent *entry;

        if (asprintf(&tasks, "/proc/%ld/task", (long)pid) < 0) {
                tasks = NULL; /* undefined after an error, printf(3) */
                return -ENOMEM;
        }
        dir = opendir(tasks);
        while (dir && (entry = readdir(dir))) {
                char *candidate;

                if (entry->d_name[0] == '.')
                        continue;
                if (asprintf(&candidate, "%s/%s/root%s", tasks, entry->d_name, path) < 0)
                        return -ENOMEM;
                if (is_socket(candidate)) {
                        *ret = candidate;
                        return 1;
                }
                free(candidate);
        }
        return 0;
}

/* The fourth field of /proc/PID/stat; the second one may have any bytes, a newline too, and ends with
 * the last parenthesis. 0 where there is none. */
static pid_t parent_of(pid_t pid) {
        _cleanup_fclose_ FILE *file = NULL;
        char path[64], line[1024], *rest;
        uint32_t parent;
        size_t n;

        snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        n = fread(line, 1, sizeof(line) - 1, file);
        line[n] = '\0';
        rest = strrchr(line, ')');
        if (!rest || strlen(rest) < 5)
                return 0;
        rest += 4; /* ") S " */
        rest[strcspn(rest, " ")] = '\0';
        return text_parse_u32(rest, 1, INT32_MAX, &parent) < 0 ? 0 : (pid_t)parent;
}

static int use(const char *path) {
        _cleanup_free_ char *address = NULL;

        if (asprintf(&address, ADDRESS_PREFIX "%s", path) < 0) {
                address = NULL; /* undefined after an error, printf(3) */
                return -ENOMEM;
        }
        return setenv(ADDRESS_VARIABLE, address, 1) < 0 ? -errno : 0;
}

int system_bus_find(void) {
        const char *address = secure_getenv(ADDRESS_VARIABLE), *path = DEFAULT_PATH;
        pid_t pid = getppid();

        if (address) {
                if (strncmp(address, ADDRESS_PREFIX "/", strlen(ADDRESS_PREFIX) + 1) != 0 ||
                    strpbrk(address, ",;%"))
                        return 0;
                path = address + strlen(ADDRESS_PREFIX);
        }
        if (is_socket(path))
                return 0;
        for (unsigned i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
                _cleanup_free_ char *found = NULL;
                int r = find_thread(pid, path, &found);

                if (r != 0)
                        return r < 0 ? r : use(found);
                pid = parent_of(pid);
        }
        return 0;
}
