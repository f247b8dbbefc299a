/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * One method call and its answer. A person who waits for more than a moment is told what for; a
 * program that reads standard error gets the outcome alone.
 */

#include "client/bus-call.h"

#include "common/clock.h"
#include "common/log.h"

#define NOTICE_USEC (3 * UINT64_C(1000000))

typedef struct Call {
        sd_bus_message *reply; /* NULL: none yet */
} Call;

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Call *call = userdata;

        call->reply = sd_bus_message_ref(m);
        return 1;
}

/* Until the next event; says once, on a terminal, that it is waiting. 0 or -errno. */
static int wait_event(sd_bus *bus, uint64_t *notice) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        int r;

        if (now >= *notice) {
                *notice = UINT64_MAX;
                if (isatty(STDERR_FILENO))
                        log_warning("waiting for rawnetd, which may be waiting for rawnet-helper "
                                    "(systemctl status rawnetd rawnet-helper) ...");
        }
        r = sd_bus_wait(bus, *notice == UINT64_MAX ? UINT64_MAX : *notice - now);
        return r == -EINTR ? 0 : MIN_OF(r, 0);
}

int bus_call(sd_bus *bus, sd_bus_message *m, uint64_t usec, bool notice, sd_bus_error *ret_error,
             sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        uint64_t notice_at = notice ? clock_usec(CLOCK_MONOTONIC) + NOTICE_USEC : UINT64_MAX;
        Call call = {};
        int r;

        r = sd_bus_call_async(bus, &slot, m, on_reply, &call, usec);
        while (r >= 0 && !call.reply) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = wait_event(bus, &notice_at);
        }
        reply = call.reply;
        /* sd-bus ends the calls of a closed connection with a reply of its own. */
        if (r >= 0 && sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) > 0 &&
            sd_bus_is_open(bus) <= 0)
                r = -ENOTCONN;
        if (r < 0)
                return r;
        if (sd_bus_message_is_method_error(reply, NULL) > 0)
                return sd_bus_error_copy(ret_error, sd_bus_message_get_error(reply));
        *ret_reply = TAKE_PTR(reply);
        return 0;
}

int bus_wait(sd_bus *bus, const bool *changed, uint64_t end) {
        uint64_t now;

        while (!*changed && (now = clock_usec(CLOCK_MONOTONIC)) < end) {
                int r = sd_bus_process(bus, NULL);

                if (r == 0)
                        r = sd_bus_wait(bus, end - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}
