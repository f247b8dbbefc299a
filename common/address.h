/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * IP addresses, and networks of them, as a caller names them for a port. Text is inet_pton(3)'s,
 * with /LENGTH behind it or without. Asks nobody.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/refusal.h"

/* Every byte has a name and unused ones are zero, so that two of them can be compared as bytes. */
typedef struct AddressPrefix {
        uint8_t family;    /* 4 or 6; 0: none, and all zero */
        uint8_t length;    /* 1 to 32 or to 128, as many first bits; all: one address */
        uint8_t octet[16]; /* IPv4: the first four. Behind the prefix zero */
} AddressPrefix;

#define ADDRESSES_MAX 16u

typedef struct AddressList {
        AddressPrefix address[ADDRESSES_MAX]; /* those with a family come first */
} AddressList;

#define ADDRESS_TEXT_SIZE 50u /* INET6_ADDRSTRLEN and "/128" */
#define ADDRESS_LIST_TEXT_SIZE (ADDRESSES_MAX * ADDRESS_TEXT_SIZE)

/* The sentences begin with what and name: "network", "lab". 0 or RAWNET_INVALID_ARGS. */
int address_parse(const char *text, const char *what, const char *name, AddressPrefix *ret,
                  Refusal *ret_refusal);

/* Canonical: as inet_ntop(3), with the length if it is a network. Returns buffer. */
const char *address_format(const AddressPrefix *address, char buffer[static ADDRESS_TEXT_SIZE]);

/* Adds one. 0 or RAWNET_INVALID_ARGS: it is no address, or one too many. */
int address_list_add(AddressList *list, const char *text, const char *what, const char *name,
                     Refusal *ret_refusal);
size_t address_list_count(const AddressList *list);
/* All of them, with blanks between. Returns buffer. */
const char *address_list_format(const AddressList *list,
                                char buffer[static ADDRESS_LIST_TEXT_SIZE]);

/* For what another program sends: could address_list_add() have made it? */
bool address_list_is_valid(const AddressList *list);
/* Is it one address, and any at all? A guest may have sent from it. */
bool address_is_single(const AddressPrefix *address);
