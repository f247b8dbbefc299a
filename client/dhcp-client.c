/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/dhcp-client.h"

#include <signal.h>
#include <string.h>

/* What DhcpRun has. */
#define INTERFACE "{interface}"
#define SCRIPT "{script}"
#define ARGUMENTS_MAX 24u

/* -R: gives the address back when it ends. Three questions, 2 s apart, and 5 s until the next. */
#define UDHCPC_OPTIONS                                                                             \
        "-f", "-R", "-i", INTERFACE, "-s", SCRIPT, "-t", "3", "-T", "2", "-A", "5", "-O", "search"

static const char *const udhcpc[] = {"udhcpc", UDHCPC_OPTIONS, NULL};
static const char *const busybox[] = {"busybox", "udhcpc", UDHCPC_OPTIONS, NULL};
/* IPv4 only, as the others: the kernel takes IPv6 from router advertisements. Without a probe for
 * the address (-A), and never one that nobody gave (-L). */
static const char *const dhcpcd[] = {"dhcpcd",
                                     "-4",
                                     "-B",
                                     "-A",
                                     "-L",
                                     "-f",
                                     "/dev/null",
                                     "-c",
                                     SCRIPT,
                                     "-o",
                                     "domain_name_servers,domain_name,domain_search",
                                     INTERFACE,
                                     NULL};
static const char *const dhclient[] = {"dhclient",
                                       "-4",
                                       "-d",
                                       "-sf",
                                       SCRIPT,
                                       "-cf",
                                       "/dev/null",
                                       "-lf",
                                       DHCP_PLACE "/leases",
                                       "-pf",
                                       DHCP_PLACE "/pid",
                                       INTERFACE,
                                       NULL};

static const DhcpClient clients[] = {
        {"udhcpc", SIGTERM, true, udhcpc},
        {"busybox udhcpc", SIGTERM, true, busybox},
        {"dhcpcd", SIGALRM, false, dhcpcd}, /* dhcpcd(8): releases and exits */
        {"dhclient", SIGTERM, false, dhclient},
};

/* The caller frees. NULL: it is not there. */
static char *find_in(const char *directories, const char *program) {
        for (const char *at = directories, *colon; at && *at; at = colon ? colon + 1 : NULL) {
                char *file;

                colon = strchr(at, ':');
                if (asprintf(&file, "%.*s/%s", (int)strcspn(at, ":"), at, program) < 0)
                        return NULL;
                if (access(file, X_OK) == 0)
                        return file;
                free(file);
        }
        return NULL;
}

static char *find(const DhcpClient *client) {
        /* Not by PATH: on Debian a user's has no sbin. */
        return find_in(RAWNET_SYSTEM_PATH, client->arguments[0]);
}

const DhcpClient *dhcp_client_find(bool udhcpc_only) {
        for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
                _cleanup_free_ char *path = NULL;

                if (udhcpc_only && !clients[i].runs_udhcpc)
                        continue;
                path = find(&clients[i]);
                if (path)
                        return &clients[i];
        }
        return NULL;
}

static const char *filled_in(const char *argument, const DhcpRun *run) {
        if (strcmp(argument, INTERFACE) == 0)
                return run->interface;
        return strcmp(argument, SCRIPT) == 0 ? run->script : argument;
}

void dhcp_client_exec(const DhcpRun *run) {
        _cleanup_free_ char *path = find(run->client), *host = NULL;
        const char *arguments[ARGUMENTS_MAX + 3];
        size_t n = 0;

        for (; n < ARGUMENTS_MAX && run->client->arguments[n]; n++)
                arguments[n] = filled_in(run->client->arguments[n], run);
        if (run->host && run->client->runs_udhcpc) {
                if (asprintf(&host, "hostname:%s", run->host) < 0)
                        return;
                arguments[n++] = "-x";
                arguments[n++] = host;
        }
        arguments[n] = NULL;
        if (path)
                execv(path, (char *const *)arguments);
        fprintf(stderr, "cannot run %s: %s\n", run->client->name, strerror(errno));
}
