/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Judging a network. The judge is rawnet-helper (helper/worker/check/judge.c); what is added here
 * is what rawnetd alone knows, the quotas. Everybody may call Check(). A user's checks wait for
 * each other, among the calls that one user may have waiting at all (gate.c).
 */

#include "service/request.h"

/* org.rawnet1.Manager.Check */
int check_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* What a caller wants a judgement for. */
struct CheckUse {
        /* The helper has reported one finding. */
        void (*found)(Request *request, const IpcFinding *finding);
        /* All findings were reported: sends the reply, unless request->caller_gone. Not negative,
         * or -errno. */
        int (*reply)(Request *request);
};

/* Has the helper judge a network, NAME or NAME.VID, and rehearse ports of these kinds
 * (KIND_BIT()s). Returns 0 with REQUEST_HELPER set, or with REQUEST_CHECK where the request has to
 * wait for its turn and its handler runs again; or what helper_call() returns. use is static. */
int check_ask(Request *request, const char *network, uint8_t kinds, const CheckUse *use,
              Refusal *ret_refusal);
