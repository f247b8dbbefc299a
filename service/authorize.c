/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/authorize.h"

/* A question may wait for a person for any time. One user may have this many questions open at a
 * time. More of them wait for their turn, within the limit of waiting calls that gate.c has. */
#define QUESTIONS_MAX 16u
/* polkit works on one question after the other until it asks a person. Another user's question must
 * not wait behind all of one user's, so only this many of one user's are with polkit in the first
 * second. */
#define FRESH_MAX 1u

static void on_answered(void *userdata) {
        Request *request = userdata;
        Service *service = request->service;
        uint32_t uid = request->uid;

        request_requeue(request);
        requests_next_turn(service, uid);
}

static void on_aged(void *userdata) {
        Request *request = userdata;

        requests_next_turn(request->service, request->uid);
}

static const PolkitEvents polkit_events = {
        .answered = on_answered,
        .aged = on_aged,
};

/* May one more question of uid be asked now? */
static bool may_ask(const Service *service, uint32_t uid) {
        unsigned n_open = 0, n_fresh = 0;

        for (const Request *q = service->requests; q; q = q->next)
                if (q->uid == uid && q->stage == REQUEST_POLKIT) {
                        n_open++;
                        n_fresh += q->polkit.fresh != NULL;
                }
        return n_open < QUESTIONS_MAX && n_fresh < FRESH_MAX;
}

int authorize_ask(Request *request, const PolkitQuestion *question, bool interact, const char *what,
                  PolkitAnswer *ret_answer, Refusal *ret) {
        int r;

        if (request->polkit.answered)
                return polkit_answer(&request->polkit, question, what, ret_answer, ret);
        *ret_answer = POLKIT_WAIT;
        if (!may_ask(request->service, request->uid)) {
                /* The end of an open question, or of its first second, wakes the request. */
                request->has_turn = false;
                request->stage = REQUEST_TURN;
                return 0;
        }
        interact = interact &&
                   sd_bus_message_get_allow_interactive_authorization(request->message) > 0;
        r = polkit_ask(&request->polkit, ++request->service->question_id, request->message,
                       question, interact, &polkit_events, request);
        if (r < 0)
                return r;
        request->has_turn = false;
        request->stage = REQUEST_POLKIT;
        return 0;
}

/* The actions' defaults ask for a password and never say a plain no. A plain no comes from a rule,
 * or from the dialogue. */
static const char *no_text(const Request *request) {
        if (request->polkit.dismissed)
                return "the authentication was cancelled";
        if (request->polkit.interacted)
                return "the authentication failed, or a polkit rule refuses";
        return "a polkit rule refuses; only an administrator can change that";
}

int authorize(Request *request, const PolkitQuestion *question, const char *what, bool *ret_yes,
              Refusal *ret) {
        PolkitAnswer answer;
        int r;

        r = authorize_ask(request, question, true, what, &answer, ret);
        if (r != 0)
                return r;
        if (answer == POLKIT_NO)
                return refuse(ret, RAWNET_ACCESS_DENIED, "you may not %s: %s (action %s)", what,
                              no_text(request), question->action);
        if (answer == POLKIT_CHALLENGE)
                return refuse(
                        ret, RAWNET_INTERACTIVE_REQUIRED,
                        "to %s, a password is needed, and there is no authentication agent to ask for it: use a "
                        "terminal or a desktop session%s (action %s)",
                        what,
                        question->for_group
                                ? ", or ask an administrator to add you to group " RAWNET_GROUP
                                : "",
                        question->action);
        *ret_yes = answer == POLKIT_YES;
        return 0;
}
