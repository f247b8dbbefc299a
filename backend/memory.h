/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guest's memory, which the front end shares: regions of file descriptors, mapped here. Only
 * this file converts addresses of the guest and of the front end to pointers. Bytes that are not
 * wholly inside one region have no pointer.
 */

#include <sys/uio.h>

#include "common/refusal.h"
#include "common/util.h"

/* The answer to VHOST_USER_GET_MAX_MEM_SLOTS. QEMU needs one slot for each DIMM, and asks before it
 * plugs one. */
#define MEMORY_REGIONS_MAX 64u

/* For messages: what to change when the guest uses memory that is not in any region. */
#define MEMORY_REMEDY                                                                              \
        "all of the guest's memory must be shared: write share=on, or in libvirt <access mode='shared'/>"

/* One memory region description (vhost-user specification, "Memory region description"), in the
 * message's layout. */
typedef struct MemorySlot {
        uint64_t guest;  /* guest physical address */
        uint64_t size;   /* bytes */
        uint64_t user;   /* the front end's virtual address, as in ring addresses */
        uint64_t offset; /* of the region in its file */
} MemorySlot;

typedef struct MemoryRegion {
        MemorySlot slot;
        uint8_t *base; /* the region's first byte in this process */
        unsigned uses; /* QEMU up to 7.2 adds, and removes, a region once for every queue pair */
        void *mapping; /* to unmap; NULL: not owned (tests) */
        size_t mapping_size;
} MemoryRegion;

typedef struct Memory {
        MemoryRegion regions[MEMORY_REGIONS_MAX];
        unsigned n_regions;
        unsigned last; /* region of the last address: nearly always that of the next one, too */
} Memory;

/* Maps one more region of fd, or counts one more use of a mapped region. fd stays the caller's.
 * Refused: size 0, sizes and addresses that wrap, a region that overlaps another one, a file that
 * is shorter than the region, no slot left. 0, a RawnetError or -errno; memory is untouched on
 * failure. */
int memory_add(Memory *memory, const MemorySlot *slot, int fd, Refusal *ret_refusal);
/* The same for memory that is mapped already. base has slot->size bytes and outlives memory. */
int memory_add_mapped(Memory *memory, const MemorySlot *slot, uint8_t *base, Refusal *ret_refusal);
/* guest, user and size name the region (VHOST_USER_REM_MEM_REG). 0 or RAWNET_INVALID_ARGS. */
int memory_remove(Memory *memory, const MemorySlot *slot, Refusal *ret_refusal);
void memory_clear(Memory *memory);

/* A pointer to size bytes at a front end's address. NULL unless all of them are in one region. */
void *memory_user(Memory *memory, uint64_t address, uint64_t size);
/* The same for a guest physical address. */
void *memory_guest(Memory *memory, uint64_t address, uint64_t size);

/* Converts a guest's buffer of size > 0 bytes to iovec entries, one for each region that it is in.
 * Returns their number. 0: a byte is in no region, or more than max entries are needed. */
unsigned memory_iov(Memory *memory, uint64_t address, uint64_t size, struct iovec *iov,
                    unsigned max);
