/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What rawnetd's modules share. Everything here is rebuilt from the helper and the network files at
 * every start; only the key of derived MAC addresses is kept on disk.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "service/bus-watch.h"
#include "service/closer.h"
#include "service/gate.h"
#include "service/delivery.h"
#include "service/helper-client.h"
#include "service/lease-table.h"
#include "service/machine.h"
#include "service/network.h"
#include "service/rate.h"
#include "service/refusal-log.h"
#include "service/unread.h"

typedef struct Request Request;
typedef struct Service Service;

/* The leases whose counters metrics.c reads, and how many it has asked for. */
typedef struct LeaseReading {
        uint32_t *ids; /* NULL: it reads none */
        size_t n, next;
} LeaseReading;

struct Service {
        sd_event *event;
        sd_bus *bus;
        Closer *closer;
        DeliveryTable *deliveries;
        BusWatch *bus_watch;
        UnreadTable *unread;
        RateTable *opens;         /* of each user, by time */
        uint32_t queues_per_user; /* over all networks */
        Helper *helper;
        LeaseTable leases;
        NetworkTable networks;
        MachineKey key;                 /* of derived MAC addresses */
        Gate *gate;                     /* what every method call passes first */
        Request *requests;              /* method calls that are being worked on */
        sd_event_source *reap_source;   /* request.c */
        void (*idle)(Service *service); /* a request has ended */
        RefusalLog *refusals;
        Counts counts;
        LeaseReading reading;
        uint64_t question_id;   /* last cancellation id given to polkit */
        uint64_t idle_usec;     /* 0: never leave */
        uint64_t last_activity; /* µs, CLOCK_MONOTONIC */
        sd_event_source *idle_source;
        bool host_asked; /* HostUp() was called: a host interface may exist that no file names */
        bool listed;     /* the helper has named all leases at least once */
        bool on_bus;     /* the bus name is owned: from now on changes are reported to clients */
        bool leaving;    /* idle: the bus name is being given back */
        bool stalled;    /* the bus does not take what rawnetd sends */
        bool released;   /* the connection to the bus is given up */
};
