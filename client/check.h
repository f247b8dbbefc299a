/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetctl check: gathering (check.c, check-service.c, check-network.c, check-group.c) and showing
 * (check-show.c).
 */

#include "client/objects.h"
#include "client/show.h"
#include "common/network.h"

typedef struct Check {
        sd_bus *bus; /* NULL: no service */
        json_object *features;
        Objects objects;
        json_object *root;
} Check;

/* For people, on stdout. root:
 *   service   {version, features []}, missing where there is none
 *   group     [user], missing where there is no group
 *   problems  [sentence], of all networks
 *   notes     [sentence], nothing that keeps a network from serving
 *   networks  [{name, state: ok | busy | warning | partial | error | unknown, path, parent,
 *              vlans [first, last], can-open {KIND: yes | no | challenge}, problems [sentence],
 *              findings [{severity, what, where, kinds [KIND], text, error, detail, vlan}], as
 *              Check() returns them (org.rawnet1(5)), what is absent there being "" or 0;
 *              and where the file has HostInterface=: host-interface,
 *              host-interface-state: up | down | missing | misplaced | other; with VLANs:
 *              vlan-interfaces [{vlan, name, owner: host | rawnet}]}]
 * Returns 0 or -ENOMEM. */
int check_show(json_object *root);

/* Appends a sentence to list. Without memory the program ends: there is nothing to show. */
void add_sentence(json_object *list, const char *format, ...) _printf_(2, 3);

json_object *add_list(json_object *object, const char *key);

/* Checks what concerns every network: the service and its helper. Sets check->bus, features and
 * objects. */
void check_service(Check *check, json_object *problems, json_object *notes);
/* rawnetd's object of a network whose file is good, after waiting up to 2 s for rawnetd to read the
 * file, too. NULL: there is none. */
const NetworkObject *check_wait_object(Check *check, const char *name);

/* Checks one network, NAME or NAME.VID: appends it to networks, and its notes to those of all. Sets
 * check->bus to NULL where the service or its helper can no longer be asked. */
void check_network(Check *check, json_object *networks, const char *name);

/* Adds who is in group rawnet to root, and remarks on it to notes. */
void check_group(json_object *root, json_object *notes);
/* After all networks: adds a note where a password is needed and the caller is not in the group, or
 * was not when he logged in. */
void check_membership(json_object *root, json_object *notes);
