/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which kind of port a raw netdev gets on which QEMU command line, and why; what rawnetctl reads of
 * memory and accelerator.
 */

#include "client/qemu/judge.h"
#include "client/qemu/memory.h"
#include "fault.h"
#include "test.h"

#define X86 "qemu-system-x86_64"
#define RAW " -netdev raw,id=n0,network=lab"
#define CARD " -device virtio-net-pci,netdev=n0"
#define WORDS_MAX 32u

static const QemuHost nothing = {.architecture = "x86_64"},
                      everything = {.kvm = true, .vhost_net = true, .architecture = "x86_64"};

/* text in words, at each blank; ~ is a blank in a word. */
typedef struct Words {
        char *argv[WORDS_MAX];
        char text[1024];
} Words;

static char **split(const char *text, Words *words) {
        size_t n = 0;

        *words = (Words){};
        put_text(words->text, sizeof(words->text), text);
        for (char *word = strtok(words->text, " "); word; word = strtok(NULL, " ")) {
                assert_true(n + 1 < WORDS_MAX);
                words->argv[n++] = word;
                for (; *word; word++)
                        if (*word == '~')
                                *word = ' ';
        }
        return words->argv;
}

typedef struct Judged {
        QemuLine line;
        Refusal refusal;
        Words words;
        int r;
} Judged;

static void judge(const char *text, const QemuHost *host, Judged *ret) {
        ret->refusal = (Refusal){};
        ret->r = qemu_line_parse(split(text, &ret->words), &ret->line, &ret->refusal);
        if (ret->r != 0)
                fail_msg("%s: %s", text, ret->refusal.text);
        ret->r = qemu_judge(&ret->line, host, &ret->refusal);
}

/* kind=auto is a packet port. */
static void check_packet(const char *text, const QemuHost *host) {
        static Judged judged;

        judge(text, host, &judged);
        if (judged.r != 0 || judged.line.ports[0].request.kind != KIND_PACKET)
                fail_msg("%s: %s", text, judged.line.netdevs[0].reason);
        assert_null(judged.line.netdevs[0].reason);
        assert_true(judged.line.ports[0].request.vhost < 0);
        qemu_line_done(&judged.line);
}

/* kind=auto is a tap for this reason. */
static void check_tap(const char *text, const char *word, const QemuHost *host, bool vhost) {
        static Judged judged;

        judge(text, host, &judged);
        assert_int_equal(judged.r, 0);
        if (judged.line.ports[0].request.kind != KIND_TAP ||
            !strstr(judged.line.netdevs[0].reason, word))
                fail_msg("%s: not %s, but %s", text, word,
                         judged.line.netdevs[0].reason ? judged.line.netdevs[0].reason : "packet");
        if ((judged.line.ports[0].request.vhost > 0) != vhost)
                fail_msg("%s: vhost", text);
        qemu_line_done(&judged.line);
}

/* kind=packet is refused with the remedy. */
static void check_packet_refused(const char *text, const char *remedy) {
        static Judged judged;

        judge(text, &nothing, &judged);
        if (judged.r == 0)
                fail_msg("%s: not refused", text);
        assert_refused(judged.r, RAWNET_NOT_SUPPORTED, &judged.refusal, remedy);
        qemu_line_done(&judged.line);
}

static void test_cards(_unused_ void **state) {
        static const char *const virtio[] = {"virtio-net-pci", "virtio-net-pci-transitional",
                                             "virtio-net", "virtio-net-pci-non-transitional",
                                             "virtio-net-device"},
                                 *const others[] = {"e1000",   "e1000-82545em", "e1000e",
                                                    "igb",     "rtl8139",       "vmxnet3",
                                                    "usb-net", "ne2k_pci"};
        char text[256];

        for (size_t i = 0; i < ARRAY_SIZE(virtio); i++) {
                snprintf(text, sizeof(text), X86 RAW " -device %s,netdev=n0", virtio[i]);
                check_packet(text, &nothing);
                snprintf(text, sizeof(text),
                         X86 RAW " -device {\"driver\":\"%s\",\"netdev\":\"n0\"}", virtio[i]);
                check_packet(text, &nothing);
        }
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                snprintf(text, sizeof(text), X86 RAW " -device %s,netdev=n0", others[i]);
                check_tap(text, "not a virtio-net card", &nothing, false);
                snprintf(text, sizeof(text), X86 RAW ",kind=packet -device %s,netdev=n0",
                         others[i]);
                check_packet_refused(text, "write -device virtio-net-pci");
        }
        /* One of two. */
        check_tap(X86 RAW CARD " -device e1000,netdev=n0", "-device e1000,netdev=n0", &nothing,
                  false);
        check_tap(X86 RAW, "no card", &nothing, false);
        check_packet(X86 RAW ",kind=packet", &nothing);
        check_tap(X86 " -nic raw,network=lab,model=rtl8139", "not a virtio-net card", &nothing,
                  false);
        check_tap(X86 " -nic raw,network=lab", "no model=", &nothing, false);
        check_packet(X86 " -nic raw,network=lab,model=virtio", &nothing);
        check_packet_refused(X86 " -nic raw,network=lab,kind=packet", "add model=virtio-net-pci");
        check_tap(X86 RAW " -net nic,model=virtio,netdev=n0", "-net nic", &nothing, false);
        check_packet_refused(X86 RAW ",kind=packet -net nic,model=virtio,netdev=n0",
                             "write -device virtio-net-pci");
        check_tap(X86 RAW ",vhost=off" CARD, "vhost=", &everything, false);
        check_packet_refused(X86 " -netdev raw,id=n0,fd=3 -device e1000,netdev=n0",
                             "write -device virtio-net-pci");
}

static void test_users_and_platform(_unused_ void **state) {
        check_tap(X86 RAW CARD " -netdev hubport,id=h,hubid=0,netdev=n0", "hubport", &everything,
                  false);
        check_tap(X86 RAW CARD " -object filter-dump,id=f,netdev=n0,file=/x", "filter-dump",
                  &everything, false);
        check_tap(X86 RAW CARD
                  " -object {\"qom-type\":\"filter-mirror\",\"id\":\"f\",\"netdev\":\"n0\"}",
                  "filter-mirror", &everything, false);
        check_packet(X86 RAW CARD " -object filter-dump,id=f,netdev=n1,file=/x", &nothing);
        check_packet_refused(X86 RAW ",kind=packet" CARD
                                     " -object filter-dump,id=f,netdev=n0,file=/x",
                             "leave it out");
        check_packet_refused(X86 RAW ",kind=packet" CARD " -netdev hubport,id=h,hubid=0,netdev=n0",
                             "kind=auto");
        check_tap(X86 " -accel kvm" RAW CARD ",iommu_platform=on,ats=on -device intel-iommu",
                  "iommu_platform=on", &everything, false);
        check_tap(X86 RAW CARD " -global virtio-net-pci.iommu_platform=on", "-global", &everything,
                  false);
        check_tap(X86 RAW CARD " -global driver=virtio-pci,property=iommu_platform,value=on",
                  "-global", &nothing, false);
        check_packet(X86 RAW CARD ",iommu_platform=off -global virtio-blk-pci.iommu_platform=off",
                     &nothing);
        check_tap(X86 RAW CARD " -machine q35,confidential-guest-support=sev0",
                  "confidential-guest-support", &everything, false);
        check_packet_refused(X86 RAW ",kind=packet" CARD ",iommu_platform=on", "leave it out");
}

static void test_memory(_unused_ void **state) {
        check_tap(X86 RAW CARD " -mem-path /dev/shm", "-mem-path /dev/shm", &nothing, false);
        check_tap(X86 RAW CARD
                  " -object memory-backend-ram,id=m,size=1G,share=on -machine memory-backend=m",
                  "without a descriptor", &nothing, false);
        check_tap(X86 RAW CARD
                  " -object {\"qom-type\":\"memory-backend-ram\",\"id\":\"m\",\"size\":1} -M "
                  "memory-backend=m",
                  "without a descriptor", &nothing, false);
        check_tap(X86 RAW CARD
                  " -object memory-backend-file,id=m,size=1G,mem-path=/x -M q35,memory-backend=m",
                  "is memory that is not shared", &nothing, false);
        check_tap(X86 RAW CARD
                  " -object memory-backend-memfd,id=m,size=1G,share=off -M memory-backend=m",
                  "is memory that is not shared", &nothing, false);
        check_tap(X86 RAW CARD " -object memory-backend-file,id=m,size=1G,mem-path=/x,share=on "
                               "-numa node,memdev=m "
                               "-object memory-backend-file,id=o,size=1G,mem-path=/x -numa "
                               "{\"type\":\"node\",\"memdev\":\"o\"}",
                  "id=o,size=1G", &nothing, false);
        check_tap(X86 RAW CARD " -m 1G,slots=1,maxmem=2G -object memory-backend-ram,id=d,size=1G "
                               "-device pc-dimm,memdev=d",
                  "id=d", &nothing, false);
        check_tap(X86 RAW CARD " -machine memory-backend=gone", "id=gone", &nothing, false);
        check_packet(X86 RAW CARD " -m 1G -object memory-backend-ram,id=d,size=1G -device "
                                  "ivshmem-plain,memdev=d",
                     &nothing);
        check_packet(X86 RAW CARD
                     " -object memory-backend-memfd,id=m,size=1G -machine memory-backend=m",
                     &nothing);
        check_packet(X86 RAW CARD
                     " -object {\"qom-type\":\"memory-backend-file\",\"id\":\"m\",\"share\":true} "
                     "-machine memory-backend=m",
                     &nothing);
        check_packet_refused(X86 RAW ",kind=packet" CARD " -mem-path /dev/shm", "share=on");
        check_packet_refused(X86 RAW ",kind=packet" CARD
                                     " -object memory-backend-file,id=m -machine memory-backend=m",
                             "add share=on to it");
        check_packet_refused(X86 RAW ",kind=packet" CARD
                                     " -object memory-backend-ram,id=m -machine memory-backend=m",
                             "write -object memory-backend-memfd");
        check_tap("qemu-system-aarch64 -M raspi3b" RAW CARD, "without -m", &nothing, false);
        check_tap("qemu-system-aarch64 -M raspi3b -m 1G" RAW CARD, "cannot know", &nothing, false);
        check_tap(X86 RAW CARD " -m 1~G", "size of the memory", &nothing, false);
        check_packet_refused("qemu-system-aarch64 -M raspi3b" RAW ",kind=packet" CARD, "write -m");
        check_tap(X86 " -accel xen" RAW CARD, "Xen", &nothing, false);
}

static void test_architectures(_unused_ void **state) {
        check_packet("/opt/qemu-system-aarch64 -M virt-8.2" RAW CARD, &nothing);
        check_packet("qemu-kvm" RAW CARD, &nothing);
        check_packet("kvm" RAW CARD, &nothing);
        check_packet("setsid -f " X86 RAW CARD, &nothing);
        check_tap("qemu-system-s390x" RAW " -device virtio-net-ccw,netdev=n0", "s390x", &nothing,
                  false);
        check_tap("qemu-system-ppc64" RAW CARD, "ppc64", &nothing, false);
        check_tap("./start.sh -m 1G -M q35" RAW CARD, "./start.sh", &nothing, false);
        check_packet("qemu-system-s390x" RAW ",kind=packet -device virtio-net-ccw,netdev=n0",
                     &nothing);
}

/* MSI-X in front of a vhost-user back end is for KVM: QEMU 7.2 crashes elsewhere. */
static void test_accelerators(_unused_ void **state) {
        static const struct {
                const char *line;
                bool with_kvm, without; /* MSI-X works on a host with, without KVM */
        } cases[] = {
                {X86, false, false},
                {"/usr/bin/kvm", true, false},
                {X86 " -enable-kvm", true, true},
                {X86 " -accel kvm", true, true},
                {X86 " -machine q35,accel=kvm", true, true},
                {X86 " -accel tcg", false, false},
                {X86 " -accel kvm -accel tcg", true, false},
                {X86 " -machine accel=kvm:tcg", true, false},
                {X86 " -M accel=tcg -M accel=kvm:tcg", true, false},
                {X86 " -accel tcg -accel kvm", false, false},
                {X86 " -M accel=tcg:kvm", false, false},
                {X86 " -accel hvf -accel kvm", false, false},
                {X86 " -accel kvm,kernel-irqchip=off", false, false},
                {X86 " -accel kvm -M q35,kernel_irqchip=off", false, false},
                {X86 " -accel kvm -M q35,kernel-irqchip=split", true, true},
                {"qemu-system-riscv64 -accel kvm -M virt", false, false},
        };
        char text[256];

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                for (unsigned k = 0; k < 2; k++) {
                        const QemuHost *host = k == 0 ? &nothing : &everything;
                        bool works = k == 0 ? cases[i].without : cases[i].with_kvm;
                        _cleanup_(qemu_items_done) QemuItems items = {};
                        Words words;

                        assert_int_equal(qemu_items_parse(split(cases[i].line, &words), &items), 0);
                        if (qemu_msix_works(&items, host) != works)
                                fail_msg("%s", cases[i].line);
                        snprintf(text, sizeof(text), "%s" RAW CARD ",vectors=6", cases[i].line);
                        if (works)
                                check_packet(text, host);
                        else
                                check_tap(text, "vectors=", host, false);
                }
        check_packet(X86 RAW CARD ",vectors=0", &nothing);
        check_packet(X86 RAW " -device virtio-net-device,netdev=n0,vectors=6", &nothing);
        check_packet_refused(X86 RAW ",kind=packet" CARD ",vectors=6", "leave vectors= out");
}

/* The kernel's vhost-net where a tap is taken under KVM. */
static void test_vhost(_unused_ void **state) {
        static const QemuHost no_vhost = {.kvm = true, .architecture = "x86_64"};
        const char *line = X86 " -accel kvm -mem-path /x" RAW CARD;

        check_tap(line, "-mem-path", &everything, true);
        check_tap(line, "-mem-path", &no_vhost, false);
        check_tap(X86 " -mem-path /x" RAW CARD, "-mem-path", &everything, false);
        check_tap(X86 " -accel kvm" RAW " -device e1000,netdev=n0", "e1000", &everything, false);
        check_tap(X86 " -accel kvm -mem-path /x" RAW ",queues=8" CARD, "-mem-path", &everything,
                  true);
        check_tap(X86 " -accel kvm -mem-path /x" RAW ",queues=9" CARD, "-mem-path", &everything,
                  false);
        check_tap(X86 " -accel kvm" RAW ",vhost=on" CARD, "vhost=", &nothing, true);
}

static void test_sizes(_unused_ void **state) {
        static const struct {
                const char *options;
                uint64_t size;
        } cases[] = {
                {"", 0},
                {" -m 512", UINT64_C(512) << 20},
                {" -m 512M", UINT64_C(512) << 20},
                {" -m 512m", UINT64_C(512) << 20},
                {" -m size=2g,slots=1,maxmem=4G", UINT64_C(2) << 30},
                {" -m 1.5G", UINT64_C(3) << 29},
                {" -m 0.1G", 107380736},
                {" -m 1T", UINT64_C(1) << 40},
                {" -m 262144K", UINT64_C(256) << 20},
                {" -m 268435457B", (UINT64_C(256) << 20) + 8192},
                {" -m 1G -m slots=2,maxmem=4G", UINT64_C(1) << 30},
                {" -m 1G -m 2G", UINT64_C(2) << 30},
                {" -m 0", 0},
                {" -m 1G -m 0", 0},
                {" -machine memory.size=512M", UINT64_C(512) << 20},
                {" -machine q35,memory.size=536870912 -M accel=tcg", UINT64_C(512) << 20},
                {" -m 1G -machine memory.size=512M", UINT64_C(1) << 30},
                {" -m 0 -machine memory.size=512M", UINT64_C(512) << 20},
        };
        static const char *const bad[] = {" -m x",  " -m 1GB", " -m -1",
                                          " -m 1Q", " -m 16E", " -m 99999999999999999999"};
        uint64_t size;
        char text[256];
        Words words;

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_(qemu_items_done) QemuItems items = {};

                snprintf(text, sizeof(text), X86 "%s", cases[i].options);
                assert_int_equal(qemu_items_parse(split(text, &words), &items), 0);
                assert_int_equal(qemu_memory_size(&items, &size), 0);
                if (size != cases[i].size)
                        fail_msg("%s: %ju", text, (uintmax_t)size);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                _cleanup_(qemu_items_done) QemuItems items = {};

                snprintf(text, sizeof(text), X86 "%s", bad[i]);
                assert_int_equal(qemu_items_parse(split(text, &words), &items), 0);
                assert_int_equal(qemu_memory_size(&items, &size), -EINVAL);
        }
}

/* What a file of -readconfig says counts as if it stood on the line. */
static void test_readconfig(_unused_ void **state) {
        static const char file[] = "[memory]\nsize = \"256M\"\n[machine]\naccel = "
                                   "\"kvm\"\nmemory-backend = \"m\"\n"
                                   "[object \"m\"]\nqom-type = \"memory-backend-ram\"\n"
                                   "[device \"nic0\"]\ndriver = \"e1000\"\nnetdev = \"n0\"\nmac = "
                                   "\"52:54:00:00:00:01\"\n",
                          raw[] = "[netdev \"n0\"]\ntype = \"raw\"\n",
                          nameless[] = "[device]\nnetdev = \"n0\"\n";
        _cleanup_temp_dir_ TempDir dir;
        static Judged judged;
        Refusal refusal = {};
        uint64_t size;
        char text[256];

        temp_dir_make(&dir);
        temp_dir_write(&dir, "a", file, strlen(file));
        temp_dir_write(&dir, "b", raw, strlen(raw));
        temp_dir_write(&dir, "c", nameless, strlen(nameless));
        snprintf(text, sizeof(text), X86 " -readconfig %s/a" RAW, dir.path);
        judge(text, &nothing, &judged);
        assert_int_equal(qemu_memory_size(&judged.line.items, &size), 0);
        assert_int_equal(size, 256 << 20);
        assert_int_equal(qemu_accelerator(&judged.line.items, &nothing), QEMU_ACCEL_KVM);
        assert_string_equal(judged.line.ports[0].request.mac, "52:54:00:00:00:01");
        assert_non_null(strstr(judged.line.netdevs[0].reason, "[device] of"));
        qemu_line_done(&judged.line);
        snprintf(text, sizeof(text), X86 " -readconfig %s/a" RAW ",kind=packet", dir.path);
        check_packet_refused(text, "write -device virtio-net-pci");
        snprintf(text, sizeof(text), X86 " -readconfig %s/none" RAW CARD, dir.path);
        check_tap(text, "cannot read -readconfig", &nothing, false);
        snprintf(text, sizeof(text), X86 " -readconfig %s/b", dir.path);
        assert_refused(qemu_line_parse(split(text, &judged.words), &judged.line, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "command line only");
        snprintf(text, sizeof(text), X86 " -readconfig %s/c" RAW, dir.path);
        assert_refused(qemu_line_parse(split(text, &judged.words), &judged.line, &refusal),
                       RAWNET_INVALID_ARGS, &refusal, "[device \"NAME\"]");
}

static void test_faults(_unused_ void **state) {
        static Judged judged;
        bool fired = true;

        for (unsigned n = 1; fired; n++) {
                assert_int_equal(
                        qemu_line_parse(split(X86 RAW " -device e1000,netdev=n0", &judged.words),
                                        &judged.line, &judged.refusal),
                        0);
                fault_arm(n, ENOMEM);
                judged.r = qemu_judge(&judged.line, &nothing, &judged.refusal);
                fired = fault_disarm();
                assert_int_equal(judged.r, fired ? -ENOMEM : 0);
                qemu_line_done(&judged.line);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cards),        cmocka_unit_test(test_users_and_platform),
                cmocka_unit_test(test_memory),       cmocka_unit_test(test_architectures),
                cmocka_unit_test(test_accelerators), cmocka_unit_test(test_vhost),
                cmocka_unit_test(test_sizes),        cmocka_unit_test(test_readconfig),
                cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
