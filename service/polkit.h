/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asking polkit, without waiting for it. A question is an action and details; the answer holds for
 * exactly these, for the terms that were judged with them, and for one message. No answer, an
 * error, a polkit that is not there: no. Knows the bus, the caller's message and a callback; whose
 * turn it is and what waits for the answer is authorize.c's business.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "common/ipc.h"

#define POLKIT_DETAILS_MAX 16u

typedef struct PolkitDetail {
        const char *key; /* a literal */
        char value[48];  /* a full network name, an interface name and a MAC are all shorter */
} PolkitDetail;

typedef struct PolkitQuestion {
        const char *action; /* a literal */
        bool for_group;     /* the shipped rule says yes to group rawnet; for messages */
        size_t n_details;
        PolkitDetail details[POLKIT_DETAILS_MAX];
        bool has_addresses; /* one more detail, which may be long: "addresses" */
        char addresses[ADDRESS_LIST_TEXT_SIZE];
        IpcRequest terms; /* what a yes lets the helper do; compared as a whole when the answer has
                              come */
} PolkitQuestion;

typedef enum PolkitAnswer {
        POLKIT_WAIT, /* asked; the handler returns, and runs again */
        POLKIT_YES,
        POLKIT_NO,
        POLKIT_CHALLENGE, /* yes after a password, but nobody to ask, or asking was not allowed */
} PolkitAnswer;

typedef struct PolkitEvents {
        /* polkit has answered. */
        void (*answered)(void *userdata);
        /* The question was not answered within a second: polkit asks a person. */
        void (*aged)(void *userdata);
} PolkitEvents;

/* A question while it waits, and the answer. All zero: nothing has been asked. */
typedef struct PolkitState {
        PolkitQuestion question;
        PolkitAnswer answer;
        bool answered;
        bool interacted; /* polkit could ask the caller for a password */
        bool dismissed;  /* and the caller cancelled that */
        uint64_t id;     /* of the cancellation */
        sd_bus *bus;
        sd_bus_slot *slot;
        sd_event_source *fresh; /* while the question is in its first second */
        char *trouble;          /* why polkit gave no answer */
        const PolkitEvents *events;
        void *userdata;
} PolkitState;

/* A value that does not fit is a mistake of rawnetd's own. */
void polkit_detail(PolkitQuestion *question, const char *key, const char *value);

/* Asks about the sender of call. id: of no other question of this process. interact: the user may
 * be asked for a password. 0 or -errno. */
int polkit_ask(PolkitState *state, uint64_t id, sd_bus_message *call,
               const PolkitQuestion *question, bool interact, const PolkitEvents *events,
               void *userdata);

/* The answer that has come, if question is the one that was asked. what is for messages: "open a
 * tap port on network lab". Returns 0, or RAWNET_ACCESS_DENIED (polkit in trouble, or another
 * question). */
int polkit_answer(const PolkitState *state, const PolkitQuestion *question, const char *what,
                  PolkitAnswer *ret_answer, Refusal *ret_refusal);

/* Withdraws a question that waits, and frees what state holds. Was there one? */
bool polkit_forget(PolkitState *state);
