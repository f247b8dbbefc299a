/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Placeholders, environment and descriptor numbers of what `rawnetctl run` becomes.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client/placeholder.h"
#include "client/port.h"
#include "fault.h"
#include "test.h"

static void make_port(Port *port, const char *name, const char *network, size_t n_queues,
                      size_t n_vhosts, const char *mac) {
        PortRequest request = PORT_REQUEST_INIT;

        request.network = network;
        port_init(port, name ? strdup(name) : NULL, &request);
        port->n_queues = n_queues;
        port->n_vhosts = n_vhosts;
        port->mac = strdup(mac);
        port->interface = strdup("rn1a2b3c");
        port->lease = 0x1a2b3c;
        port->mtu = 1500;
}

static void check_replaced(PortList *list, const char *argument, const char *expected) {
        _cleanup_free_ char *text = NULL;
        Refusal refusal = {};

        assert_int_equal(placeholder_replace(argument, port_lookup, list, &text, &refusal), 0);
        assert_string_equal(text, expected);
}

static void test_one_port(_unused_ void **state) {
        Port port;
        PortList list = {.ports = &port, .n_ports = 1};

        make_port(&port, NULL, "lab", 3, 3, "52:54:00:00:00:01");
        assert_int_equal(ports_number_from_three(&port, 1), 6);
        check_replaced(&list, "tap,id=n0,fds={fds},vhostfds={vhostfds}",
                       "tap,id=n0,fds=3:4:5,vhostfds=6:7:8");
        check_replaced(&list, "{fd}{fds,}", "33,4,5");
        check_replaced(&list, "mtu={mtu},if={ifname}", "mtu=1500,if=rn1a2b3c");
        assert_false(port.mac_used);
        check_replaced(&list, "mac={mac}", "mac=52:54:00:00:00:01");
        assert_true(port.mac_used);
        port_done(&port);
}

static void test_left_alone(_unused_ void **state) {
        static const char *const same[] = {
                "",
                "{",
                "}",
                "{}",
                "{{}}",
                "{unknown}",
                "{fd",
                "fd}",
                "{ fd}",
                "{fd }",
                "{fd:}",
                "{FD}",
                "{.fd}",
                "{wan.fd}",
                "{fd.}",
                "{fds,,}",
                "${HOME}",
                "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\"}",
                "awk '{print $1}'",
                "{a,b}",
                "{\"x\":{\"y\":[{}]}}",
        };
        Port port;
        PortList list = {.ports = &port, .n_ports = 1};

        make_port(&port, NULL, "lab", 1, 0, "52:54:00:00:00:01");
        ports_number_from_three(&port, 1);
        for (size_t i = 0; i < ARRAY_SIZE(same); i++)
                check_replaced(&list, same[i], same[i]);
        /* Braces around a word that is known stay. */
        check_replaced(&list, "{{fd}}", "{3}");
        check_replaced(&list, "{\"mac\":\"{mac}\"}", "{\"mac\":\"52:54:00:00:00:01\"}");
        check_replaced(&list, "{{{fd}", "{{3");
        port_done(&port);
}

static void test_named_ports(_unused_ void **state) {
        _cleanup_free_ char *text = NULL;
        Port ports[2];
        PortList list = {.ports = ports, .n_ports = 2};
        Refusal refusal = {};
        int r;

        make_port(&ports[0], "wan", "vlan10", 2, 2, "52:54:00:00:00:01");
        make_port(&ports[1], "lan-2", "vlan20", 1, 0, "52:54:00:00:00:02");
        assert_int_equal(ports_number_from_three(ports, 2), 5);
        check_replaced(&list, "{wan.fds} {wan.vhostfds} {lan-2.fd} {lan-2.mac} {dmz.fd}",
                       "3:4 5:6 7 52:54:00:00:00:02 {dmz.fd}");
        assert_false(ports[0].mac_used);
        assert_true(ports[1].mac_used);
        r = placeholder_replace("{fd}", port_lookup, &list, &text, &refusal);
        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "{wan.fd}");
        check_replaced(&list, "{unknown}", "{unknown}");
        port_done(&ports[0]);
        port_done(&ports[1]);
}

static void test_no_value(_unused_ void **state) {
        _cleanup_free_ char *text = NULL;
        Port port;
        PortList list = {.ports = &port, .n_ports = 1};
        Refusal refusal = {};
        int r;

        make_port(&port, NULL, "lab", 1, 0, "");
        ports_number_from_three(&port, 1);
        r = placeholder_replace("mac={mac}", port_lookup, &list, &text, &refusal);
        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "{mac}", "learn");
        r = placeholder_replace("{vhostfds}", port_lookup, &list, &text, &refusal);
        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, "{vhostfds}", "--vhost");
        assert_null(text);
        port_done(&port);
}

static void test_environment(_unused_ void **state) {
        Port ports[2];
        char pid[32];

        setenv("RAWNET_MAC", "of an outer rawnetctl", 1);
        setenv("LISTEN_PIDFDID", "1", 1);
        make_port(&ports[0], "wan", "vlan10", 2, 1, "52:54:00:00:00:01");
        make_port(&ports[1], "lan-2", "vlan20", 1, 0, "");
        assert_int_equal(ports_set_environment(ports, 2), 0);
        snprintf(pid, sizeof(pid), "%ld", (long)getpid());
        assert_string_equal(getenv("LISTEN_FDS"), "4");
        assert_string_equal(getenv("LISTEN_PID"), pid);
        assert_string_equal(getenv("LISTEN_FDNAMES"), "wan:wan:wan.vhost:lan-2");
        assert_null(getenv("LISTEN_PIDFDID"));
        assert_null(getenv("RAWNET_MAC"));
        assert_string_equal(getenv("RAWNET_MAC_WAN"), "52:54:00:00:00:01");
        assert_string_equal(getenv("RAWNET_MAC_LAN_2"), "");
        assert_string_equal(getenv("RAWNET_LEASE_WAN"), "1715004");
        assert_string_equal(getenv("RAWNET_IFNAME_LAN_2"), "rn1a2b3c");
        assert_string_equal(getenv("RAWNET_MTU_LAN_2"), "1500");
        /* One port alone has the plain names, also if it has a name. */
        assert_int_equal(ports_set_environment(ports, 1), 0);
        assert_string_equal(getenv("RAWNET_MAC"), "52:54:00:00:00:01");
        assert_string_equal(getenv("RAWNET_MAC_WAN"), "52:54:00:00:00:01");
        assert_string_equal(getenv("LISTEN_FDNAMES"), "wan:wan:wan.vhost");
        port_done(&ports[0]);
        port_done(&ports[1]);
}

static ino_t inode_of(int fd) {
        struct stat st;

        assert_return_code(fstat(fd, &st), errno);
        return st.st_ino;
}

/* Every descriptor's new place is another's present one. */
static void test_place(_unused_ void **state) {
        Port port;
        ino_t inodes[3];
        int before[3], low = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 20);

        assert_true(low >= 20);
        safe_close(low);
        make_port(&port, NULL, "lab", 2, 1, "52:54:00:00:00:01");
        for (size_t i = 0; i < 3; i++) {
                int fd = memfd_create("port", MFD_CLOEXEC);

                assert_return_code(fd, errno);
                before[i] = fcntl(fd, F_DUPFD_CLOEXEC, low + (int)i);
                assert_int_equal(before[i], low + (int)i);
                safe_close(fd);
                port.fds[i] = before[i];
                inodes[i] = inode_of(before[i]);
        }
        ports_number_from(&port, 1, (const int[]){low + 1, low + 2, low});
        assert_int_equal(ports_place(&port, 1, NULL), 0);
        assert_int_equal(inode_of(low + 1), inodes[0]);
        assert_int_equal(inode_of(low + 2), inodes[1]);
        assert_int_equal(inode_of(low), inodes[2]);
        for (int fd = low; fd < low + 3; fd++)
                assert_int_equal(fcntl(fd, F_GETFD), 0); /* no FD_CLOEXEC */
        assert_int_equal(fcntl(low + 3, F_GETFD), -1);
        port_done(&port);
        assert_int_equal(fcntl(low, F_GETFD), -1);
}

static void test_find_free(_unused_ void **state) {
        int numbers[4], again[3], taken;

        assert_int_equal(ports_find_free(numbers, 4), 0);
        assert_true(numbers[0] >= 3);
        taken = dup2(STDERR_FILENO, numbers[1]);
        assert_int_equal(taken, numbers[1]);
        assert_int_equal(ports_find_free(again, 3), 0);
        assert_int_equal(again[0], numbers[0]);
        assert_int_equal(again[1], numbers[2]);
        assert_int_equal(again[2], numbers[3]);
        safe_close(taken);
}

static void test_names(_unused_ void **state) {
        assert_true(port_name_valid("wan"));
        assert_true(port_name_valid("a_B-9"));
        assert_true(port_name_valid("12345678901234567890123456789012"));
        assert_false(port_name_valid("123456789012345678901234567890123"));
        assert_false(port_name_valid(""));
        assert_false(port_name_valid("a.b"));
        assert_false(port_name_valid("a:b"));
        assert_false(port_name_valid("a b"));
}

/* Each allocation fails once: no text, rather than one with a piece missing. */
static void test_faults(_unused_ void **state) {
        static const char *const words[] = {"a{fds}b",  "{fds,}", "{vhostfds}", "{mac}",
                                            "{ifname}", "{mtu}",  "{other}{",   "{fd}{fd}"};
        Port port;
        PortList list = {.ports = &port, .n_ports = 1};

        make_port(&port, NULL, "lab", 2, 2, "52:54:00:00:00:01");
        ports_number_from_three(&port, 1);
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                _cleanup_free_ char *whole = NULL;
                Refusal refusal = REFUSAL_UNTOUCHED;
                bool fired = true;
                unsigned n = 0;

                assert_int_equal(
                        placeholder_replace(words[i], port_lookup, &list, &whole, &refusal), 0);
                while (fired) {
                        char *text = NULL;
                        int r;

                        fault_arm(++n, ENOMEM);
                        r = placeholder_replace(words[i], port_lookup, &list, &text, &refusal);
                        fired = fault_disarm();
                        assert_int_equal(r, fired ? -ENOMEM : 0);
                        assert_string_equal(fired ? "" : whole, text ? text : "");
                        free(text);
                }
                assert_true(n > 3);
                assert_string_equal(refusal.text, "untouched");
        }
        for (unsigned n = 1;; n++) {
                int r;

                fault_arm(n, ENOMEM);
                r = ports_set_environment(&port, 1);
                if (!fault_disarm()) {
                        assert_int_equal(r, 0);
                        assert_string_equal(getenv("LISTEN_FDNAMES"),
                                            "lab:lab:lab.vhost:lab.vhost");
                        assert_true(n > 8);
                        break;
                }
                assert_int_equal(r, -ENOMEM);
        }
        port_done(&port);
}

static void test_same_address(_unused_ void **state) {
        static const struct {
                const char *network[2], *mac[2], *name[2], *words;
        } cases[] = {
                {{"lab", "lab"}, {"52:54:00:00:00:0a", "52:54:00:00:00:0b"}, {NULL, NULL}, NULL},
                {{"lab", "lab2"}, {"52:54:00:00:00:0a", "52:54:00:00:00:0a"}, {NULL, NULL}, NULL},
                {{"lab", "lab"},
                 {"52:54:00:00:00:0a", "52:54:00:00:00:0A"},
                 {NULL, NULL},
                 "both ask for"},
                {{"lab", "lab"}, {"learn", "learn"}, {NULL, NULL}, NULL},
                {{"lab", "lab"}, {NULL, ""}, {NULL, ""}, NULL},
                {{"lab", "lab"}, {NULL, NULL}, {"web", "db"}, NULL},
                {{"lab", "lab2"}, {NULL, NULL}, {"web", "web"}, NULL},
                {{"lab", "lab"}, {NULL, ""}, {"web", "web"}, "both have the name web"},
                {{"lab", "lab"}, {NULL, "52:54:00:00:00:0a"}, {"web", "web"}, NULL},
                {{NULL, "lab"}, {"52:54:00:00:00:0a", "52:54:00:00:00:0a"}, {NULL, NULL}, NULL},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Port ports[2];
                int r;

                for (size_t k = 0; k < 2; k++) {
                        make_port(&ports[k], k == 0 ? "first" : "second", cases[i].network[k], 0, 0,
                                  "");
                        ports[k].request.mac = cases[i].mac[k];
                        ports[k].request.name = cases[i].name[k];
                }
                r = ports_check_addresses(ports, 2, &refusal);
                if (cases[i].words)
                        assert_refused(r, RAWNET_INVALID_ARGS, &refusal, cases[i].words,
                                       "first and second");
                else
                        assert_int_equal(r, 0);
                port_done(&ports[0]);
                port_done(&ports[1]);
        }
}

static void test_explained(_unused_ void **state) {
        Refusal refusal = {};
        Port ports[2];

        make_port(&ports[0], "first", "lab", 1, 0, "52:54:00:00:00:0a");
        make_port(&ports[1], "second", "lab2", 0, 0, "");
        ports[1].request.mac = "52:54:00:00:00:0A";
        refuse(&refusal, RAWNET_QUOTA_EXCEEDED, "too many");
        ports_explain_refusal(ports, 1, &refusal);
        assert_string_equal(refusal.text, "too many");
        refuse(&refusal, RAWNET_ADDRESS_IN_USE, "lease 7 has it");
        ports_explain_refusal(ports, 1, &refusal);
        assert_refused(refusal.error, RAWNET_ADDRESS_IN_USE, &refusal, "first and second",
                       "lab and lab2", "same parent");
        ports[1].request.mac = "52:54:00:00:00:0b";
        refuse(&refusal, RAWNET_ADDRESS_IN_USE, "lease 7 has it");
        ports_explain_refusal(ports, 1, &refusal);
        assert_string_equal(refusal.text, "lease 7 has it");
        ports[0].n_queues = 0;
        port_done(&ports[0]);
        port_done(&ports[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_port),    cmocka_unit_test(test_left_alone),
                cmocka_unit_test(test_named_ports), cmocka_unit_test(test_no_value),
                cmocka_unit_test(test_environment), cmocka_unit_test(test_place),
                cmocka_unit_test(test_find_free),   cmocka_unit_test(test_names),
                cmocka_unit_test(test_faults),      cmocka_unit_test(test_same_address),
                cmocka_unit_test(test_explained),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
