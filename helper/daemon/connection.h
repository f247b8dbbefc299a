/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetd's connections. This module accepts those of rawnetd's user only, receives one well-formed
 * request at a time, and sends replies. It never waits for a reader: it closes a connection that
 * does not take a message, and rawnetd connects again and asks for the list.
 */

#include <systemd/sd-event.h>

#include "common/ipc.h"

/* rawnetd has one, and a second while an upgrade replaces it. */
#define CONNECTIONS_MAX 4u

typedef struct Connection Connection;

typedef struct ConnectionEvents {
        /* The callee may send to the connection, which may close it. namespace_fd: that of kind
         * veth, which stays the caller's; else -1. */
        void (*request)(void *data, Connection *connection, const IpcRequest *request,
                        int namespace_fd);
        /* The connection ends. Another one may get the same place in memory. */
        void (*gone)(void *data, const Connection *connection);
        /* A request was handled, or a connection came or went. */
        void (*settle)(void *data);
} ConnectionEvents;

typedef struct Connections {
        sd_event *event;
        uid_t peer_uid; /* rawnetd's */
        const ConnectionEvents *events;
        void *data;  /* for events */
        bool paused; /* no connection is read */
        Connection *all[CONNECTIONS_MAX];
} Connections;

/* Accepts connections on the listening SOCK_SEQPACKET socket, which stays the caller's. 0 or
 * -errno. */
int connections_listen(Connections *connections, int listen_fd);
void connections_close(Connections *connections);
/* While paused, requests stay in the sockets. */
void connections_pause(Connections *connections, bool pause);
bool connections_any(const Connections *connections);
/* Is one of them subscribed? */
bool connections_subscribed(const Connections *connections);

/* Sends the reply to every subscribed connection, and closes those that do not take it. */
void connections_publish(Connections *connections, const IpcReply *reply);

/* From now on the connection gets what connections_publish() sends. */
void connection_subscribe(Connection *connection);
/* False: the connection is closed and gone. */
bool connection_send(Connection *connection, const IpcReply *reply);
/* Refuses a request that no worker answers. */
void connection_refuse(Connection *connection, uint64_t serial, const Refusal *refusal);
/* The same with HelperUnavailable, and why in the text: "rawnet-helper: WHY; try again". */
void connection_fail(Connection *connection, uint64_t serial, const char *why);
/* For workers, which answer on it themselves; stays the connection's. */
int connection_fd(const Connection *connection);
