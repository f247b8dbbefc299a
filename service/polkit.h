/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asking polkit, without waiting for it. A question is an action and details; the answer holds for
 * exactly these, for the terms that were judged with them, and for one message. No answer, an
 * error, a polkit that is not there: no.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/wire.h"

typedef struct Request Request;

#define POLKIT_DETAILS_MAX 16u

typedef struct PolkitDetail {
        const char *key; /* a literal */
        char value[48];  /* a full network name, an interface name, a MAC: all shorter */
} PolkitDetail;

typedef struct PolkitQuestion {
        const char *action; /* a literal */
        bool for_group;     /* the shipped rule says yes to group rawnet; for messages */
        size_t n_details;
        PolkitDetail details[POLKIT_DETAILS_MAX];
        WireRequest terms; /* what a yes lets the helper do; compared as a whole when the answer has
                              come */
} PolkitQuestion;

typedef enum PolkitAnswer {
        POLKIT_WAIT, /* asked; the handler returns, and is run again */
        POLKIT_YES,
        POLKIT_NO,
        POLKIT_CHALLENGE, /* yes after a password, but nobody to ask, or asking was not allowed */
} PolkitAnswer;

/* A request's question while it waits, and the answer. */
typedef struct PolkitState {
        PolkitQuestion question;
        PolkitAnswer answer;
        bool answered;
        bool interacted; /* the caller could be asked for a password */
        bool dismissed;  /* and cancelled that */
        uint64_t id;     /* of the cancellation */
        sd_bus_slot *slot;
        sd_event_source *fresh; /* while the question has just been asked */
        char *trouble;          /* why polkit gave no answer */
} PolkitState;

/* Values that do not fit are our own mistake. */
void polkit_detail(PolkitQuestion *question, const char *key, const char *value);

/* Asks, or takes the answer to the same question of the same message. interact: the user may be
 * asked for a password, if the message allows it as well. what is for messages: "open a tap port on
 * network lab". Returns 0, RAWNET_ACCESS_DENIED (polkit in trouble, or the question is no longer
 * what was asked), or -errno. */
int polkit_ask(Request *request, const PolkitQuestion *question, bool interact, const char *what,
               PolkitAnswer *ret_answer, Refusal *ret_refusal);

/* The same for a method that goes on with a yes only: 0 with *ret_yes false while waiting;
 * RAWNET_ACCESS_DENIED for no, RAWNET_INTERACTIVE_REQUIRED for a challenge. */
int polkit_verify(Request *request, const PolkitQuestion *question, const char *what, bool *ret_yes,
                  Refusal *ret_refusal);

/* Withdraws a question that waits, and frees what state holds. Was there one? Then another of the
 * user's may be asked now (requests_next_turn()). */
bool polkit_forget(Request *request);
