/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "tests/unit/fake-bus.h"

#include "tests/unit/test.h"

FakeBus fake_bus;

void fake_bus_reset(void) {
        fake_bus = (FakeBus){};
}

int fake_bus_answer(void) {
        FakeCall call = fake_bus.calls[0];

        assert_true(fake_bus.n_open > 0);
        memmove(fake_bus.calls, fake_bus.calls + 1, --fake_bus.n_open * sizeof(call));
        return call.answer(NULL, call.userdata, NULL);
}

int __wrap_sd_bus_message_new_method_call(sd_bus *bus, sd_bus_message **ret, const char *name,
                                          const char *path, const char *interface,
                                          const char *member);
int __wrap_sd_bus_message_new_method_call(sd_bus *bus, sd_bus_message **ret, const char *name,
                                          const char *path, const char *interface,
                                          const char *member) {
        fake_bus.member = member;
        *ret = NULL;
        return fake_bus.send_error;
}

int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message *m,
                             sd_bus_message_handler_t answer, void *userdata, uint64_t usec);
int __wrap_sd_bus_call_async(sd_bus *bus, sd_bus_slot **ret, sd_bus_message *m,
                             sd_bus_message_handler_t answer, void *userdata, uint64_t usec) {
        assert_true(fake_bus.n_open < ARRAY_SIZE(fake_bus.calls));
        fake_bus.calls[fake_bus.n_open++] = (FakeCall){answer, userdata};
        fake_bus.n_open_max = MAX_OF(fake_bus.n_open_max, fake_bus.n_open);
        fake_bus.n_made++;
        /* Not a slot: nothing reads what it points to. */
        *ret = (sd_bus_slot *)&fake_bus;
        return 0;
}

sd_bus_slot *__wrap_sd_bus_slot_unref(sd_bus_slot *slot);
sd_bus_slot *__wrap_sd_bus_slot_unref(sd_bus_slot *slot) {
        return NULL;
}
