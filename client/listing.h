/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The verbs that print: their options, and the whole of those that print all leases or networks.
 */

#include "client/client.h"
#include "client/objects.h"

/* The options of the verbs that print. */
typedef struct Listing {
        bool json;      /* 'j' */
        bool no_legend; /* 'l' */
        bool all;       /* 'a' */
} Listing;

/* Parses options, a verb's table with the letters above; then at least min and at most max
 * arguments, the first at argv[optind]. Returns 0 or EXIT_USAGE. */
int parse_listing_options(int argc, char **argv, const struct option *options, int min, int max,
                          Listing *ret);

typedef struct ObjectListing {
        int (*read)(sd_bus *bus, Objects *ret, Refusal *ret_refusal);
        int (*print_json)(const Objects *objects);
        int (*print_table)(const Objects *objects, bool legend);
} ObjectListing;

/* Parses --json and --no-legend, reads the objects and prints them. Returns the exit status. */
int list_objects(int argc, char **argv, const ObjectListing *objects_of);
