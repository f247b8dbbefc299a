/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Command lines with raw netdevs turned into ones for a stock QEMU.
 */

#include "client/parse.h"
#include "client/qemu/judge.h"
#include "client/qemu/rewrite.h"
#include "fault.h"
#include "test.h"

#define QEMU "qemu-system-x86_64"
#define ARGV(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

/* Opened as if: the MAC asked for or 52:54:00:aa:bb:cc, numbers from 10 up, MTU 9000 on network
 * jumbo. */
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
                if (line->netdevs[i].given >= 0)
                        continue;
                port->n_vhosts = port->request.vhost > 0 ? port->n_queues : 0;
                port->mac = strdup(!mac || !*mac               ? "52:54:00:aa:bb:cc"
                                   : strcmp(mac, "learn") == 0 ? ""
                                                               : mac);
                port->mtu = strcmp(port->request.network, "jumbo") == 0 ? 9000 : 1500;
        }
        ports_number_from(line->ports, line->n_ports, numbers);
}

/* No KVM, no vhost-net. */
static const QemuHost no_host = {.architecture = "x86_64"};

static void check_line(char **argv, char **expected) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        char **result = NULL;
        Refusal refusal = {};
        size_t i;

        if (qemu_line_parse(argv, &line, &refusal) != 0 ||
            qemu_judge(&line, &no_host, &refusal) != 0)
                fail_msg("%s", refusal.text);
        open_all(&line);
        assert_int_equal(qemu_rewrite(&line, &no_host, &result), 0);
        for (i = 0; expected[i]; i++) {
                assert_non_null(result[i]);
                assert_string_equal(result[i], expected[i]);
                free(result[i]);
        }
        assert_null(result[i]);
        free(result);
}

static void test_rewrite(_unused_ void **state) {
        check_line(ARGV(QEMU, "-m", "512", "-netdev", "raw,id=n0,network=lab,kind=tap", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-m", "512", "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc"));
        /* The device first, its MAC kept. */
        check_line(ARGV(QEMU, "--device", "e1000,netdev=n0,mac=52:54:00:00:00:01", "--netdev",
                        "type=raw,id=n0,network=lab,kind=tap,vhost=on"),
                   ARGV(QEMU, "--device", "e1000,netdev=n0,mac=52:54:00:00:00:01", "--netdev",
                        "tap,id=n0,fd=10,vhost=on,vhostfd=11"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2,vhost=on",
                        "-netdev", "raw,id=n1,network=lab.7,kind=tap,mac=52:54:00:00:00:07",
                        "-device", "virtio-net-pci,netdev=n0", "-device",
                        "virtio-net-device,netdev=n1"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fds=10:11,vhost=on,vhostfds=12:13", "-netdev",
                        "tap,id=n1,fd=14", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,mq=on,vectors=6", "-device",
                        "virtio-net-device,netdev=n1,mac=52:54:00:00:00:07"));
        /* What the user said about queues stays; what is no virtio device gets none of it. */
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2", "-device",
                        "virtio-net-pci,netdev=n0,mq=off,vectors=3"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fds=10:11", "-device",
                        "virtio-net-pci,netdev=n0,mq=off,vectors=3,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,queues=2", "-device",
                        "e1000,netdev=n0"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fds=10:11", "-device",
                        "e1000,netdev=n0,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,mac=learn", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device", "virtio-net-pci,netdev=n0"));
}

#define MEMFD(size)                                                                                \
        "-object", "memory-backend-memfd,id=rawnet.memory,size=" size ",share=on", "-machine",     \
                "memory-backend=rawnet.memory"

#define CHARDEV(id) "-chardev", "socket,id=rawnet." id ",path=/run/a,,b"
/* What a virtio-net-pci card gets on a packet port without KVM. */
#define PACKET ",ctrl_guest_offloads=off,vectors=0"
#define PACKET_CARD "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc" PACKET

/* A back end beside QEMU, memory that it shares, and no MSI-X where QEMU may emulate. */
static void test_rewrite_packet(_unused_ void **state) {
        check_line(ARGV(QEMU, "-m", "512", "-netdev", "raw,id=n0,network=lab", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-m", "512", "-netdev", "vhost-user,id=n0,chardev=rawnet.n0",
                        "-device", PACKET_CARD, CHARDEV("n0"), MEMFD("512M")));
        check_line(
                ARGV(QEMU, "-enable-kvm", "-m", "size=2G,slots=2,maxmem=4G", "-netdev",
                     "raw,id=n0,network=lab,queues=2", "-device", "virtio-net-pci,netdev=n0",
                     "-netdev", "raw,id=n1,network=lab,kind=tap"),
                ARGV(QEMU, "-enable-kvm", "-m", "size=2G,slots=2,maxmem=4G", "-netdev",
                     "vhost-user,id=n0,chardev=rawnet.n0,queues=2", "-device",
                     "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,ctrl_guest_offloads=off,mq=on,vectors=6",
                     "-netdev", "tap,id=n1,fd=10", CHARDEV("n0"), MEMFD("2048M")));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,fd=5", "-device",
                        "virtio-net-pci,netdev=n0,vectors=0,ctrl_guest_offloads=on"),
                   ARGV(QEMU, "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                        "virtio-net-pci,netdev=n0,vectors=0,ctrl_guest_offloads=on", CHARDEV("n0"),
                        MEMFD("128M")));
        /* The user's memory is the user's. */
        check_line(ARGV(QEMU, "-machine", "q35,accel=kvm,memory-backend=m", "-object",
                        "memory-backend-memfd,id=m,size=1G", "-netdev",
                        "raw,id=n0,network=lab,kind=packet"),
                   ARGV(QEMU, "-machine", "q35,accel=kvm,memory-backend=m", "-object",
                        "memory-backend-memfd,id=m,size=1G", "-netdev",
                        "vhost-user,id=n0,chardev=rawnet.n0", CHARDEV("n0")));
        check_line(ARGV(QEMU, "-numa", "node,memdev=m", "-object",
                        "memory-backend-file,id=m,share=on,mem-path=/x", "-netdev",
                        "{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\"}", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-numa", "node,memdev=m", "-object",
                        "memory-backend-file,id=m,share=on,mem-path=/x", "-netdev",
                        "vhost-user,id=n0,chardev=rawnet.n0", "-device", PACKET_CARD,
                        CHARDEV("n0")));
        /* An object that nothing uses is nobody's memory. */
        check_line(ARGV(QEMU, "-m", "64", "-object", "memory-backend-file,id=m,mem-path=/x,size=1G",
                        "-netdev", "raw,id=n0,network=lab", "-device", "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-m", "64", "-object", "memory-backend-file,id=m,mem-path=/x,size=1G",
                        "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device", PACKET_CARD,
                        CHARDEV("n0"), MEMFD("64M")));
}

/* -nic is a netdev and a card. A virtio-net card becomes a -device, since -nic takes none of its
 * options. */
static void test_rewrite_nic(_unused_ void **state) {
        check_line(ARGV(QEMU, "-nic", "raw,network=lab,model=virtio,mac=52-54-00-00-00-0A"),
                   ARGV(QEMU, "-netdev", "vhost-user,id=rawnet-nic0,chardev=rawnet.rawnet-nic0",
                        "-device", "virtio-net,netdev=rawnet-nic0,mac=52:54:00:00:00:0a" PACKET,
                        CHARDEV("rawnet-nic0"), MEMFD("128M")));
        check_line(
                ARGV(QEMU, "-nic",
                     "{\"type\":\"raw\",\"network\":\"lab\",\"id\":\"a\",\"model\":\"virtio-net-pci\"}",
                     "-nic",
                     "type=raw,network=jumbo,kind=tap,queues=2,model=virtio-net-pci,mac=learn"),
                ARGV(QEMU, "-netdev", "vhost-user,id=a,chardev=rawnet.a", "-device",
                     "virtio-net-pci,netdev=a,mac=52:54:00:aa:bb:cc" PACKET, "-netdev",
                     "tap,id=rawnet-nic1,fds=10:11", "-device",
                     "virtio-net-pci,netdev=rawnet-nic1,host_mtu=9000,mq=on,vectors=6",
                     CHARDEV("a"), MEMFD("128M")));
        check_line(ARGV(QEMU, "-nic", "raw,network=lab,model=e1000,", "-nic",
                        "raw,network=lab,mac=52:54:00:00:00:0b"),
                   ARGV(QEMU, "-nic", "tap,id=rawnet-nic0,fd=10,model=e1000,mac=52:54:00:aa:bb:cc",
                        "-nic", "tap,id=rawnet-nic1,fd=11,mac=52:54:00:00:00:0b"));
        check_line(ARGV(QEMU, "-nic", "raw,fd=5,model=virtio,mac=52:54:00:00:00:0c"),
                   ARGV(QEMU, "-netdev", "vhost-user,id=rawnet-nic0,chardev=rawnet.rawnet-nic0",
                        "-device", "virtio-net,netdev=rawnet-nic0,mac=52:54:00:00:00:0c" PACKET,
                        CHARDEV("rawnet-nic0"), MEMFD("128M")));
}

/* What scripts and libraries write. */
static void test_rewrite_spellings(_unused_ void **state) {
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,", "-device",
                        "virtio-net-pci,netdev=n0,"),
                   ARGV(QEMU, "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                        PACKET_CARD, CHARDEV("n0"), MEMFD("128M")));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab", "-net",
                        "nic,model=virtio,netdev=n0,macaddr=52:54:00:0:0:d"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-net",
                        "nic,model=virtio,netdev=n0,macaddr=52:54:00:0:0:d"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab", "-net", "nic,netdev=n0"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-net",
                        "nic,netdev=n0,macaddr=52:54:00:aa:bb:cc"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap", "-device",
                        "e1000,netdev=n0,id=x", "-set", "device.x.mac=52:54:00:00:00:0e"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device", "e1000,netdev=n0,id=x",
                        "-set", "device.x.mac=52:54:00:00:00:0e"));
        /* Another program's options in front are not QEMU's. */
        check_line(ARGV("numactl", "-m", "0", QEMU, "-netdev", "raw,id=n0,network=lab", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV("numactl", "-m", "0", QEMU, "-netdev", "vhost-user,id=n0,chardev=rawnet.n0",
                        "-device", PACKET_CARD, CHARDEV("n0"), MEMFD("128M")));
}

/* 64 cards of one network emulator's line. */
static void test_rewrite_many(_unused_ void **state) {
        char *argv[1 + 2 * (QEMU_PORTS_MAX + 1) + 1] = {(char *)QEMU};
        char texts[QEMU_PORTS_MAX + 1][64];
        Refusal refusal = {};
        QemuLine line;

        for (size_t i = 0; i <= QEMU_PORTS_MAX; i++) {
                snprintf(texts[i], sizeof(texts[i]), "raw,id=n%zu,network=lab,kind=tap", i);
                argv[1 + 2 * i] = (char *)"-netdev";
                argv[2 + 2 * i] = texts[i];
        }
        assert_refused(qemu_line_parse(argv, &line, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "256");
        argv[1 + 2 * 64] = NULL;
        assert_int_equal(qemu_line_parse(argv, &line, &refusal), 0);
        assert_int_equal(line.n_ports, 64);
        qemu_line_done(&line);
}

/* Another MTU than Ethernet's is reported to the guest. */
static void test_rewrite_mtu(_unused_ void **state) {
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device",
                        "virtio-net-pci,netdev=n0"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,host_mtu=9000"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device",
                        "virtio-net-pci,netdev=n0,host_mtu=1400"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "virtio-net-pci,netdev=n0,host_mtu=1400,mac=52:54:00:aa:bb:cc"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=jumbo,kind=tap", "-device",
                        "e1000,netdev=n0"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "e1000,netdev=n0,mac=52:54:00:aa:bb:cc"));
        check_line(
                ARGV(QEMU, "-netdev", "raw,id=n0,network=jumbo", "-device",
                     "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\"}", "-accel", "kvm"),
                ARGV(QEMU, "-netdev", "vhost-user,id=n0,chardev=rawnet.n0", "-device",
                     "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"mac\":\"52:54:00:aa:bb:cc\",\"host_mtu\":9000,"
                     "\"ctrl_guest_offloads\":false}",
                     "-accel", "kvm", "-chardev", "socket,id=rawnet.n0,path=/run/a,,b",
                     MEMFD("128M")));
}

static void test_rewrite_json(_unused_ void **state) {
        check_line(ARGV(QEMU, "-netdev",
                        "{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\",\"kind\":\"tap\","
                        "\"queues\":2,\"vhost\":true}",
                        "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"rombar\":0}"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fds=10:11,vhost=on,vhostfds=12:13", "-device",
                        "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n0\",\"rombar\":0,"
                        "\"mac\":\"52:54:00:aa:bb:cc\",\"mq\":true,\"vectors\":6}"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap", "-device",
                        "{\"driver\":\"e1000\",\"netdev\":\"n0\",\"mac\":\"52:54:00:00:00:01\"}"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "{\"driver\":\"e1000\",\"netdev\":\"n0\",\"mac\":\"52:54:00:00:00:01\"}"));
}

/* Byte for byte what it was. */
static void test_untouched(_unused_ void **state) {
        char **line =
                ARGV(QEMU, "-netdev", "user,id=u,hostfwd=tcp::1-:2", "-device", "e1000,netdev=u",
                     "-netdev", "{bad json", "-device", "{\"driver\": \"x\"", "-append",
                     "a={b} -netdev raw,id=x", "-object",
                     "{\"qom-type\": \"rng-random\", \"id\": \"r\"}", "-name", "a,,b", "-netdev");

        check_line(line, line);
        check_line(ARGV(QEMU), ARGV(QEMU));
}

static void check_refused_line(char **argv, RawnetError error, const char *word) {
        QemuLine line;
        Refusal refusal = {};
        int r = qemu_line_parse(argv, &line, &refusal);

        if (r == 0) {
                r = qemu_judge(&line, &no_host, &refusal);
                qemu_line_done(&line);
        }
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
                {"raw,id=n0,network=lab,kind=packet,vhost=on", "kind=tap"},
                {"raw,id=n0,network=lab,kind=veth", "auto"},
                {"raw,id=n0,network=lab,fd=3", "open already"},
                {"raw,id=n0,queues=2,fd=3", "open already"},
                {"raw,id=n0,fd=x", "number"},
                {"{\"type\":\"raw\",\"id\":\"n0\",\"network\":\"lab\",\"kind\":\"tap\","
                 "\"x\":1}",
                 "'x'"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                check_refused_line(ARGV(QEMU, "-netdev", (char *)wrong[i].netdev),
                                   RAWNET_INVALID_ARGS, wrong[i].word);
        check_refused_line(ARGV(QEMU, "-net", "nic", "-net", "raw,network=lab"),
                           RAWNET_INVALID_ARGS, "-nic raw");
        check_refused_line(ARGV(QEMU, "-nic", "raw,network=lab,addr=5"), RAWNET_INVALID_ARGS,
                           "'addr'");
        check_refused_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab", "-set",
                                "netdev.n0.mac=52:54:00:00:00:01"),
                           RAWNET_INVALID_ARGS, "-netdev option itself");
        check_refused_line(ARGV(QEMU, "-netdev",
                                "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:01", "-net",
                                "nic,netdev=n0,macaddr=52-54-00-00-00-02"),
                           RAWNET_INVALID_ARGS, "mac is 52:54:00:00:00:02");
        check_refused_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap", "-netdev",
                                "raw,id=n0,network=lab,kind=tap"),
                           RAWNET_INVALID_ARGS, "another");
        check_refused_line(ARGV(QEMU, "-netdev",
                                "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:01", "-device",
                                "e1000,netdev=n0,mac=52:54:00:00:00:02"),
                           RAWNET_INVALID_ARGS, "mac");
}

/* The same address in other letters is the same; learn does not mind what the device has. */
static void test_settled_mac(_unused_ void **state) {
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,mac=52:54:00:00:00:AB",
                        "-device", "e1000,netdev=n0,mac=52:54:00:00:00:ab"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"));
        check_line(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab,kind=tap,mac=learn", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"),
                   ARGV(QEMU, "-netdev", "tap,id=n0,fd=10", "-device",
                        "e1000,netdev=n0,mac=52:54:00:00:00:ab"));
}

/* More than the network takes is lost: said before QEMU starts. */
static void test_mtu(_unused_ void **state) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        Refusal refusal = {};

        assert_int_equal(qemu_line_parse(ARGV(QEMU, "-netdev", "raw,id=n0,network=lab", "-device",
                                              "virtio-net-pci,netdev=n0,host_mtu=1501", "-netdev",
                                              "raw,id=n1,network=jumbo", "-device",
                                              "virtio-net-pci,netdev=n1,host_mtu=9000"),
                                         &line, &refusal),
                         0);
        assert_int_equal(qemu_line_check_mtu(&line, &refusal), 0);
        line.ports[1].mtu = 9000;
        assert_int_equal(qemu_line_check_mtu(&line, &refusal), 0);
        line.ports[0].mtu = 1500;
        assert_refused(qemu_line_check_mtu(&line, &refusal), RAWNET_INVALID_ARGS, &refusal,
                       "host_mtu=1501", "network lab, 1500");
}

static void test_descriptors(_unused_ void **state) {
        _cleanup_(qemu_line_done) QemuLine line = {};
        Refusal refusal = {};

        assert_int_equal(qemu_line_parse(ARGV(QEMU, "-netdev",
                                              "raw,id=a,network=lab,kind=tap,queues=3,vhost=on",
                                              "-netdev", "raw,id=b,network=lab,kind=tap", "-netdev",
                                              "raw,id=c,network=lab,kind=packet"),
                                         &line, &refusal),
                         0);
        assert_int_equal(qemu_line_descriptors(&line), 7);
}

/* Each allocation fails once: no line at all, rather than one that says something else
 * (LeakSanitizer watches what is left). */
static void test_faults(_unused_ void **state) {
        char **argv = ARGV(QEMU, "-m", "512", "-machine", "q35,accel=kvm", "-object",
                           "rng-random,id=r", "-netdev", "raw,id=n0,network=lab,queues=2",
                           "-netdev", "raw,id=n1,network=jumbo,kind=tap,queues=2,vhost=on",
                           "-device", "virtio-net-pci,netdev=n0", "-device",
                           "{\"driver\":\"virtio-net-pci\",\"netdev\":\"n1\"}"),
             **expected = ARGV(
                     QEMU, "-m", "512", "-machine", "q35,accel=kvm", "-object", "rng-random,id=r",
                     "-netdev", "vhost-user,id=n0,chardev=rawnet.n0,queues=2", "-netdev",
                     "tap,id=n1,fds=10:11,vhost=on,vhostfds=12:13", "-device",
                     "virtio-net-pci,netdev=n0,mac=52:54:00:aa:bb:cc,ctrl_guest_offloads=off,mq=on,vectors=6",
                     "-device",
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
                assert_int_equal(qemu_judge(&line, &no_host, &refusal), 0);
                open_all(&line);
                fault_arm(++n, ENOMEM);
                r = qemu_rewrite(&line, &no_host, &result);
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
                cmocka_unit_test(test_rewrite),      cmocka_unit_test(test_rewrite_json),
                cmocka_unit_test(test_rewrite_mtu),  cmocka_unit_test(test_untouched),
                cmocka_unit_test(test_refused),      cmocka_unit_test(test_settled_mac),
                cmocka_unit_test(test_descriptors),  cmocka_unit_test(test_rewrite_packet),
                cmocka_unit_test(test_rewrite_nic),  cmocka_unit_test(test_rewrite_spellings),
                cmocka_unit_test(test_rewrite_many), cmocka_unit_test(test_mtu),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
