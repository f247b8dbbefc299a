/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/can-open.h"

#include "service/authorize.h"
#include "service/check.h"
#include "service/open-plan.h"

static int reply_can_open(Request *request) {
        static const char *const answers[] = {
                [POLKIT_YES] = "yes",
                [POLKIT_NO] = "no",
                [POLKIT_CHALLENGE] = "challenge",
        };

        return request->caller_gone ? 0
                                    : sd_bus_reply_method_return(request->message, "s",
                                                                 answers[request->answer]);
}

/* The answer is no, too, where polkit allows a port and the network cannot serve. */
static void note_obstacle(Request *request, const IpcFinding *finding) {
        if (finding->severity == FINDING_ERROR && finding->kinds & KIND_BIT(request->open.kind))
                request->answer = POLKIT_NO;
}

static const CheckUse can_open_use = {note_obstacle, reply_can_open};

static int step(Request *request, void *userdata, Refusal *ret) {
        const char *full_name, *kind_text;
        PolkitAnswer answer = POLKIT_WAIT;
        PolkitQuestion question;
        IpcRequest ipc = {.operation = IPC_OPEN, .open = {.queues = 1}};
        LeaseKind kind;
        Network network;
        char what[OPEN_TEXT_SIZE];
        int r;

        r = sd_bus_message_read(request->message, "ss", &full_name, &kind_text);
        if (r < 0)
                return r;
        if (lease_kind_from_string(kind_text, &kind) < 0)
                return refuse(ret, RAWNET_INVALID_ARGS,
                              "network %.64s: unknown kind '%.32s'; there are tap, packet and veth",
                              full_name, kind_text);
        r = open_plan_network(request, full_name, kind, kind == KIND_TAP, &network, &ipc.open, ret);
        request->open = ipc.open;
        if (r != 0 || request->stage == REQUEST_FILE)
                return r;
        /* While the helper is not there, the answer is no. */
        if (!helper_ready(request->service->helper))
                return request_wait_sync(request, ret);
        open_plan_question(&ipc, "", network.rate, &question);
        open_plan_text(&ipc.open, what);
        r = authorize_ask(request, &question, false, what, &answer, ret);
        if (r != 0 || answer == POLKIT_WAIT)
                return r;
        request->answer = answer;
        if (answer == POLKIT_NO) {
                request->stage = REQUEST_REPLIED;
                return MIN_OF(reply_can_open(request), 0);
        }
        return check_ask(request, full_name, KIND_BIT(kind), &can_open_use, ret);
}

int can_open_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        return request_run(m, userdata, step, NULL);
}
