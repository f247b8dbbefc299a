/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What somebody asks for, in three forms: the request to the helper, the question to polkit, and
 * words for people. Open and CanOpen() share them. The question and the words are made from the
 * request alone, so polkit is never asked about anything else than the helper gets. Asks nobody and
 * makes nothing.
 */

#include "service/polkit.h"
#include "service/request.h"

#define OPEN_TEXT_SIZE 192u

/* Sets the network's part of ipc, and the network itself, from the network's file as it is now. 0, a
 * refusal, or -errno. 0, too, while somebody writes the file: then the stage is REQUEST_FILE, and
 * the caller returns. */
int open_plan_network(Request *request, const char *full_name, LeaseKind kind, bool vnet_hdr,
                      Network *ret_network, IpcOpen *ipc, Refusal *ret_refusal);

/* The question with all its details. mac: the detail of that name. rate: bits a second that the lease
 * gets, each way; 0: no limit. */
void open_plan_question(const IpcRequest *terms, const char *mac, uint64_t rate,
                        PolkitQuestion *ret);

/* "open a tap port on network lab", for a refusal. */
void open_plan_text(const IpcOpen *ipc, char ret[static OPEN_TEXT_SIZE]);
