/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A network's parent as an unprivileged program sees it, for `rawnetctl check`. rawnet-helper looks
 * for itself at every open.
 */

#include "common/network-file.h"

typedef struct ParentInfo {
        uint32_t index, flags, master, mtu;
        uint16_t hardware;   /* ARPHRD_* */
        char slave_kind[32]; /* "bridge", "bond" …, "" */
        bool wireless;
} ParentInfo;

/* 1 with *ret, 0 where there is no such interface, or -errno. */
int parent_info(const char *name, ParentInfo *ret);
