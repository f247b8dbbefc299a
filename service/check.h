/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Judging a network. The judge is rawnet-helper (helper/worker/judge.c); what is added here is what
 * rawnetd alone knows, the quotas. Everybody may call Check(). A user's checks wait for each other,
 * among the calls that one user may have waiting at all (gate.c).
 */

#include "service/request.h"

/* org.rawnet1.Manager.Check */
int check_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* Has the helper judge a network, NAME or NAME.VID, and rehearse ports of these kinds; answer as
 * for helper_call(), with request as userdata. Returns 0 with REQUEST_HELPER set, or with
 * REQUEST_CHECK where it has to wait for its turn and the handler runs again; or what
 * helper_call() returns. */
int check_ask(Request *request, const char *network, uint8_t kinds, HelperAnswer answer,
              Refusal *ret_refusal);

/* The answer was not a judgement but the loss of the helper, perhaps to be restarted: true, and the
 * request waits for the next one, unless it has done so before. */
bool check_again(Request *request, const Refusal *refusal);
