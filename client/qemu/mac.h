/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * MAC addresses as QEMU takes them.
 */

/* text as XX:XX:XX:XX:XX:XX in lower case, where it is an address with ':' or '-' between its
 * octets (net/util.c, net_parse_macaddr()); anything else as it is. The caller frees; NULL without
 * memory. */
char *qemu_mac_normalize(const char *text);
