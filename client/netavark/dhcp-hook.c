/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/netavark/dhcp-hook.h"

#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "client/netavark/dhcp-lease.h"
#include "client/netavark/route.h"
#include "common/text.h"

bool dhcp_hook_is_event(const char *word) {
        static const char *const events[] = {"deconfig", "bound", "renew", "leasefail", "nak"};

        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
                if (strcmp(word, events[i]) == 0)
                        return getenv(DHCP_VARIABLE_RESULT) && getenv("interface");
        return false;
}

/* The interface's IPv4 address, and the routes by it, go: the hook is not told which it was. An
 * address that podman set on another interface stays. */
static int clear_address(const char *interface) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {.ifr_addr.sa_family = AF_INET}; /* 0.0.0.0 */

        if (fd < 0)
                return -errno;
        memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
        return ioctl(fd, SIOCSIFADDR, &request) < 0 && errno != EADDRNOTAVAIL ? -errno : 0;
}

static int set_lease(unsigned index, const NetavarkStatus *lease) {
        const char *text = getenv(DHCP_VARIABLE_METRIC);
        const NetavarkAddress *address = &lease->addresses[0];
        uint32_t metric;
        int r;

        r = route_add_address(index, &address->ip, NULL);
        if (r != 0 || address->gateway.family == 0 || !text ||
            text_parse_u32(text, 0, UINT32_MAX, &metric) < 0)
                return r;
        return route_add(index, NULL, &address->gateway, metric, NULL);
}

/* The plugin that waits reads the first line only. */
static void report(const NetavarkStatus *lease) {
        FILE *out;
        uint32_t fd;

        signal(SIGPIPE, SIG_IGN);
        if (text_parse_u32(getenv(DHCP_VARIABLE_RESULT), 3, INT32_MAX, &fd) < 0)
                return;
        out = fdopen((int)fd, "w");
        if (!out)
                return;
        dhcp_lease_write(out, lease);
        fclose(out);
}

int dhcp_hook(const char *event) {
        _cleanup_(netavark_status_done) NetavarkStatus lease = {};
        const char *interface = getenv("interface");
        unsigned index = if_nametoindex(interface);

        if (index == 0)
                return EXIT_FAILURE;
        if (strcmp(event, "deconfig") == 0)
                return clear_address(interface) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (strcmp(event, "bound") != 0 && strcmp(event, "renew") != 0)
                return EXIT_SUCCESS;
        if (dhcp_lease_from_environment(&lease) < 0 || set_lease(index, &lease) != 0)
                return EXIT_FAILURE;
        report(&lease);
        return EXIT_SUCCESS;
}
