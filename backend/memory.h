/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guest's memory as the front end shares it: regions of descriptors, mapped here. Every address
 * that a guest or a front end says is turned into a pointer in this room and nowhere else; what is
 * not wholly inside a region has no pointer.
 */

#include <sys/uio.h>

#include "common/refusal.h"
#include "common/util.h"

/* The answer to VHOST_USER_GET_MAX_MEM_SLOTS. QEMU needs one slot a DIMM and asks before it plugs
 * one. */
#define MEMORY_REGIONS_MAX 64u

/* For messages: what to change when the guest uses memory that is not in any region. */
#define MEMORY_REMEDY                                                                              \
        "all of the guest's memory must be shared: write share=on, or in libvirt <access mode='shared'/>"

/* One memory region description (vhost-user specification, "Memory region description"), in the
 * message's layout. */
typedef struct MemorySlot {
        uint64_t guest; /* guest physical address */
        uint64_t size;  /* bytes */
        uint64_t
                user; /* the same place in the front end's address space: ring addresses are such */
        uint64_t offset; /* of the region in its descriptor */
} MemorySlot;

typedef struct MemoryRegion {
        MemorySlot slot;
        uint8_t *base; /* of the region's first byte here */
        unsigned uses; /* QEMU up to 7.2 adds, and removes, a region once for every queue pair */
        void *mapping; /* what to unmap; NULL: the memory is somebody else's (tests) */
        size_t mapping_size;
} MemoryRegion;

typedef struct Memory {
        MemoryRegion regions[MEMORY_REGIONS_MAX];
        unsigned n_regions;
        unsigned last; /* where the last address was found: nearly always where the next one is */
} Memory;

/* Maps one more region of fd, or notes that it is there already; fd stays the caller's. Refused: no
 * size, sizes and addresses that wrap, a region over another one, a descriptor that is shorter than
 * it says, no slot left. 0, a RawnetError or -errno; memory is untouched on failure. */
int memory_add(Memory *memory, const MemorySlot *slot, int fd, Refusal *ret_refusal);
/* The same for memory that is already here; base has slot->size bytes and outlives memory. */
int memory_add_mapped(Memory *memory, const MemorySlot *slot, uint8_t *base, Refusal *ret_refusal);
/* guest, user and size name the region (VHOST_USER_REM_MEM_REG). 0 or RAWNET_INVALID_ARGS. */
int memory_remove(Memory *memory, const MemorySlot *slot, Refusal *ret_refusal);
void memory_clear(Memory *memory);

/* size bytes that begin at a front end's address, NULL unless all of them are in one region. */
void *memory_user(Memory *memory, uint64_t address, uint64_t size);
/* The same for a guest physical address. */
void *memory_guest(Memory *memory, uint64_t address, uint64_t size);

/* A guest's buffer of size > 0 bytes as pieces, more than one where it goes on in another region.
 * Returns their number, 0 if a byte of it is nowhere or max pieces do not suffice. */
unsigned memory_pieces(Memory *memory, uint64_t address, uint64_t size, struct iovec *pieces,
                       unsigned max);
