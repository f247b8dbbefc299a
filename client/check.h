/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetctl check, in two halves: gathering and showing.
 */

#include "client/objects.h"
#include "client/show.h"

/* For people, on stdout. root:
 *   service   {version, features []}, missing where there is none
 *   group     [user], missing where there is no group
 *   problems  [sentence], of all networks
 *   notes     [sentence], nothing that keeps a network from serving
 *   networks  [{name, path, parent, vlans [first, last], can-open {KIND: yes | no | challenge},
 * problems [sentence]}] Returns 0 or -ENOMEM. */
int check_show(json_object *root);
