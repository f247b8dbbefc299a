/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/kernel/sysctl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "common/text.h"

int sysctl_write_ipv6(const char *link, const char *setting, uint32_t value) {
        char path[sizeof("/proc/sys/net/ipv6/conf//") + IFNAMSIZ + 32], text[16];
        _cleanup_close_ int fd = -1;

        snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", link, setting);
        snprintf(text, sizeof(text), "%" PRIu32, value);
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

uint32_t sysctl_default(const char *family, const char *setting) {
        _cleanup_fclose_ FILE *f = NULL;
        char path[80], line[16];
        uint32_t value;

        snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/default/%s", family, setting);
        f = fopen(path, "re");
        if (!f || !fgets(line, sizeof(line), f))
                return 0;
        line[strcspn(line, "\n")] = '\0';
        return text_parse_u32(line, 0, UINT32_MAX, &value) == 0 ? value : 0;
}
