/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A request and polkit: when its question may be asked, and what the answer means for it. One
 * user's questions wait for each other here, so that they do not delay another user's.
 */

#include "service/request.h"

/* Asks, or takes the answer to the same question of the same message. interact: the user may be
 * asked for a password, if the message allows it as well. what is for messages: "open a tap port on
 * network lab". Returns 0, RAWNET_ACCESS_DENIED (polkit in trouble, or the question is no longer
 * what was asked), or -errno. */
int authorize_ask(Request *request, const PolkitQuestion *question, bool interact, const char *what,
                  PolkitAnswer *ret_answer, Refusal *ret_refusal);

/* The same for a method that goes on with a yes only: 0 with *ret_yes false while waiting;
 * RAWNET_ACCESS_DENIED for no, RAWNET_INTERACTIVE_REQUIRED for a challenge. */
int authorize(Request *request, const PolkitQuestion *question, const char *what, bool *ret_yes,
              Refusal *ret_refusal);
