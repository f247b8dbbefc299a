/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The process that keeps a DHCP client, for `rawnetctl run --dhcp` and for podman's network driver.
 * It stays when the process that forked it ends.
 *
 * The client is the first process of a process namespace: when it ends, the kernel kills whatever
 * it has started, and when the keeper is killed, the kernel kills the client.
 */

#include "client/dhcp-client.h"

/* Where the descriptors are that dhcp_keeper_detach() leaves open. udhcpc takes 3 and 4 for its own,
 * whatever they are (busybox, networking/udhcp/signalpipe.c). */
#define DHCP_KEEPER_FD 10
#define DHCP_KEEPER_FDS_MAX 4u

/* A forked process leaves its caller: a session of its own, no signal blocked or ignored, standard
 * input /dev/null, standard output and error the descriptor output, or /dev/null for -1. Nothing
 * else stays open but fds[i], which becomes DHCP_KEEPER_FD + i (CLOEXEC): whoever reads a pipe of
 * the caller's must not wait for the keeper. 0 or -errno. */
int dhcp_keeper_detach(int output, const int *fds, size_t n_fds);

/* Starts the client, which may keep descriptors without CLOEXEC. Only once in a process, whose
 * later children would be in the client's process namespace. Needs CAP_SYS_ADMIN in the process's
 * user namespace. Returns the client's pidfd, or -errno. */
int dhcp_keeper_start(const DhcpRun *run);

/* What the keeper waits for beside the client's end. */
typedef struct DhcpKeeperSource {
        int fd;
        /* fd can be read. True: the client has to end. NULL: that alone is the reason. */
        bool (*on_ready)(int fd, void *userdata);
        void *userdata;
} DhcpKeeperSource;

#define DHCP_KEEPER_SOURCES 2u

/* Until the client has ended, by itself or for a source's sake: it then gets its signal, has a
 * second for giving its address back, and is killed. */
void dhcp_keeper_wait(const DhcpClient *client, int pidfd,
                      const DhcpKeeperSource sources[static DHCP_KEEPER_SOURCES]);
