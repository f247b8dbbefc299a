/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * podman's network driver: what it reads of podman, what it answers, and what a DHCP server may
 * say.
 */

#include <arpa/inet.h>
#include "client/netavark/dhcp-hook.h"
#include "client/netavark/dhcp-lease.h"
#include "client/netavark/json.h"
#include "client/netavark/request.h"
#include "client/netavark/status.h"

#include "test.h"

static json_object *parse(const char *text) {
        json_object *object = json_read(text, strlen(text));

        assert_non_null(object);
        return object;
}

/* A network with these members beside its name. */
static json_object *network(const char *members) {
        char text[1024];

        assert_true(snprintf(text, sizeof(text), "{\"name\":\"lan\",\"driver\":\"rawnet\"%s}",
                             members) < (int)sizeof(text));
        return parse(text);
}

static void test_networks(_unused_ void **state) {
        static const struct {
                const char *members;
                NetavarkIpam ipam;
                uint32_t metric;
                bool no_default_route;
        } good[] = {
                {",\"options\":{\"network\":\"vlan100\"}", NETAVARK_IPAM_DHCP, 100, false},
                {",\"options\":{\"network\":\"vlan100\"},\"subnets\":null,\"ipam_options\":null,"
                 "\"network_interface\":null",
                 NETAVARK_IPAM_DHCP, 100, false},
                {",\"options\":{\"network\":\"vlan100\",\"metric\":\"7\"},\"subnets\":"
                 "[{\"subnet\":\"10.0.0.0/24\"}]",
                 NETAVARK_IPAM_HOST_LOCAL, 7, false},
                {",\"options\":{\"network\":\"vlan100\",\"no_default_route\":\"true\"},"
                 "\"ipam_options\":{\"driver\":\"none\"}",
                 NETAVARK_IPAM_NONE, 100, true},
                {",\"options\":{\"network\":\"vlan100\",\"no_default_route\":\"0\"},"
                 "\"ipam_options\":{\"driver\":\"dhcp\"}",
                 NETAVARK_IPAM_DHCP, 100, false},
        };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _cleanup_json_ json_object *input = network(good[i].members);
                Refusal refusal = REFUSAL_UNTOUCHED;
                NetavarkNetwork read;

                assert_int_equal(netavark_read_network(input, &read, &refusal), 0);
                assert_string_equal(read.name, "lan");
                assert_string_equal(read.rawnet, "vlan100");
                assert_int_equal(read.ipam, good[i].ipam);
                assert_int_equal(read.metric, good[i].metric);
                assert_int_equal(read.no_default_route, good[i].no_default_route);
        }
}

static void test_networks_refused(_unused_ void **state) {
        static const struct {
                const char *members, *word;
        } bad[] = {
                {"", "--opt network=NAME"},
                {",\"options\":{}", "--opt network=NAME"},
                {",\"options\":{\"network\":\"\"}", "--opt network=NAME"},
                {",\"options\":{\"network\":7}", "an option is no text"},
                {",\"options\":{\"network\":\"a\",\"vlan\":\"7\"}", "no --opt 'vlan'"},
                {",\"options\":{\"network\":\"a\",\"mtu\":\"9000\"}", "MTU="},
                {",\"options\":{\"network\":\"a\",\"metric\":\"-1\"}", "metric=-1"},
                {",\"options\":{\"network\":\"a\",\"rate\":\"10m\"}", "rate=10m"},
                {",\"options\":{\"network\":\"a\",\"rate\":\"1\"}", "rate=1 "},
                {",\"options\":{\"network\":\"a\",\"no_default_route\":\"maybe\"}",
                 "no_default_route=maybe"},
                {",\"options\":{\"network\":\"a\"},\"network_interface\":\"eth1\"",
                 "--interface-name eth1"},
                {",\"options\":{\"network\":\"a\"},\"ipam_options\":{\"driver\":\"static\"}",
                 "--ipam-driver 'static'"},
                {",\"options\":{\"network\":\"a\"},\"ipam_options\":{\"driver\":\"host-local\"}",
                 "needs a --subnet"},
                {",\"options\":{\"network\":\"a\"},\"ipam_options\":{\"driver\":\"dhcp\"},"
                 "\"subnets\":[{\"subnet\":\"10.0.0.0/8\"}]",
                 "takes no --subnet"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_json_ json_object *input = network(bad[i].members);
                Refusal refusal = REFUSAL_UNTOUCHED;
                NetavarkNetwork read;

                assert_refused(netavark_read_network(input, &read, &refusal), RAWNET_INVALID_ARGS,
                               &refusal, bad[i].word);
        }
}

static void test_network_is_completed(_unused_ void **state) {
        _cleanup_json_ json_object *input =
                network(",\"id\":\"i\",\"dns_enabled\":true,\"options\":{\"network\":\"vlan100\"}");
        NetavarkNetwork read;

        assert_int_equal(netavark_read_network(input, &read, NULL), 0);
        assert_int_equal(netavark_complete_network(input, &read), 0);
        assert_string_equal(json_object_to_json_string_ext(input, JSON_C_TO_STRING_PLAIN),
                            "{\"name\":\"lan\",\"driver\":\"rawnet\",\"id\":\"i\",\"dns_enabled\":"
                            "false,\"options\":{\"network\":\"vlan100\"},\"ipam_options\":"
                            "{\"driver\":\"dhcp\"}}");
}

/* A container on a network with these members, with these options of its own. */
static json_object *container(const char *members, const char *options) {
        char text[2048];

        assert_true(snprintf(text, sizeof(text),
                             "{\"container_id\":\"c\",\"container_name\":\"web\",\"network\":"
                             "{\"name\":\"lan\",\"options\":{\"network\":\"vlan100\"}%s},"
                             "\"network_options\":{\"interface_name\":\"eth0\"%s}}",
                             members, options) < (int)sizeof(text));
        return parse(text);
}

#define SUBNETS                                                                                    \
        ",\"subnets\":[{\"subnet\":\"10.9.0.0/16\",\"gateway\":\"10.9.0.1\"},"                     \
        "{\"subnet\":\"fd00:9::/64\"}]"

static void test_containers(_unused_ void **state) {
        _cleanup_json_ json_object *input = container(
                SUBNETS ",\"routes\":[{\"destination\":\"10.0.0.0/8\",\"gateway\":\"10.9.0.2\","
                        "\"metric\":5},{\"destination\":\"fd01::/64\",\"gateway\":\"fd00:9::1\"}]",
                ",\"static_mac\":\"52:54:00:00:00:01\",\"static_ips\":[\"fd00:9::7\","
                "\"10.9.200.7\"]");
        NetavarkContainer read;
        char text[IP_TEXT_SIZE];

        assert_int_equal(netavark_read_container(input, &read, NULL), 0);
        assert_string_equal(read.name, "web");
        assert_string_equal(read.interface, "eth0");
        assert_string_equal(read.mac, "52:54:00:00:00:01");
        /* By the subnet that they are in, whatever the order. */
        assert_int_equal(read.n_addresses, 2);
        assert_string_equal(ip_format_prefix(&read.addresses[0].ip, text), "fd00:9::7/64");
        assert_int_equal(read.addresses[0].gateway.family, 0);
        assert_string_equal(ip_format_prefix(&read.addresses[1].ip, text), "10.9.200.7/16");
        assert_string_equal(ip_format(&read.addresses[1].gateway, text), "10.9.0.1");
        assert_int_equal(read.n_routes, 2);
        assert_string_equal(ip_format_prefix(&read.routes[0].destination, text), "10.0.0.0/8");
        assert_int_equal(read.routes[0].metric, 5);
        assert_int_equal(read.routes[1].metric, 100);
        assert_false(read.network.no_default_route);
}

static void test_internal_networks_have_no_default_route(_unused_ void **state) {
        _cleanup_json_ json_object *input = container(",\"internal\":true", "");
        NetavarkContainer read;

        assert_int_equal(netavark_read_container(input, &read, NULL), 0);
        assert_true(read.network.no_default_route);
        assert_null(read.mac);
}

#define ROUTE(metric)                                                                              \
        SUBNETS ",\"routes\":[{\"destination\":\"10.0.0.0/8\",\"gateway\":\"10.9.0.2\","           \
                "\"metric\":" metric "}]"

/* A metric has 32 bits. */
static void test_metrics(_unused_ void **state) {
        static const struct {
                const char *members;
                uint32_t metric;
        } good[] = {{ROUTE("4294967295"), UINT32_MAX}, {ROUTE("0"), 0}, {ROUTE("null"), 100}};

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _cleanup_json_ json_object *input = container(good[i].members, "");
                NetavarkContainer read;

                assert_int_equal(netavark_read_container(input, &read, NULL), 0);
                assert_int_equal(read.n_routes, 1);
                assert_int_equal(read.routes[0].metric, good[i].metric);
        }
}

static void test_containers_refused(_unused_ void **state) {
        static const struct {
                const char *members, *options, *word;
        } bad[] = {
                {"", ",\"interface_name\":\"a/b\"", "network lan: 'a/b' is no name"},
                {"", ",\"interface_name\":\"..\"", "'..' is no name"},
                {"", ",\"interface_name\":\"-eth0\"", "'-eth0' is no name"},
                {"", ",\"interface_name\":\"eth%d\"", "'eth%d' is no name"},
                {"", ",\"interface_name\":\"all\"", "'all' is no name"},
                {"", ",\"interface_name\":\"a\\nb\"", "'a?b' is no name"},
                {"", ",\"interface_name\":\"abcdefghijklmnop\"", "is no name"},
                {"", ",\"interface_name\":null", "the interface has no name"},
                /* Of other types, nothing is guessed. */
                {"", ",\"interface_name\":7", "'interface_name' is no string"},
                {"", ",\"interface_name\":\"eth0\\u0000/../x\"", "a text has a NUL"},
                {"", ",\"static_mac\":7", "'static_mac' is no string"},
                {"", ",\"static_ips\":\"10.9.0.7\"", "'static_ips' is no array"},
                {SUBNETS, ",\"static_ips\":[7]", "an address is none"},
                {SUBNETS, ",\"static_ips\":[\"10.9.0.7\\u0000\"]", "an address is none"},
                {"", ",\"options\":[]", "'options' is no object"},
                {",\"internal\":\"true\"", "", "'internal' is no boolean"},
                {",\"subnets\":{}", "", "'subnets' is no array"},
                {",\"subnets\":[7]", ",\"static_ips\":[\"10.9.0.7\"]",
                 "what should have a 'subnet' is no object"},
                {",\"subnets\":[{\"subnet\":\"10.9.0.0/16\",\"gateway\":1}]",
                 ",\"static_ips\":[\"10.9.0.7\"]", "'gateway' is no string"},
                {",\"routes\":{}", "", "'routes' is no array"},
                {",\"routes\":[null]", "", "what should have a 'destination' is no object"},
                {",\"routes\":[{}]", "", "a route is none"},
                {",\"ipam_options\":[]", "", "'ipam_options' is no object"},
                {",\"network_interface\":{}", "", "'network_interface' is no string"},
                {"", ",\"static_mac\":\"52:54:00\"", "'52:54:00' is not a MAC address"},
                {"", ",\"static_ips\":[\"10.9.0.7\"]", "--ip needs a network with a --subnet"},
                {SUBNETS, ",\"static_ips\":[\"10.8.0.7\"]", "in none of the network's subnets"},
                {SUBNETS, ",\"static_ips\":[\"ten\"]", "an address is none"},
                {SUBNETS ",\"routes\":[{\"destination\":\"10.0.0.0/8\",\"gateway\":\"fd00::1\"}]",
                 "", "a route is none"},
                {"", ",\"options\":{\"vlan\":\"7\"}", "takes no option 'vlan'"},
                {ROUTE("4294967296"), "", "10.0.0.0/8 is 4294967296; it takes a number from 0 to"},
                {ROUTE("-1"), "", "is -1;"},
                {ROUTE("18446744073709551616"), "", "a number from 0 to 4294967295"},
                {ROUTE("1.5"), "", "is 1.5;"},
                {ROUTE("\"7\""), "", "is 7;"},
        };
        _cleanup_json_ json_object *empty = parse("{}");
        Refusal refusal = REFUSAL_UNTOUCHED;
        NetavarkContainer read;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_json_ json_object *input = container(bad[i].members, bad[i].options);

                refusal = REFUSAL_UNTOUCHED;
                assert_refused(netavark_read_container(input, &read, &refusal), RAWNET_INVALID_ARGS,
                               &refusal, bad[i].word);
        }
        refusal = REFUSAL_UNTOUCHED;
        assert_refused(netavark_read_container(empty, &read, &refusal), RAWNET_INVALID_ARGS,
                       &refusal, "it has no network");
}

/* One value, UTF-8, not too deep. */
static void test_json(_unused_ void **state) {
        static const char *const good[] = {"{}", " {\"a\":[1,{}]}\r\n\t ", "[]"};
        static const char *const bad[] = {
                "", " ", "{", "{}{}", "{} x", "{\"a\":1,}", "// x\n{}", "nul", "{\"a\":\"\xff\"}"};
        char deep[80] = "";

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                _cleanup_json_ json_object *value = json_read(good[i], strlen(good[i]));

                assert_non_null(value);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_null(json_read(bad[i], strlen(bad[i])));
        assert_null(json_read("{}\0{}", 5));
        memset(deep, '[', 40);
        memset(deep + 40, ']', 40);
        assert_null(json_read(deep, sizeof(deep)));
}

/* teardown needs the interface, and nothing else may keep it from its work. */
static void test_places(_unused_ void **state) {
        _cleanup_json_ json_object *
                odd = container(",\"subnets\":7,\"internal\":{}",
                                ",\"static_ips\":[\"x\"],\"interface_name\":\"eth0@7\",\"options\":"
                                "{\"new\":\"1\"}"),
               *bad = container("", ",\"interface_name\":\"a/b\""),
               *none = container("", ",\"interface_name\":null");
        Refusal refusal = REFUSAL_UNTOUCHED;
        NetavarkContainer read;

        assert_int_equal(netavark_read_place(odd, &read, NULL), 0);
        assert_string_equal(read.interface, "eth0@7");
        assert_string_equal(read.network.name, "lan");
        assert_refused(netavark_read_place(bad, &read, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "the interface's name is none");
        refusal = REFUSAL_UNTOUCHED;
        assert_refused(netavark_read_place(none, &read, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "the interface has no name");
}

static void test_status(_unused_ void **state) {
        NetavarkStatus status = {.n_addresses = 2, .n_dns = 1};
        _cleanup_json_ json_object *object = NULL;

        assert_int_equal(ip_parse("10.9.0.7/16", true, &status.addresses[0].ip), 0);
        assert_int_equal(ip_parse("10.9.0.1", false, &status.addresses[0].gateway), 0);
        assert_int_equal(ip_parse("fd00::7/64", true, &status.addresses[1].ip), 0);
        assert_int_equal(ip_parse("10.9.0.3", false, &status.dns[0]), 0);
        object = netavark_status_json(&status, "eth0", "52:54:00:00:00:01");
        assert_string_equal(
                json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE),
                "{\"interfaces\":{\"eth0\":{\"mac_address\":\"52:54:00:00:00:01\",\"subnets\":["
                "{\"ipnet\":\"10.9.0.7/16\",\"gateway\":\"10.9.0.1\"},{\"ipnet\":\"fd00::7/64\"}]}},"
                "\"dns_server_ips\":[\"10.9.0.3\"],\"dns_search_domains\":[]}");
}

static void set_lease(const char *ip, const char *mask, const char *subnet, const char *router,
                      const char *dns, const char *domain) {
        assert_int_equal(setenv("ip", ip, 1), 0);
        assert_int_equal(setenv("mask", mask, 1), 0);
        assert_int_equal(setenv("subnet", subnet, 1), 0);
        assert_int_equal(setenv("router", router, 1), 0);
        assert_int_equal(setenv("dns", dns, 1), 0);
        assert_int_equal(setenv("domain", domain, 1), 0);
}

/* What the hook writes of a lease, and what the plugin reads of that, is the same. */
static void check_lease(const char *line) {
        _cleanup_(netavark_status_done) NetavarkStatus lease = {}, again = {};
        _cleanup_free_ char *text = NULL, *second = NULL;
        size_t size;
        FILE *out;

        assert_int_equal(dhcp_lease_from_environment(&lease), 0);
        out = open_memstream(&text, &size);
        dhcp_lease_write(out, &lease);
        fclose(out);
        assert_string_equal(text, line);
        assert_int_equal(dhcp_lease_read(text, &again), 0);
        out = open_memstream(&second, &size);
        dhcp_lease_write(out, &again);
        fclose(out);
        assert_string_equal(second, line);
}

static void test_dhcp_leases(_unused_ void **state) {
        set_lease("192.0.2.7", "24", "255.255.255.0", "192.0.2.1 192.0.2.2", "192.0.2.3 192.0.2.4",
                  "lan.example");
        check_lease("192.0.2.7/24 192.0.2.1 192.0.2.3,192.0.2.4 lan.example\n");
        set_lease("192.0.2.7", "", "255.255.254.0", "", "", "");
        check_lease("192.0.2.7/23 - - -\n");
        /* A server may say anything: resolv.conf gets no second line, and no option. */
        set_lease("192.0.2.7", "32", "", "not an address", "x 192.0.2.3 ::1",
                  "a\nnameserver 6.6.6.6");
        check_lease("192.0.2.7/32 - 192.0.2.3,::1 -\n");
        set_lease("192.0.2.7", "32", "", "fe80::1", "", "-options");
        check_lease("192.0.2.7/32 - - -\n");
}

static void test_dhcp_leases_without_an_address(_unused_ void **state) {
        NetavarkStatus lease;

        set_lease("", "24", "", "", "", "");
        assert_int_equal(dhcp_lease_from_environment(&lease), -EINVAL);
        set_lease("::1", "24", "", "", "", "");
        assert_int_equal(dhcp_lease_from_environment(&lease), -EINVAL);
        set_lease("192.0.2.7", "33", "255.0.255.0", "", "", "");
        assert_int_equal(dhcp_lease_from_environment(&lease), -EINVAL);
        assert_int_equal(dhcp_lease_read("192.0.2.7/24 - -\n", &lease), -EINVAL);
        assert_int_equal(dhcp_lease_read("192.0.2.7 - - -\n", &lease), -EINVAL);
}

static void test_subnets(_unused_ void **state) {
        static const struct {
                const char *ip, *subnet;
                bool in;
        } cases[] = {
                {"10.9.1.7", "10.9.0.0/23", true},  {"10.9.2.7", "10.9.0.0/23", false},
                {"10.9.2.7", "0.0.0.0/0", true},    {"10.9.2.7", "10.9.2.7/32", true},
                {"10.9.2.6", "10.9.2.7/32", false}, {"fd00::1", "0.0.0.0/0", false},
                {"fd00::8000", "fd00::/112", true}, {"fd00::8000", "fd00::/113", false},
        };
        unsigned prefix;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                IpAddress ip, subnet;

                assert_int_equal(ip_parse(cases[i].ip, false, &ip), 0);
                assert_int_equal(ip_parse(cases[i].subnet, true, &subnet), 0);
                assert_int_equal(ip_in_subnet(&ip, &subnet), cases[i].in);
        }
        assert_int_equal(ip_mask_parse("0.0.0.0", &prefix), 0);
        assert_int_equal(prefix, 0);
        assert_int_equal(ip_mask_parse("255.255.255.255", &prefix), 0);
        assert_int_equal(prefix, 32);
        assert_int_equal(ip_mask_parse("255.0.255.0", &prefix), -EINVAL);
}

static void test_hook_events(_unused_ void **state) {
        assert_int_equal(unsetenv(DHCP_VARIABLE_RESULT), 0);
        assert_int_equal(setenv("interface", "eth0", 1), 0);
        assert_false(dhcp_hook_is_event("bound"));
        assert_int_equal(setenv(DHCP_VARIABLE_RESULT, "7", 1), 0);
        assert_true(dhcp_hook_is_event("bound"));
        assert_false(dhcp_hook_is_event("setup"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_networks),
                cmocka_unit_test(test_networks_refused),
                cmocka_unit_test(test_network_is_completed),
                cmocka_unit_test(test_containers),
                cmocka_unit_test(test_internal_networks_have_no_default_route),
                cmocka_unit_test(test_metrics),
                cmocka_unit_test(test_containers_refused),
                cmocka_unit_test(test_json),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_dhcp_leases),
                cmocka_unit_test(test_dhcp_leases_without_an_address),
                cmocka_unit_test(test_subnets),
                cmocka_unit_test(test_hook_events),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
