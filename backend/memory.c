/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/memory.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool wraps(uint64_t start, uint64_t size) {
        return start + size < start;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size) {
        return a < b + b_size && b < a + a_size;
}

static int check_slot(const Memory *memory, const MemorySlot *slot, Refusal *ret_refusal) {
        if (memory->n_regions >= MEMORY_REGIONS_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "more than %u memory regions",
                              MEMORY_REGIONS_MAX);
        if (slot->size == 0 || wraps(slot->guest, slot->size) || wraps(slot->user, slot->size) ||
            wraps(slot->offset, slot->size) || slot->offset + slot->size > SIZE_MAX / 2)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a memory region of %" PRIu64 " bytes at %#" PRIx64
                              " (offset %#" PRIx64
                              ") is empty or goes past the end of the address space",
                              slot->size, slot->guest, slot->offset);
        for (unsigned i = 0; i < memory->n_regions; i++) {
                const MemorySlot *other = &memory->regions[i].slot;

                if (overlap(slot->guest, other->guest, slot->size, other->size) ||
                    overlap(slot->user, other->user, slot->size, other->size))
                        return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                                      "the memory region at %#" PRIx64
                                      " overlaps the one at %#" PRIx64,
                                      slot->guest, other->guest);
        }
        return 0;
}

int memory_add_mapped(Memory *memory, const MemorySlot *slot, uint8_t *base, Refusal *ret_refusal) {
        int r = check_slot(memory, slot, ret_refusal);

        if (r != 0)
                return r;
        memory->regions[memory->n_regions++] =
                (MemoryRegion){.slot = *slot, .base = base, .uses = 1};
        return 0;
}

static MemoryRegion *find_same(Memory *memory, const MemorySlot *slot) {
        for (unsigned i = 0; i < memory->n_regions; i++) {
                const MemorySlot *have = &memory->regions[i].slot;

                if (have->guest == slot->guest && have->user == slot->user &&
                    have->size == slot->size)
                        return &memory->regions[i];
        }
        return NULL;
}

/*
 * Maps from the beginning of the file, as the specification's examples do. Huge pages need offset
 * and length in multiples of their size, which is st_blksize. The file can be made shorter later:
 * on_bus_error() in main.c.
 */
int memory_add(Memory *memory, const MemorySlot *slot, int fd, Refusal *ret_refusal) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), length;
        MemoryRegion *known = find_same(memory, slot);
        struct stat st;
        void *mapping;
        int r;

        if (known) {
                known->uses++;
                return 0;
        }
        r = check_slot(memory, slot, ret_refusal);
        if (r != 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;
        length = slot->offset + slot->size;
        if (!S_ISREG(st.st_mode) || st.st_size < 0 || length > (uint64_t)st.st_size)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "the descriptor of the memory region at %#" PRIx64
                              " is not a memory file of at least %" PRIu64
                              " bytes: use memory-backend-memfd, or "
                              "memory-backend-file with share=on in a tmpfs or hugetlbfs",
                              slot->guest, length);
        if (st.st_blksize > 0 && (uint64_t)st.st_blksize > page &&
            (st.st_blksize & (st.st_blksize - 1)) == 0)
                page = (uint64_t)st.st_blksize;
        length = (length + page - 1) & ~(page - 1);
        mapping = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (mapping == MAP_FAILED)
                return refuse_errno(ret_refusal, errno, "mapping the memory region at %#" PRIx64,
                                    slot->guest);
        memory->regions[memory->n_regions++] = (MemoryRegion){
                .slot = *slot,
                .base = (uint8_t *)mapping + slot->offset,
                .mapping = mapping,
                .mapping_size = length,
                .uses = 1,
        };
        return 0;
}

static void unmap(MemoryRegion *region) {
        if (region->mapping)
                munmap(region->mapping, region->mapping_size);
}

int memory_remove(Memory *memory, const MemorySlot *slot, Refusal *ret_refusal) {
        MemoryRegion *region = find_same(memory, slot);

        if (!region)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "no memory region at %#" PRIx64 " to remove", slot->guest);
        if (--region->uses > 0)
                return 0;
        unmap(region);
        *region = memory->regions[--memory->n_regions];
        memory->last = 0;
        return 0;
}

void memory_clear(Memory *memory) {
        for (unsigned i = 0; i < memory->n_regions; i++)
                unmap(&memory->regions[i]);
        memory->n_regions = 0;
        memory->last = 0;
}

void *memory_user(Memory *memory, uint64_t address, uint64_t size) {
        for (unsigned i = 0; i < memory->n_regions; i++) {
                const MemoryRegion *region = &memory->regions[i];
                uint64_t inside = address - region->slot.user;

                if (address >= region->slot.user && inside < region->slot.size &&
                    size <= region->slot.size - inside)
                        return region->base + inside;
        }
        return NULL;
}

static const MemoryRegion *find_guest(Memory *memory, uint64_t address) {
        for (unsigned n = 0, i = memory->last; n < memory->n_regions; n++, i++) {
                const MemoryRegion *region;

                if (i >= memory->n_regions)
                        i = 0;
                region = &memory->regions[i];
                if (address >= region->slot.guest &&
                    address - region->slot.guest < region->slot.size) {
                        memory->last = i;
                        return region;
                }
        }
        return NULL;
}

void *memory_guest(Memory *memory, uint64_t address, uint64_t size) {
        const MemoryRegion *region = find_guest(memory, address);

        if (!region || size > region->slot.size - (address - region->slot.guest))
                return NULL;
        return region->base + (address - region->slot.guest);
}

unsigned memory_iov(Memory *memory, uint64_t address, uint64_t size, struct iovec *iov,
                    unsigned max) {
        unsigned n = 0;

        while (size > 0) {
                const MemoryRegion *region = find_guest(memory, address);
                uint64_t inside, length;

                if (!region || n >= max)
                        return 0;
                inside = address - region->slot.guest;
                length = MIN_OF(size, region->slot.size - inside);
                iov[n++] = (struct iovec){.iov_base = region->base + inside, .iov_len = length};
                /* Does not wrap: check_slot() refuses regions that wrap. */
                address += length;
                size -= length;
        }
        return n;
}
