/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a QEMU command line says about the machine. */

#include "client/qemu/machine.h"

#include <string.h>

#include "client/parse.h"

#define MIB (UINT64_C(1) << 20)

static const char *program_name(const QemuItems *items) {
        const char *path = items->argv[items->program], *slash = path ? strrchr(path, '/') : NULL;

        return !path ? "" : slash ? slash + 1 : path;
}

const char *qemu_architecture(const QemuItems *items, const QemuHost *host) {
        const char *name = program_name(items);

        if (strncmp(name, "qemu-system-", strlen("qemu-system-")) == 0)
                return name + strlen("qemu-system-");
        /* Distributions' names for this host's own. */
        if (strcmp(name, "qemu-kvm") == 0 || strcmp(name, "kvm") == 0)
                return host->architecture;
        return NULL;
}

static bool is_one_of(const char *word, const char *const *list, size_t n) {
        for (size_t i = 0; word && i < n; i++)
                if (strcmp(word, list[i]) == 0)
                        return true;
        return false;
}

bool qemu_little_endian(const char *architecture) {
        static const char *const little[] = {"x86_64",  "i386",    "aarch64",    "arm",
                                             "riscv64", "riscv32", "loongarch64"};

        return is_one_of(architecture, little, ARRAY_SIZE(little));
}

bool qemu_machine_known(const QemuItems *items, const char *architecture, uint64_t *ret_size) {
        static const struct {
                const char *architecture, *machine; /* NULL: -machine is not given */
                uint64_t size;
        } known[] = {
                {"x86_64", NULL, 128 * MIB},         {"x86_64", "pc", 128 * MIB},
                {"x86_64", "q35", 128 * MIB},        {"x86_64", "isapc", 128 * MIB},
                {"x86_64", "microvm", 128 * MIB},    {"i386", NULL, 128 * MIB},
                {"i386", "pc", 128 * MIB},           {"i386", "q35", 128 * MIB},
                {"i386", "isapc", 128 * MIB},        {"i386", "microvm", 128 * MIB},
                {"aarch64", "virt", 128 * MIB},      {"arm", "virt", 128 * MIB},
                {"riscv64", "virt", 128 * MIB},      {"riscv32", "virt", 128 * MIB},
                {"ppc64", NULL, 512 * MIB},          {"ppc64", "pseries", 512 * MIB},
                {"s390x", NULL, 128 * MIB},          {"s390x", "s390-ccw-virtio", 128 * MIB},
                {"loongarch64", "virt", 1024 * MIB},
        };
        const char *machine = qemu_items_last(items, QEMU_MACHINE, "type");

        for (size_t i = 0; architecture && i < ARRAY_SIZE(known); i++) {
                size_t length = known[i].machine ? strlen(known[i].machine) : 0;

                if (strcmp(architecture, known[i].architecture) != 0 ||
                    !machine != !known[i].machine)
                        continue;
                /* With its version, too: pc-q35-7.2, virt-8.0. */
                if (machine && (strncmp(machine, known[i].machine, length) != 0 ||
                                (machine[length] && machine[length] != '-')))
                        continue;
                *ret_size = known[i].size;
                return true;
        }
        return false;
}

static bool take_digits(const char **p, uint64_t *ret) {
        uint64_t value = 0;

        if (**p < '0' || **p > '9')
                return false;
        for (; **p >= '0' && **p <= '9'; (*p)++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
                        return false;
        *ret = value;
        return true;
}

static int unit_shift(char unit, unsigned bare) {
        static const char units[] = "BKMGTPE";
        const char *found;

        if (!unit)
                return (int)bare;
        found = unit >= 'A' ? strchr(units, unit & ~0x20) : NULL;
        return found && *found ? (int)(found - units) * 10 : -EINVAL;
}

/* util/cutils.c, qemu_strtosz(): digits, a fraction, one unit in either case. bare: the shift of a
 * number without a unit. Hexadecimal sizes are left out. */
static int parse_size(const char *text, unsigned bare, uint64_t *ret) {
        uint64_t whole, fraction = 0, scale = 1, part = 0;
        int shift;

        if (!take_digits(&text, &whole))
                return -EINVAL;
        if (*text == '.')
                for (text++; *text >= '0' && *text <= '9'; text++)
                        if (scale < UINT64_C(1000000000000000)) {
                                fraction = fraction * 10 + (uint64_t)(*text - '0');
                                scale *= 10;
                        }
        shift = unit_shift(*text, bare);
        if (shift < 0 || (*text && text[1]))
                return -EINVAL;
        /* fraction / scale, bit by bit: the product has up to 110 bits, and a processor of 32 bits
         * has no type for it. */
        for (int bit = 0; bit < shift; bit++) {
                fraction *= 2;
                part = 2 * part + (fraction >= scale);
                fraction %= scale;
        }
        if (whole > (uint64_t)INT64_MAX >> shift || part > INT64_MAX - (whole << shift))
                return -EINVAL;
        *ret = (whole << shift) + part;
        return 0;
}

int qemu_memory_size(const QemuItems *items, uint64_t *ret) {
        const char *option = qemu_items_last(items, QEMU_MEMORY, "size"),
                   *property = qemu_items_last(items, QEMU_MACHINE, "memory.size");
        uint64_t size = 0;
        int r = 0;

        /* -m wins, and its 0 is as if it were not there (softmmu/vl.c, parse_memory_options()). */
        if (option)
                r = parse_size(option, 20, &size);
        if (r >= 0 && size == 0 && property)
                r = parse_size(property, 0, &size);
        if (r < 0)
                return r;
        /* hw/core/machine.c, machine_set_mem() */
        *ret = (size + 8191) & ~UINT64_C(8191);
        return 0;
}

/* What QEMU tries in turn: the index-th accelerator, from 0. It ends at a ':' or the text's end.
 * NULL: there are fewer. */
static const char *candidate(const QemuItems *items, size_t index, size_t *ret_length) {
        const char *name = program_name(items),
                   *machine = qemu_items_last(items, QEMU_MACHINE, "accel");
        bool any = false;

        for (size_t i = 0; i <= items->n; i++) {
                const char *list = NULL;

                if (i < items->n && items->list[i].group == QEMU_ACCEL && !machine)
                        list = qemu_options_get(&items->list[i].options, "accel");
                else if (i == items->n && machine)
                        list = machine;
                else if (i == items->n && !any) /* softmmu/vl.c, configure_accelerators() */
                        list = strlen(name) >= 3 && strcmp(name + strlen(name) - 3, "kvm") == 0
                                       ? "kvm:tcg"
                                       : "tcg:kvm";
                for (const char *p = list; p && *p; p += strcspn(p, ":"), p += *p == ':') {
                        any = true;
                        if (index-- > 0)
                                continue;
                        *ret_length = strcspn(p, ":");
                        return p;
                }
        }
        return NULL;
}

static bool is_word(const char *text, size_t length, const char *word) {
        return strlen(word) == length && memcmp(text, word, length) == 0;
}

QemuAccelerator qemu_accelerator(const QemuItems *items, const QemuHost *host) {
        const char *name;
        size_t length, ignored;

        for (size_t i = 0; (name = candidate(items, i, &length)); i++) {
                if (is_word(name, length, "xen"))
                        return QEMU_ACCEL_XEN;
                if (!is_word(name, length, "kvm"))
                        return QEMU_ACCEL_OTHER;
                /* The last accelerator: QEMU uses it or does not start. */
                if (host->kvm || !candidate(items, i + 1, &ignored))
                        return QEMU_ACCEL_KVM;
        }
        return QEMU_ACCEL_OTHER;
}

static bool is_off(const char *value) {
        bool flag;

        return value && parse_bool(value, &flag) >= 0 && !flag;
}

bool qemu_msix_works(const QemuItems *items, const QemuHost *host) {
        /* kvm_msi_via_irqfd_enabled() with the machines' own interrupt controllers; RISC-V's and
         * LoongArch's are not always the kernel's. */
        static const char *const kernels[] = {"x86_64", "i386", "aarch64", "ppc64"};
        static const char *const keys[] = {"kernel-irqchip", "kernel_irqchip"};

        if (qemu_accelerator(items, host) != QEMU_ACCEL_KVM ||
            !is_one_of(qemu_architecture(items, host), kernels, ARRAY_SIZE(kernels)))
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (is_off(qemu_items_last(items, QEMU_MACHINE, keys[i])) ||
                    is_off(qemu_items_last(items, QEMU_ACCEL, keys[i])))
                        return false;
        return true;
}
