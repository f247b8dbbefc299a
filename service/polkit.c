/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/polkit.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/names.h"

#define POLKIT_BUS_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_IFACE "org.freedesktop.PolicyKit1.Authority"
/* CheckAuthorizationFlags of polkit's D-Bus interface */
#define POLKIT_ALLOW_USER_INTERACTION UINT32_C(1)
/* polkit answers at once, or asks a person. */
#define POLKIT_FRESH_USEC UINT64_C(1000000)

void polkit_detail(PolkitQuestion *question, const char *key, const char *value) {
        size_t length = strlen(value);
        PolkitDetail *d;

        assert(question->n_details < POLKIT_DETAILS_MAX && length < sizeof(d->value));
        d = &question->details[question->n_details++];
        d->key = key;
        memcpy(d->value, value, length + 1);
}

static bool question_equal(const PolkitQuestion *a, const PolkitQuestion *b) {
        if (!a->action || strcmp(a->action, b->action) != 0 || a->n_details != b->n_details)
                return false;
        for (size_t i = 0; i < a->n_details; i++)
                if (strcmp(a->details[i].key, b->details[i].key) != 0 ||
                    strcmp(a->details[i].value, b->details[i].value) != 0)
                        return false;
        if (a->has_addresses != b->has_addresses || strcmp(a->addresses, b->addresses) != 0)
                return false;
        return memcmp(&a->terms, &b->terms, sizeof(a->terms)) == 0;
}

static void cancellation_id(uint64_t id, char buffer[static 32]) {
        snprintf(buffer, 32, "rawnetd-%" PRIu64, id);
}

/* (bba{ss}): is_authorized, is_challenge, details. */
static int answer_read(sd_bus_message *reply, PolkitAnswer *ret, bool *ret_dismissed) {
        const char *key, *value;
        int authorized, challenge, r;

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
        if (r < 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "{ss}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(reply, "{ss}", &key, &value)) > 0)
                if (strcmp(key, "polkit.dismissed") == 0)
                        *ret_dismissed = true;
        if (r < 0)
                return r;
        *ret = authorized ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO;
        return 0;
}

static char *trouble_text(const sd_bus_error *e) {
        char *text;

        if (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                return strdup("polkit is not running (see: systemctl status polkit)");
        if (asprintf(&text, "polkit gave no answer (%s); see: systemctl status polkit",
                     e->message ? e->message : e->name) < 0)
                return NULL;
        return text;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        PolkitState *state = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        state->slot = sd_bus_slot_unref(state->slot);
        state->fresh = sd_event_source_disable_unref(state->fresh);
        state->answered = true;
        state->answer = POLKIT_NO;
        if (e)
                state->trouble = trouble_text(e);
        else if (answer_read(reply, &state->answer, &state->dismissed) < 0) {
                state->answer = POLKIT_NO;
                state->trouble = strdup("polkit's answer cannot be read");
        }
        state->events->answered(state->userdata);
        return 1;
}

static int question_message(const PolkitState *state, sd_bus_message *call,
                            const PolkitQuestion *question, bool interact, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[32];
        int r;

        r = sd_bus_message_new_method_call(state->bus, &m, POLKIT_BUS_NAME, POLKIT_PATH,
                                           POLKIT_IFACE, "CheckAuthorization");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(call), question->action);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;
        for (size_t i = 0; i < question->n_details; i++) {
                r = sd_bus_message_append(m, "{ss}", question->details[i].key,
                                          question->details[i].value);
                if (r < 0)
                        return r;
        }
        if (question->has_addresses) {
                r = sd_bus_message_append(m, "{ss}", "addresses", question->addresses);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        cancellation_id(state->id, id);
        r = sd_bus_message_append(m, "us", interact ? POLKIT_ALLOW_USER_INTERACTION : 0u, id);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/* polkit has not answered at once: it asks a person, and can take another question. */
static int on_fresh_time(sd_event_source *source, uint64_t usec, void *userdata) {
        PolkitState *state = userdata;

        state->fresh = sd_event_source_disable_unref(state->fresh);
        state->events->aged(state->userdata);
        return 0;
}

int polkit_ask(PolkitState *state, uint64_t id, sd_bus_message *call,
               const PolkitQuestion *question, bool interact, const PolkitEvents *events,
               void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        state->bus = sd_bus_message_get_bus(call);
        state->events = events;
        state->userdata = userdata;
        state->id = id;
        r = question_message(state, call, question, interact, &m);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(sd_bus_get_event(state->bus), &state->fresh, CLOCK_MONOTONIC,
                                       POLKIT_FRESH_USEC, 0, on_fresh_time, state);
        if (r < 0)
                return r;
        /* No time limit: a person may be typing a password. The call ends when the caller leaves.
         */
        r = sd_bus_call_async(state->bus, &state->slot, m, on_answer, state, UINT64_MAX);
        if (r < 0)
                return r;
        state->question = *question;
        state->interacted = interact;
        return 0;
}

int polkit_answer(const PolkitState *state, const PolkitQuestion *question, const char *what,
                  PolkitAnswer *ret_answer, Refusal *ret) {
        if (state->trouble)
                return refuse(ret, RAWNET_ACCESS_DENIED, "you may not %s: %s", what,
                              state->trouble);
        if (!question_equal(&state->question, question))
                return refuse(ret, RAWNET_ACCESS_DENIED,
                              "you may not %s: the network file was changed while polkit was being "
                              "asked; try again",
                              what);
        *ret_answer = state->answer;
        return 0;
}

bool polkit_forget(PolkitState *state) {
        bool asked = state->slot != NULL;
        char id[32];

        if (asked) {
                state->slot = sd_bus_slot_unref(state->slot);
                cancellation_id(state->id, id);
                (void)sd_bus_call_method_async(state->bus, NULL, POLKIT_BUS_NAME, POLKIT_PATH,
                                               POLKIT_IFACE, "CancelCheckAuthorization", NULL, NULL,
                                               "s", id);
        }
        sd_event_source_disable_unref(state->fresh);
        free(state->trouble);
        *state = (PolkitState){};
        return asked;
}
