/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Is an interface of the host there, up, and does it have a carrier? For the columns STATE. Whether
 * a network can be served on it is not judged here: Check() says that (org.rawnet1(5)).
 */

#include <net/if.h>

typedef struct HostLink {
        char name[IFNAMSIZ]; /* by which it was asked for */
        unsigned flags;      /* IFF_UP, IFF_RUNNING … */
} HostLink;

/* 1 with *ret, 0 where there is no such interface, or -errno. */
int host_link_by_name(const char *name, HostLink *ret);
