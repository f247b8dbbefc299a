/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Whether a vhost-user back end can share the guest's memory.
 */

#include "client/qemu/memory.h"

#include <string.h>

#include "client/parse.h"

#define WRITE_MEMFD "write -object memory-backend-memfd,id=…,size=…,share=on"

/* An -object alone is not the guest's memory: something has to use it. */
static int judge_object(const QemuItems *items, const char *id, QemuReason *ret) {
        const QemuItem *object = qemu_items_object(items, id);
        const char *type = object ? qemu_options_get(&object->options, "qom-type") : NULL, *share;
        bool shared = false;

        if (!type)
                return qemu_reason(ret, QEMU_UNKNOWN, NULL,
                                   "no -object on the command line has id=%s", id);
        share = qemu_options_get(&object->options, "share");
        /* backends/hostmem-memfd.c and hostmem-shm.c: the default is on. */
        if (!share || parse_bool(share, &shared) < 0)
                shared = strcmp(type, "memory-backend-memfd") == 0 ||
                         strcmp(type, "memory-backend-shm") == 0;
        if (strcmp(type, "memory-backend-ram") == 0)
                return qemu_reason(ret, QEMU_CANNOT, WRITE_MEMFD,
                                   QEMU_ITEM
                                   " is memory without a descriptor, which no back end can share",
                                   QEMU_ITEM_NAME(object));
        return shared ? 0
                      : qemu_reason(ret, QEMU_CANNOT, "add share=on to it",
                                    QEMU_ITEM " is memory that is not shared",
                                    QEMU_ITEM_NAME(object));
}

/* Memory of NUMA nodes, and of devices: DIMMs, NVDIMMs, virtio-mem. ivshmem's is a device's
 * register space, where no buffer lies. */
static int judge_memdevs(const QemuItems *items, QemuReason *ret) {
        static const char *const keys[] = {"memdev", "volatile-memdev", "persistent-memdev"};

        for (size_t i = 0; i < items->n; i++) {
                const QemuItem *item = &items->list[i];
                const char *driver = qemu_options_get(&item->options, "driver");

                if (item->group != QEMU_NUMA &&
                    (item->group != QEMU_DEVICE || !driver || strncmp(driver, "ivshmem", 7) == 0))
                        continue;
                for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
                        const char *id = qemu_options_get(&item->options, keys[k]);
                        int r = id ? judge_object(items, id, ret) : 0;

                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

static bool numa_has_memdev(const QemuItems *items) {
        return qemu_items_last(items, QEMU_NUMA, "memdev");
}

bool qemu_memory_is_set(const QemuItems *items) {
        return qemu_items_last(items, QEMU_MACHINE, "memory-backend") || numa_has_memdev(items) ||
               qemu_items_last(items, QEMU_MEM_PATH, "path");
}

/* rawnetctl adds the main memory: it must know how much, and that the machine takes it. */
static int judge_size(const QemuItems *items, const QemuHost *host, QemuReason *ret) {
        const char *machine = qemu_items_last(items, QEMU_MACHINE, "type");
        uint64_t size, usual;
        int r = qemu_memory_size(items, &size);

        if (r < 0)
                return qemu_reason(ret, QEMU_CANNOT, "write -m with a number and K, M, G or T",
                                   "the size of the memory cannot be read");
        if (qemu_machine_known(items, qemu_architecture(items, host), &usual))
                return 0;
        if (size == 0)
                return qemu_reason(ret, QEMU_CANNOT, "write -m",
                                   "without -m the memory size of %s%s is not known",
                                   machine ? "-machine " : items->argv[items->program],
                                   machine ? machine : "");
        return qemu_reason(ret, QEMU_UNKNOWN, NULL,
                           "rawnetctl cannot know whether the memory of %s%s can be shared",
                           machine ? "-machine " : items->argv[items->program],
                           machine ? machine : "");
}

int qemu_memory_judge(const QemuItems *items, const QemuHost *host, QemuReason *ret) {
        const char *backend = qemu_items_last(items, QEMU_MACHINE, "memory-backend"),
                   *path = qemu_items_last(items, QEMU_MEM_PATH, "path");
        int r = judge_memdevs(items, ret);

        if (r != 0)
                return r;
        if (qemu_accelerator(items, host) == QEMU_ACCEL_XEN)
                return qemu_reason(ret, QEMU_CANNOT, NULL, "Xen's memory is not shared");
        if (backend)
                return judge_object(items, backend, ret);
        if (numa_has_memdev(items))
                return 0;
        if (path)
                return qemu_reason(
                        ret, QEMU_CANNOT,
                        "write -object memory-backend-file,id=m,size=…,mem-path=…,share=on "
                        "-machine memory-backend=m in its place",
                        "-mem-path %s is memory that is not shared", path);
        return judge_size(items, host, ret);
}
