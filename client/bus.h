/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The clients' way to rawnetd over the system bus: one connection, calls that may need a password,
 * errors as sentences. All functions return 0, or a RawnetError with the service's (or our)
 * sentence in ret_refusal, or -errno.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "client/port.h"
#include "common/refusal.h"

int bus_connect(sd_bus **ret, Refusal *ret_refusal);
/* The same, attached to event. */
int bus_connect_to(sd_event *event, sd_bus **ret, Refusal *ret_refusal);

/* A method call without side effects, usec or 25 s at most. types and what follows as for
 * sd_bus_message_append(3). */
int bus_query_within(sd_bus *bus, uint64_t usec, const char *path, const char *interface,
                     const char *member, sd_bus_message **ret_reply, Refusal *ret_refusal,
                     const char *types, ...);
int bus_query(sd_bus *bus, const char *path, const char *interface, const char *member,
              sd_bus_message **ret_reply, Refusal *ret_refusal, const char *types, ...);

/* A call for which polkit may ask for a password. build makes the message anew for each try. The
 * first try allows no prompt. If polkit wants one, the second try allows it, with an agent on the
 * terminal where there is one, and without a time limit. */
typedef int (*BusBuild)(sd_bus *bus, const void *userdata, sd_bus_message **ret);
int bus_call_authorized(sd_bus *bus, BusBuild build, const void *userdata,
                        sd_bus_message **ret_reply, Refusal *ret_refusal);

/* How long a question to rawnetd may take, in microseconds: sd-bus's default, given here so that
 * SYSTEMD_BUS_TIMEOUT does not change it. More than the 20 s that rawnetd waits for its helper's
 * list (service/helper-client.c), so that its explanation arrives. */
#define BUS_QUERY_USEC UINT64_C(25000000)

/* OpenTap, OpenPacket or Attach by port->request; sets the rest of port. The descriptors belong to
 * port, are CLOEXEC, and never below 3. */
int bus_open_port(sd_bus *bus, Port *port, Refusal *ret_refusal);

/* Lease.Close() on lease. */
int bus_close_lease(sd_bus *bus, uint32_t lease, Refusal *ret_refusal);

/* "/org/rawnet1/lease/65536"; the caller frees. NULL without memory. */
char *bus_lease_path(uint32_t lease);

/* A sentence for what a failed sd_bus_call() left in error (r: what it returned). Returns the
 * matching RawnetError. */
int bus_refuse(const sd_bus_error *error, int r, Refusal *ret_refusal);

/* One property, as it is on the wire, and its place in a C struct and in JSON. Signatures: s (char
 * *), u (uint32_t), t (uint64_t), b (bool), as (char *, joined by blanks), (uu) (uint32_t[2]). */
typedef struct BusField {
        const char *name; /* on the bus */
        const char *json;
        const char *signature;
        size_t offset;
} BusField;

/* Reads an a{sv} at m's position into base. What fields does not name is skipped; what is missing
 * stays as it is, but a string becomes "". Strings are the caller's: bus_fields_done(). 0 or
 * -errno. */
int bus_read_fields(sd_bus_message *m, const BusField *fields, size_t n_fields, void *base);
void bus_fields_done(const BusField *fields, size_t n_fields, void *base);
