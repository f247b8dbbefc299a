/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * QEMU's option syntax, and command lines with -netdev raw turned into ones for a stock QEMU.
 */

#include "client/parse.h"
#include "client/qemu-line.h"
#include "fault.h"
#include "test.h"

#define ARGV(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

static void check_get(const char *text, const char *key, const char *expected) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        const char *value;

        assert_int_equal(qemu_options_parse(text, "type", &options), 0);
        value = qemu_options_get(&options, key);
        if (!expected)
                assert_null(value);
        else {
                assert_non_null(value);
                assert_string_equal(value, expected);
        }
}

static void test_plain_options(_unused_ void **state) {
        check_get("raw,id=n0", "type", "raw");
        check_get("raw,id=n0", "id", "n0");
        check_get("type=raw,id=n0", "type", "raw");
        check_get("id=n0,raw", "raw", "on");
        check_get("id=n0,raw", "type", NULL);
        check_get("raw,name=a,,b,id=x", "name", "a,b");
        check_get("raw,name=a,,b,id=x", "id", "x");
        check_get("raw,name=,,,,id=x", "name", ",,id=x");
        check_get("raw,name=,,", "name", ",");
        check_get("raw,name=,id=x", "name", "");
        check_get("raw,name=,id=x", "id", "x");
        check_get("raw,name=a=b", "name", "a=b");
        check_get("raw,mac=1,mac=2", "mac", "2");
        check_get("raw,vhost", "vhost", "on");
        check_get("raw,vhost,id=n", "vhost", "on");
        check_get("raw,id=n0,", "id", "n0");
        check_get("", "type", NULL);
        check_get("a,,b,id=n", "type", "a,b");
}

static void test_json_options(_unused_ void **state) {
        static const char *const bad[] = {"{", "{]", "{\"a\":}", "{\"a\":1} x", "{\"a\":1}{}"};
        QemuOptions options;

        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "type",
                  "raw");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "queues",
                  "2");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "vhost",
                  "on");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "id",
                  NULL);
        check_get("{\"vhost\":false} \n", "vhost", "off");
        check_get("{\"name\":\"a,,b\"}", "name", "a,,b");
        check_get("{}", "type", NULL);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(qemu_options_parse(bad[i], "type", &options), -EINVAL);
}

static void test_append(_unused_ void **state) {
        static const struct {
                const char *text, *key, *value, *expected;
                QemuValueType type;
        } cases[] = {
                        {"virtio,netdev=n", "mac", "52:54", "virtio,netdev=n,mac=52:54",
                         QEMU_STRING},
                        {"virtio,netdev=n", "x", "a,b", "virtio,netdev=n,x=a,,b", QEMU_STRING},
                        {"virtio,a=1,,2", "vectors", "6", "virtio,a=1,,2,vectors=6", QEMU_NUMBER},
                        {"{\"driver\": \"v\"}", "mac", "52:54",
                         "{\"driver\":\"v\",\"mac\":\"52:54\"}", QEMU_STRING},
                        {"{\"driver\": \"v/w\"}", "vectors", "6",
                         "{\"driver\":\"v/w\",\"vectors\":6}", QEMU_NUMBER},
                        {"{\"a\": {\"b\": [1, 2.5, null]}}", "mq", "on",
                         "{\"a\":{\"b\":[1,2.5,null]},\"mq\":true}", QEMU_BOOL},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = qemu_options_append(cases[i].text, cases[i].key,
                                                                cases[i].value, cases[i].type);

                assert_non_null(text);
                assert_string_equal(text, cases[i].expected);
        }
}

/* Opened as if: the MAC asked for or 52:54:00:aa:bb:cc, numbers from 10 up, MTU 9000 on network jumbo. */
static void open_all(QemuLine *line) {
        int numbers[QEMU_PORTS_MAX * RAWNET_FDS_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                numbers[i] = 10 + (int)i;
        for (size_t i = 0; i < line->n_ports; i++) {
                Port *port = &line->ports[i];
                const char *mac = port->request.mac;

                port->n_queues = port->request.kind == KIND_PACKET ? 0
                                 : port->request.queues            ? port->request.queues
                                                                   : 1;
                if (port->request.kind == KIND_PACKET)
                        port->socket = strdup("/run/a,b");
                if (line->given[i] >= 0)
                        continue;
                port->n_vhosts = port->request.vhost > 0 ? port->n_queues : 0;
                port->mac = strdup(!mac || !*mac               ? "52:54:00:aa:bb:cc"
                                   : strcmp(mac, "learn") == 0 ? ""
                                                               : mac);
                port->mtu = strcmp(port->request.network, "jumbo") == 0 ? 9000 : 1500;
        }
        ports_number_from(line->ports, line->n_ports, numbers);
}

static void check_line(char **argv, char **expected) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        char **result = NULL;
        Refusal refusal = {};
        size_t i;

        if (qemu_line_parse(argv, &line, &refusal) != 0)
                fail_msg("%s", refusal.text);
        open_all(&line);
        assert_int_equal(qemu_line_rewrite(&line, &result), 0);
        for (i = 0; expected[i]; i++) {
                assert_non_null(result[i]);
                assert_string_equal(result[i], expected[i]);
                free(result[i]);
        }
        assert_null(result[i]);
        free(result);
}

static void test_rewrite(_unused_ void **state) {
        check_line(ARGV("qemu", "-m", "512", "-netdev", "raw,id=n0,network=lab,kind=tap", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV("qemu", "-m", "512", "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc"));
        /* The device first, its MAC kept. */
        check_line(ARGV("qemu", "--device", "e1000,netdev=n0,mac=52:54:00:00:00:01", "--netdev",
                        "type=raw,id=n0,network=lab,kind=tap,vhost=on"),
                   ARGV("qemu", "--device", "e1000,netdev=n0,mac=52:54:00:00:00:01", "--netdev",
                        "tap,id=n0,fd=10,vhost=on,vhostfd=11"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2,vhost=on",
                        "-netdev", "raw,id=n1,network=lab.7,kind=tap,mac=52:54:00:00:00:07",
                        "-device", "virtio-net-pci,netdev=n0", "-device",
                        "virtio-net-device,netdev=n1"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fds=10:11,vhost=on,vhostfds=12:13", "-netdev",
                        "tap,id=n1,fd=14", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,mq=on,vectors=6", "-device",
                        "virtio-net-device,netdev=n1,mac=52:54:00:00:00:07"));
        /* What the user said about queues stays; what is no virtio device gets none of it. */
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2", "-device",
                        "virtio-net-pci,netdev=n0,mq=off,vectors=3"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fds=10:11", "-device",
                        "virtio-net-pci,netdev=n0,mq=off,vectors=3,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2", "-device",
                        "e1000,netdev=n0"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fds=10:11", "-device",
                        "e1000,netdev=n0,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,mac=learn", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0"));
}

#define MEMFD(size) "-object", "memory-backend-memfd,id=rawnet.memory,size=" size ",share=on", "-machine", "memory-backend=rawnet.memory"

/* packet is the default: a back end beside QEMU, memory that it shares, and no MSI-X where QEMU may emulate. */
static void test_rewrite_packet(_unused_ void **state) {
        check_line(ARGV("qemu", "-m", "512", "-netdev", "raw,id=n0,network=lab", "-device", "virtio-net-pci,netdev=n0"),
                   ARGV("qemu", "-m", "512", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,vectors=0", "-chardev",
                        "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("512M")));
        check_line(ARGV("qemu", "-enable-kvm", "-m", "size=2G,slots=2,maxmem=4G", "-netdev",
                        "raw,id=n0,network=lab,queues=2", "-device", "virtio-net-pci,netdev=n0", "-netdev",
                        "raw,id=n1,network=lab,kind=tap"),
                   ARGV("qemu", "-enable-kvm", "-m", "size=2G,slots=2,maxmem=4G", "-netdev",
                        "vhost-user,id=n0,chardev=rawnet.n0,queues=2", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,mq=on,vectors=6", "-netdev", "tap,id=n1,fd=10",
                        "-chardev", "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("2G")));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,fd=5", "-device", "virtio-net-pci,netdev=n0,vectors=4"),
                   ARGV("qemu", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                        "virtio-net-pci,netdev=n0,vectors=4", "-chardev", "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("128M")));
        /* The user's memory is the user's. */
        check_line(ARGV("qemu", "-machine", "q35,accel=kvm,memory-backend=m", "-netdev", "raw,id=n0,network=lab"),
                   ARGV("qemu", "-machine", "q35,accel=kvm,memory-backend=m", "-netdev",
                        "vhost-user,id=n0,chardev=rawnet.n0", "-chardev", "socket,id=rawnet.n0,path=/run/a,,b"));
        check_line(ARGV("qemu", "-numa", "node,memdev=m", "-netdev", "{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\"}"),
                   ARGV("qemu", "-numa", "node,memdev=m", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-chardev",
                        "socket,id=rawnet.n0,path=/run/a,,b"));
        check_line(ARGV("qemu", "-mem-path", "/dev/hugepages", "-netdev", "raw,id=n0,network=lab"),
                   ARGV("qemu", "-mem-path", "/dev/hugepages", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-chardev",
                        "socket,id=rawnet.n0,path=/run/a,,b"));
        /* A DIMM's is not the main memory. */
        check_line(ARGV("qemu", "-m", "64", "-object", "memory-backend-file,id=m,mem-path=/x,size=1G", "-device",
                        "nvdimm,memdev=m", "-netdev", "raw,id=n0,network=lab"),
                   ARGV("qemu", "-m", "64", "-object", "memory-backend-file,id=m,mem-path=/x,size=1G", "-device",
                        "nvdimm,memdev=m", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-chardev",
                        "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("64M")));
}

/* The guest hears of another MTU than Ethernet's own. */
static void test_rewrite_mtu(_unused_ void **state) {
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device", "virtio-net-pci,netdev=n0"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,host_mtu=9000"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device",
                        "virtio-net-pci,netdev=n0,host_mtu=1400"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,host_mtu=1400,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device", "e1000,netdev=n0"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device", "e1000,netdev=n0,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=jumbo", "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\"}", "-accel", "kvm"),
                   ARGV("qemu", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"mac\":\"52:54:00:aa:bb:cc\",\"host_mtu\":9000}",
                        "-accel", "kvm", "-chardev", "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("128M")));
}

static void test_rewrite_json(_unused_ void **state) {
        check_line(ARGV("qemu", "-netdev",
                        "{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\",\"kind\":\"tap\","
                        "\"queues\":2,\"vhost\":true}",
                        "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"rombar\":0}"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fds=10:11,vhost=on,vhostfds=12:13", "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"rombar\":0,"
                        "\"mac\":\"52:54:00:aa:bb:cc\",\"mq\":true,\"vectors\":6}"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap", "-device",
                        "{\"driver\":\"e1000\",\"netdev\":\"n0\",\"mac\":\"52:54:00:00:00:01\"}"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "{\"driver\":\"e1000\",\"netdev\":\"n0\",\"mac\":\"52:54:00:00:00:01\"}"));
}

/* Byte for byte what it was. */
static void test_untouched(_unused_ void **state) {
        char **line = ARGV("qemu", "-netdev", "user,id=u,hostfwd=tcp::1-:2", "-device",
                           "e1000,netdev=u", "-netdev", "{bad json", "-device",
                           "{\"driver\": \"x\"", "-append", "a={b} -netdev raw,id=x", "-object",
                           "{\"qom-type\": \"rng-random\", \"id\": \"r\"}", "-name", "a,,b",
                           "-netdev");

        check_line(line, line);
        check_line(ARGV("qemu"), ARGV("qemu"));
}

static void check_refused_line(char **argv, RawnetError error, const char *word) {
        QemuLine line;
        Refusal refusal = {};
        int r = qemu_line_parse(argv, &line, &refusal);

        assert_refused(r, error, &refusal, word);
}

static void test_refused(_unused_ void **state) {
        static const struct {
                const char *netdev, *word;
        } wrong[] = {
                        {"raw,network=lab,kind=tap", "id="},
                        {"raw,id=0n,network=lab,kind=tap", "id="},
                        {"raw,id=a:b,network=lab,kind=tap", "id="},
                        {"raw,id=n0,kind=tap", "network="},
                        {"raw,id=n0,network=,kind=tap", "network="},
                        {"raw,id=n0,network=lab,kind=tun", "kind"},
                        {"raw,id=n0,network=lab,kind=tap,fd=3", "fd="},
                        {"raw,id=n0,network=lab,kind=tap,ifname=tap0", "ifname"},
                        {"raw,id=n0,network=lab,kind=tap,queues=0", "queues"},
                        {"raw,id=n0,network=lab,kind=tap,queues=17", "queues"},
                        {"raw,id=n0,network=lab,kind=tap,queues=9,vhost=on", "at most 8"},
                        {"raw,id=n0,network=lab,kind=tap,vhost=maybe", "vhost"},
                        {"raw,id=n0,network=lab,vhost=on", "kind=tap"},
                        {"raw,id=n0,network=lab,fd=3", "open already"},
                        {"raw,id=n0,queues=2,fd=3", "open already"},
                        {"raw,id=n0,fd=x", "number"},
                        {"{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\",\"kind\":\"tap\","
                         "\"x\":1}",
                         "'x'"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                check_refused_line(ARGV("qemu", "-netdev", (char *)wrong[i].netdev),
                                   RAWNET_INVALID_ARGS, wrong[i].word);
        check_refused_line(ARGV("qemu", "-nic", "raw,network=lab"), RAWNET_INVALID_ARGS, "-netdev");
        check_refused_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap", "-netdev",
                                "raw,id=n0,network=lab,kind=tap"),
                           RAWNET_INVALID_ARGS, "another");
        check_refused_line(ARGV("qemu", "-netdev",
                                "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:01", "-device",
                                "e1000,netdev=n0,mac=52:54:00:00:00:02"),
                           RAWNET_INVALID_ARGS, "mac");
}

/* The same address in other letters is the same; learn does not mind what the device has. */
static void test_settled_mac(_unused_ void **state) {
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:AB",
                        "-device", "e1000,netdev=n0,mac=52:54:00:00:00:ab"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"));
        check_line(ARGV("qemu", "-netdev", "raw,id=n0,network=lab,kind=tap,mac=learn", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"),
                   ARGV("qemu", "-netdev", "tap,id=n0,fd=10", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"));
}

static void test_descriptors(_unused_ void **state) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        Refusal refusal = {};

        assert_int_equal(qemu_line_parse(ARGV("qemu", "-netdev",
                                              "raw,id=a,network=lab,kind=tap,queues=3,vhost=on",
                                              "-netdev", "raw,id=b,network=lab,kind=tap"),
                                         &line, &refusal),
                         0);
        assert_int_equal(qemu_line_descriptors(&line), 7);
}

/* Each allocation fails once: no line at all, rather than one that says something else (LeakSanitizer watches what is left). */
static void test_faults(_unused_ void **state) {
        char **argv = ARGV("qemu", "-m", "512", "-machine", "q35,accel=kvm", "-object", "rng-random,id=r", "-netdev",
                           "raw,id=n0,network=lab,queues=2", "-netdev", "raw,id=n1,network=jumbo,kind=tap,queues=2,vhost=on",
                           "-device", "virtio-net-pci,netdev=n0", "-device", "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n1\"}"),
             **expected = ARGV("qemu", "-m", "512", "-machine", "q35,accel=kvm", "-object", "rng-random,id=r", "-netdev",
                               "vhost-user,id=n0,chardev=rawnet.n0,queues=2", "-netdev",
                               "tap,id=n1,fds=10:11,vhost=on,vhostfds=12:13", "-device",
                               "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,mq=on,vectors=6", "-device",
                               "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n1\",\"mac\":\"52:54:00:aa:bb:cc\",\"host_mtu\":9000,"
                               "\"mq\":true,\"vectors\":6}",
                               "-chardev", "socket,id=rawnet.n0,path=/run/a,,b", MEMFD("512M"));
        unsigned n = 0, parsing = 0;
        bool fired = true;

        check_line(argv, expected);
        while (fired) {
                QemuLine line;
                Refusal refusal = {};
                int r;

                fault_arm(++n, ENOMEM);
                r = qemu_line_parse(argv, &line, &refusal);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                if (!fired)
                        qemu_line_done(&line);
        }
        parsing = n - 1;
        for (n = 0, fired = true; fired;) {
                _cleanup_(qemu_line_done) QemuLine line = {};
                char *untouched = NULL, **result = &untouched;
                Refusal refusal = {};
                int r;

                assert_int_equal(qemu_line_parse(argv, &line, &refusal), 0);
                open_all(&line);
                fault_arm(++n, ENOMEM);
                r = qemu_line_rewrite(&line, &result);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
                if (fired) {
                        assert_ptr_equal(result, &untouched);
                        continue;
                }
                for (size_t i = 0; expected[i]; i++)
                        assert_string_equal(result[i], expected[i]);
                argv_free(result);
        }
        assert_true(parsing > 20 && n > 50);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_plain_options), cmocka_unit_test(test_json_options),
                        cmocka_unit_test(test_append),        cmocka_unit_test(test_rewrite),
                        cmocka_unit_test(test_rewrite_json),  cmocka_unit_test(test_rewrite_mtu),
                        cmocka_unit_test(test_untouched),
                        cmocka_unit_test(test_refused),       cmocka_unit_test(test_settled_mac),
                        cmocka_unit_test(test_descriptors),   cmocka_unit_test(test_rewrite_packet),
                        cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
