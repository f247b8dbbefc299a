/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The command line of `rawnetctl run`.
 */

#include "client/client.h"
#include "client/run-options.h"
#include "fault.h"
#include "test.h"

#define MAX_WORDS 32u

typedef struct Parsed {
        RunOptions options;
        char *words[MAX_WORDS + 1]; /* options points into them */
        int status;
} Parsed;

/* words: blank-separated. fault: as fault_arm() has it, for the parsing alone. */
static void parse_with_fault(Parsed *parsed, const char *line, unsigned fault) {
        _cleanup_free_ char *copy = strdup(line);
        char *rest = copy, *word;
        int n = 0;

        *parsed = (Parsed){};
        assert_non_null(copy);
        while ((word = strsep(&rest, " "))) {
                assert_true(n < (int)MAX_WORDS);
                parsed->words[n++] = strdup(word);
        }
        optind = 0; /* getopt(3): start over */
        opterr = 0;
        fault_arm(fault, ENOMEM);
        parsed->status = run_options_parse(n, parsed->words, &parsed->options);
}

static void parse(Parsed *parsed, const char *line) {
        parse_with_fault(parsed, line, 0);
        fault_disarm();
}

static void parsed_done(Parsed *parsed) {
        for (size_t i = 0; i < parsed->options.n_ports; i++)
                port_done(&parsed->options.ports[i]);
        for (size_t i = 0; i < MAX_WORDS; i++)
                free(parsed->words[i]);
}

static void test_one_network(_unused_ void **state) {
        Parsed p;

        parse(&p, "run --kind tap --mac learn --name vm --queues 4 --vhost --vnet-hdr=yes "
                  "lab.100 -- cmd -x --mac y");
        assert_int_equal(p.status, 0);
        assert_int_equal(p.options.n_ports, 1);
        assert_null(p.options.ports[0].name);
        assert_string_equal(p.options.ports[0].request.network, "lab.100");
        assert_int_equal(p.options.ports[0].request.kind, KIND_TAP);
        assert_string_equal(p.options.ports[0].request.mac, "learn");
        assert_string_equal(p.options.ports[0].request.name, "vm");
        assert_int_equal(p.options.ports[0].request.queues, 4);
        assert_int_equal(p.options.ports[0].request.vhost, 1);
        assert_int_equal(p.options.ports[0].request.vnet_hdr, 1);
        assert_string_equal(p.options.command[0], "cmd");
        assert_string_equal(p.options.command[3], "y");
        assert_null(p.options.command[4]);
        parsed_done(&p);

        parse(&p, "run lab cmd");
        assert_int_equal(p.status, 0);
        assert_int_equal(p.options.ports[0].request.kind, KIND_TAP);
        assert_int_equal(p.options.ports[0].request.queues, 0);
        assert_int_equal(p.options.ports[0].request.vhost, -1);
        assert_int_equal(p.options.ports[0].request.vnet_hdr, -1);
        assert_null(p.options.ports[0].request.mac);
        assert_string_equal(p.options.command[0], "cmd");
        parsed_done(&p);
}

static void test_veth(_unused_ void **state) {
        Parsed p;

        parse(&p, "run --kind veth --dhcp lab -- cmd");
        assert_int_equal(p.status, 0);
        assert_true(run_options_veth(&p.options) && p.options.dhcp && !p.options.tap);
        assert_string_equal(p.options.ports[0].request.interface, "eth0");
        parsed_done(&p);

        parse(&p, "run --kind veth --interface lan0 --tap tap0 lab -- cmd");
        assert_int_equal(p.status, 0);
        assert_string_equal(p.options.ports[0].request.interface, "lan0");
        assert_string_equal(p.options.tap, "tap0");
        parsed_done(&p);

        parse(&p, "run --port vm=lab --kind veth --port a=lab --port b=lab --interface c "
                  "--port c=lab -- cmd");
        assert_int_equal(p.status, 0);
        assert_null(p.options.ports[0].request.interface);
        assert_string_equal(p.options.ports[1].request.interface, "eth0");
        assert_string_equal(p.options.ports[2].request.interface, "eth1");
        assert_string_equal(p.options.ports[3].request.interface, "c");
        parsed_done(&p);

        parse(&p, "run --kind packet lab -- cmd");
        assert_false(run_options_veth(&p.options));
        parsed_done(&p);
}

/* An option before a --port holds for it and those after it, until it is given again. */
static void test_ports_in_order(_unused_ void **state) {
        Parsed p;

        parse(&p, "run --queues 2 --port wan=vlan10 --kind packet --vhost=off --port lan=vlab.300 "
                  "-- cmd");
        assert_int_equal(p.status, 0);
        assert_int_equal(p.options.n_ports, 2);
        assert_string_equal(p.options.ports[0].name, "wan");
        assert_string_equal(p.options.ports[0].request.network, "vlan10");
        assert_int_equal(p.options.ports[0].request.queues, 2);
        assert_int_equal(p.options.ports[0].request.kind, KIND_TAP);
        assert_int_equal(p.options.ports[0].request.vhost, -1);
        assert_string_equal(p.options.ports[1].name, "lan");
        assert_string_equal(p.options.ports[1].request.network, "vlab.300");
        assert_int_equal(p.options.ports[1].request.queues, 2);
        assert_int_equal(p.options.ports[1].request.kind, KIND_PACKET);
        assert_int_equal(p.options.ports[1].request.vhost, 0);
        parsed_done(&p);
}

static void test_dashes_before_the_network(_unused_ void **state) {
        Parsed p;

        parse(&p, "run -- lab -- cmd");
        assert_int_equal(p.status, 0);
        assert_string_equal(p.options.ports[0].request.network, "lab");
        assert_string_equal(p.options.command[0], "cmd");
        parsed_done(&p);
}

static void test_wrong(_unused_ void **state) {
        static const char *const wrong[] = {
                "run",
                "run lab",
                "run lab --",
                "run --",
                "run lab --kind tap -- cmd",
                "run --kind",
                "run --kind x lab -- cmd",
                "run -- cmd",
                "run -- cmd argument",
                "run --kind packet --vhost lab -- cmd",
                "run --kind packet --mac learn lab -- cmd",
                "run --vnet-hdr=no lab -- cmd",
                "run --kind packet --vhost --port a=lab -- cmd",
                "run --kind veth --queues 2 lab -- cmd",
                "run --kind veth --vhost lab -- cmd",
                "run --kind veth --vnet-hdr yes lab -- cmd",
                "run --kind veth --mac learn lab -- cmd",
                "run --interface eth0 lab -- cmd",
                "run --dhcp lab -- cmd",
                "run --tap tap0 lab -- cmd",
                "run --kind veth --interface 0123456789abcdef lab -- cmd",
                "run --kind veth --interface a/b lab -- cmd",
                "run --kind veth --tap a%d lab -- cmd",
                "run --kind veth --tap eth0 lab -- cmd",
                "run --kind veth --tap tap0 --dhcp lab -- cmd",
                "run --kind veth --tap tap0 --port a=lab -- cmd",
                "run --kind veth --interface x --port a=lab --port b=lab -- cmd",
                "run --kind veth --port a=lab --interface eth0 --port b=lab -- cmd",
                "run --kind veth --dhcp=yes lab -- cmd",
                "run --queues 0 lab -- cmd",
                "run --queues 17 lab -- cmd",
                "run --queues x lab -- cmd",
                "run --vnet-hdr=x lab -- cmd",
                "run --vhost=x lab -- cmd",
                "run --foo lab -- cmd",
                "run --port lab -- cmd",
                "run --port =lab -- cmd",
                "run --port a= -- cmd",
                "run --port a.b=lab -- cmd",
                "run --port a=lab --port a=lab -- cmd",
                "run --port a-b=lab --port A_B=lab -- cmd",
                "run --port a=lab --mac learn -- cmd",
                "run --port a=lab --",
                "run --port a=lab",
        };

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                Parsed p;

                parse(&p, wrong[i]);
                if (p.status != EXIT_OWN_FAILURE)
                        fail_msg("%s: %d", wrong[i], p.status);
                parsed_done(&p);
        }
}

static void test_faults(_unused_ void **state) {
        bool fired = true;
        unsigned n = 0;

        while (fired) {
                Parsed p;

                parse_with_fault(&p, "run --port wan=vlan10 --queues 2 --port lan=vlan20 -- cmd",
                                 ++n);
                fired = fault_disarm();
                assert_int_equal(p.status, fired ? EXIT_OWN_FAILURE : 0);
                assert_true(fired || p.options.n_ports == 2);
                parsed_done(&p);
        }
        assert_int_equal(n - 1, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_network),
                cmocka_unit_test(test_veth),
                cmocka_unit_test(test_ports_in_order),
                cmocka_unit_test(test_dashes_before_the_network),
                cmocka_unit_test(test_wrong),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
