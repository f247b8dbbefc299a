/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <sys/socket.h>

#include "fault.h"
#include "service/option.h"
#include "test.h"

/* What reading a message calls: each returns its -errno. */
#define WRAP(name, parameters, arguments)                                                          \
        int __real_##name parameters;                                                              \
        int __wrap_##name parameters;                                                              \
        int __wrap_##name parameters {                                                             \
                return fault_due(#name, 0) ? -errno : __real_##name arguments;                     \
        }
WRAP(sd_bus_message_enter_container, (sd_bus_message * m, char type, const char *contents),
     (m, type, contents))
WRAP(sd_bus_message_exit_container, (sd_bus_message * m), (m))
WRAP(sd_bus_message_peek_type, (sd_bus_message * m, char *type, const char **contents),
     (m, type, contents))
WRAP(sd_bus_message_read_basic, (sd_bus_message * m, char type, void *p), (m, type, p))

static int set(OpenOptions *options, LeaseKind kind, const char *key, OptionValue value,
               Refusal *refusal) {
        return option_set(options, kind, "lab", key, value, refusal);
}

static OptionValue text(const char *s) {
        return (OptionValue){.s = s};
}

static void test_defaults(_unused_ void **state) {
        OpenOptions o;

        options_init(&o, KIND_TAP);
        assert_int_equal(o.mac_mode, IPC_MAC_RANDOM);
        assert_int_equal(o.queues, 1);
        assert_false(o.vhost);
        assert_true(o.vnet_hdr);
        assert_string_equal(o.name, "");
        assert_int_equal(options_check(&o, "lab", NULL), 0);
        options_init(&o, KIND_PACKET);
        assert_false(o.vnet_hdr);
}

static void test_types(_unused_ void **state) {
        assert_string_equal(option_type(KIND_TAP, "mac"), "s");
        assert_string_equal(option_type(KIND_TAP, "name"), "s");
        assert_string_equal(option_type(KIND_PACKET, "queues"), "u");
        assert_string_equal(option_type(KIND_TAP, "vhost"), "b");
        assert_null(option_type(KIND_PACKET, "vhost"));
        assert_string_equal(option_type(KIND_PACKET, "vnet-hdr"), "b");
        assert_string_equal(option_type(KIND_VETH, "up"), "b");
        for (LeaseKind kind = KIND_TAP; kind < KIND_UNKNOWN; kind++)
                assert_string_equal(option_type(kind, "rate"), "t");
        assert_null(option_type(KIND_VETH, "queues"));
        for (const char **bad =
                     (const char *[]){"", "Mac", "mac ", "vnet_hdr", "mtu", "up", "network", NULL};
             *bad; bad++)
                assert_null(option_type(KIND_TAP, *bad));
}

static void test_mac(_unused_ void **state) {
        static const char *const wrong[] = {
                "", "Learn", "learn ", "52:54:00:12:34", "random", "52-54-00-12-34-56"};
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "mac", text("52:54:00:AB:cd:ef"), &refusal), 0);
        assert_int_equal(o.mac_mode, IPC_MAC_GIVEN);
        assert_int_equal(o.mac.octet[3], 0xab);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "mac", text("learn"), &refusal), 0);
        assert_int_equal(o.mac_mode, IPC_MAC_LEARN);
        options_init(&o, KIND_PACKET);
        assert_refused(set(&o, KIND_PACKET, "mac", text("learn"), &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, "network lab", "learn");
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "mac", text(wrong[i]), &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "network lab", "mac");
                assert_int_equal(o.mac_mode, IPC_MAC_RANDOM);
        }
}

static void test_name(_unused_ void **state) {
        char name[RAWNET_LEASE_NAME_MAX + 2];
        Refusal refusal;
        OpenOptions o;

        memset(name, 'x', sizeof(name));
        name[RAWNET_LEASE_NAME_MAX + 1] = '\0';
        options_init(&o, KIND_TAP);
        assert_refused(set(&o, KIND_TAP, "name", text(name), &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "65");
        for (const char **bad = (const char *[]){"", "a\nb", "\x7f", "vm\xc3\xa4", "\t", NULL};
             *bad; bad++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "name", text(*bad), &refusal), RAWNET_INVALID_ARGS,
                               &refusal, "network lab", "name");
                assert_string_equal(o.name, "");
        }
        name[RAWNET_LEASE_NAME_MAX] = '\0';
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "name", text(name), &refusal), 0);
        assert_string_equal(o.name, name);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "name", text(" ~"), &refusal), 0);
}

static void test_queues(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        for (uint32_t n = 1; n <= RAWNET_QUEUES_MAX; n++) {
                options_init(&o, KIND_PACKET);
                assert_int_equal(set(&o, KIND_PACKET, "queues", (OptionValue){.u = n}, &refusal),
                                 0);
                assert_int_equal(options_check(&o, "lab", &refusal), 0);
        }
        for (const uint32_t *bad = (const uint32_t[]){0, 17, UINT32_C(0x80000001), UINT32_MAX};;
             bad++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "queues", (OptionValue){.u = *bad}, &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "network lab", "queues");
                assert_int_equal(o.queues, 1);
                if (*bad == UINT32_MAX)
                        break;
        }
}

/* More descriptors than a D-Bus message carries would cost the service its connection. */
static void test_descriptors(_unused_ void **state) {
        Refusal refusal;

        for (uint32_t n = 1; n <= RAWNET_QUEUES_MAX; n++) {
                OpenOptions o;
                int r;

                options_init(&o, KIND_TAP);
                assert_int_equal(set(&o, KIND_TAP, "vhost", (OptionValue){.b = true}, &refusal), 0);
                assert_int_equal(set(&o, KIND_TAP, "queues", (OptionValue){.u = n}, &refusal), 0);
                r = options_check(&o, "lab", &refusal);
                if (n <= 8)
                        assert_int_equal(r, 0);
                else
                        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "network lab",
                                       "at most 16");
        }
}

static void test_rate(_unused_ void **state) {
        static const uint64_t bad[] = {0, 1, 999999, UINT64_C(100000000001), UINT64_MAX};
        OpenOptions o;
        Refusal refusal;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                options_init(&o, KIND_TAP);
                assert_refused(set(&o, KIND_TAP, "rate", (OptionValue){.t = bad[i]}, &refusal),
                               RAWNET_INVALID_ARGS, &refusal, "network lab", "rate");
                assert_int_equal(o.rate, 0);
        }
        options_init(&o, KIND_VETH);
        assert_int_equal(set(&o, KIND_VETH, "rate", (OptionValue){.t = 1000000}, &refusal), 0);
        assert_int_equal(o.rate, 1000000);
        assert_refused(set(&o, KIND_VETH, "rate", (OptionValue){.t = 1000000}, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "twice");
}

static void test_vnet_hdr(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_PACKET);
        assert_int_equal(set(&o, KIND_PACKET, "vnet-hdr", (OptionValue){.b = true}, &refusal), 0);
        assert_true(o.vnet_hdr);
        options_init(&o, KIND_TAP);
        assert_int_equal(set(&o, KIND_TAP, "vnet-hdr", (OptionValue){.b = true}, &refusal), 0);
        options_init(&o, KIND_TAP);
        assert_refused(set(&o, KIND_TAP, "vnet-hdr", (OptionValue){.b = false}, &refusal),
                       RAWNET_NOT_SUPPORTED, &refusal, "network lab");
}

static void test_up(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_VETH);
        assert_false(o.up);
        assert_int_equal(set(&o, KIND_VETH, "up", (OptionValue){.b = true}, &refusal), 0);
        assert_true(o.up);
}

static void test_unknown_and_twice(_unused_ void **state) {
        Refusal refusal;
        OpenOptions o;

        options_init(&o, KIND_PACKET);
        assert_refused(set(&o, KIND_PACKET, "vhost", (OptionValue){.b = true}, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "network lab", "vhost");
        assert_refused(set(&o, KIND_PACKET, "mtu", (OptionValue){.u = 1}, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "unknown option 'mtu'");
        assert_int_equal(set(&o, KIND_PACKET, "queues", (OptionValue){.u = 2}, &refusal), 0);
        assert_refused(set(&o, KIND_PACKET, "queues", (OptionValue){.u = 2}, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "queues is given twice");
}

/* A call with options as it comes from the bus, to be read. */
static sd_bus_message *call_with(sd_bus *bus, const char *format, ...) {
        sd_bus_message *m = NULL;
        va_list ap;

        assert_true(sd_bus_message_new_method_call(bus, &m, "org.rawnet1", "/org/rawnet1",
                                                   "org.rawnet1.Manager", "OpenTap") >= 0);
        va_start(ap, format);
        assert_true(sd_bus_message_appendv(m, format, ap) >= 0);
        va_end(ap);
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        return m;
}

/* A connection that nobody answers: messages are made on it and never sent. */
static int setup_bus(void **state) {
        sd_bus *bus = NULL;
        int s[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
        assert_true(sd_bus_new(&bus) >= 0);
        assert_true(sd_bus_set_fd(bus, s[0], s[0]) >= 0);
        assert_true(sd_bus_start(bus) >= 0);
        safe_close(s[1]);
        *state = bus;
        return 0;
}

static int teardown_bus(void **state) {
        sd_bus_close_unref(*state);
        return 0;
}

#define EVERYTHING                                                                                 \
        "a{sv}", 5, "mac", "s", "52:54:00:00:00:01", "name", "s", "vm", "queues", "u",             \
                UINT32_C(4), "vhost", "b", 1, "vnet-hdr", "b", 1

static void test_read(void **state) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = call_with(*state, EVERYTHING);
        Refusal refusal = REFUSAL_UNTOUCHED;
        OpenOptions o;

        assert_int_equal(options_read(m, KIND_TAP, "lab", &o, &refusal), 0);
        assert_int_equal(o.mac_mode, IPC_MAC_GIVEN);
        assert_int_equal(o.mac.octet[5], 1);
        assert_string_equal(o.name, "vm");
        assert_int_equal(o.queues, 4);
        assert_true(o.vhost);
        assert_true(o.vnet_hdr);
        assert_string_equal(refusal.text, "untouched");
}

static void test_read_wrong_type(void **state) {
        static const char *const wrong[] = {"mac", "name", "vhost", "vnet-hdr"};

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                        call_with(*state, "a{sv}", 1, wrong[i], "u", UINT32_C(1));
                Refusal refusal;
                OpenOptions o;

                assert_refused(options_read(m, KIND_TAP, "lab", &o, &refusal), RAWNET_INVALID_ARGS,
                               &refusal, "network lab", wrong[i], "type u");
        }
}

/* Each step of reading fails once, without memory or on a message that is none: that errno, and no
 * options, rather than those that were read so far. */
static void test_read_faults(void **state) {
        static const int errors[] = {ENOMEM, EBADMSG};
        OpenOptions before;

        memset(&before, 0xaa, sizeof(before));
        for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
                bool fired = true;
                unsigned n = 0;

                while (fired) {
                        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m =
                                call_with(*state, EVERYTHING);
                        Refusal refusal = REFUSAL_UNTOUCHED;
                        OpenOptions o = before;
                        int r;

                        fault_arm(++n, errors[e]);
                        r = options_read(m, KIND_TAP, "lab", &o, &refusal);
                        fired = fault_disarm();
                        assert_int_equal(r, fired ? -errors[e] : 0);
                        assert_string_equal(refusal.text, "untouched");
                        if (fired)
                                assert_memory_equal(&o, &before, sizeof(o));
                }
                /* into and out of the array; into the entry, key, type, into the variant, value,
                 * out of both, five times; no sixth */
                assert_int_equal(n - 1, 2 + 5 * 7 + 1);
        }
}

#define with_bus(f) cmocka_unit_test_setup_teardown(f, setup_bus, teardown_bus)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_types),
                cmocka_unit_test(test_mac),
                cmocka_unit_test(test_name),
                cmocka_unit_test(test_queues),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_rate),
                cmocka_unit_test(test_vnet_hdr),
                cmocka_unit_test(test_up),
                cmocka_unit_test(test_unknown_and_twice),
                with_bus(test_read),
                with_bus(test_read_wrong_type),
                with_bus(test_read_faults),
        };

        return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
