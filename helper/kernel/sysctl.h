/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Settings of the host's interfaces below /proc/sys/net (ip-sysctl of the kernel's documentation).
 * A process with CAP_NET_ADMIN may write there (net/sysctl_net.c, net_ctl_permissions()), unless
 * /proc/sys is read-only for the daemon or not there at all.
 */

#include <stdint.h>

/* net.ipv6.conf.LINK.SETTING = value. LINK has no '/' (net/core/dev.c, dev_valid_name()) and is
 * shorter than IFNAMSIZ, SETTING shorter than 32. 0, or -errno; -ENOENT: there is no IPv6, no such
 * interface or no such setting. */
int sysctl_write_ipv6(const char *link, const char *setting, uint32_t value);

/* net.FAMILY.conf.default.SETTING ("ipv4", "ipv6"), what a new interface gets; 0, the kernel's own
 * default, where it cannot be read. */
uint32_t sysctl_default(const char *family, const char *setting);
