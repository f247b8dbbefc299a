/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "backend/request.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/text.h"

/* linux/virtio_config.h: VIRTIO_CONFIG_S_*; a status of 0 is a reset (virtio 1.2, 2.1.2). */
#define STATUS_RESET 0

/* Payload of SET_VRING_KICK, _CALL and _ERR: the ring in bits 0-7; bit 8: without a descriptor. */
#define VRING_NUMBER_MASK UINT64_C(0xff)
#define VRING_NO_DESCRIPTOR UINT64_C(0x100)

/* Not CONFIG: QEMU does not use it for a network device, and warns about every back end that offers
 * it. A front end that asks anyway gets an answer. */
static uint64_t protocol_features(const Device *device) {
        uint64_t features = 1u << VHOST_USER_PROTOCOL_F_REPLY_ACK |
                            1u << VHOST_USER_PROTOCOL_F_NET_MTU |
                            1u << VHOST_USER_PROTOCOL_F_RESET_DEVICE |
                            1u << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
                            1u << VHOST_USER_PROTOCOL_F_STATUS;

        if (device->n_pairs > 1)
                features |= 1u << VHOST_USER_PROTOCOL_F_MQ;
        return features;
}

static int answer_u64(VhostUser *front, uint64_t value, RequestAnswer *ret) {
        front->payload.u64 = value;
        *ret = (RequestAnswer){.has_payload = true, .size = sizeof(value)};
        return 0;
}

static int find_ring(Device *device, uint64_t number, Ring **ret, Refusal *ret_refusal) {
        Ring *ring = number <= UINT32_MAX ? device_ring(device, (uint32_t)number) : NULL;

        if (!ring)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "there is no ring %" PRIu64 ": the port has %u queue pairs", number,
                              device->n_pairs);
        *ret = ring;
        return 0;
}

static int find_stopped(Device *device, uint32_t number, Ring **ret, Refusal *ret_refusal) {
        int r = find_ring(device, number, ret, ret_refusal);

        if (r == 0 && (*ret)->started)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "ring %" PRIu32 " was changed while it runs", number);
        return r;
}

static int get_features(Device *device, VhostUser *front, RequestAnswer *ret,
                        Refusal *ret_refusal) {
        return answer_u64(front, device->offered, ret);
}

static int set_features(Device *device, VhostUser *front, RequestAnswer *ret,
                        Refusal *ret_refusal) {
        return device_set_features(device, front->payload.u64, ret_refusal);
}

static int ignore(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        return 0;
}

/* Deprecated; "back-ends must either ignore this message, or use it to disable all rings" */
static int reset_owner(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        for (uint32_t i = 0; i < 2 * device->n_pairs; i++)
                device_ring(device, i)->enabled = false;
        return 0;
}

static int set_mem_table(Device *device, VhostUser *front, RequestAnswer *ret,
                         Refusal *ret_refusal) {
        uint32_t count = front->payload.table.count;

        if (count > VHOST_USER_REGIONS_MAX || count != front->n_fds ||
            front->header.size <
                    offsetof(VhostUserPayload, table.slots) + count * sizeof(MemorySlot))
                return refuse(
                        ret_refusal, RAWNET_INVALID_ARGS,
                        "a memory table of %" PRIu32 " %s came with %u %s in %" PRIu32 " bytes",
                        count, text_plural(count, "region", "regions"), front->n_fds,
                        text_plural(front->n_fds, "descriptor", "descriptors"), front->header.size);
        memory_clear(&device->memory);
        for (uint32_t i = 0; i < count; i++) {
                int r = memory_add(&device->memory, &front->payload.table.slots[i], front->fds[i],
                                   ret_refusal);

                if (r != 0)
                        return r;
        }
        return device_remap(device, ret_refusal);
}

static int get_max_mem_slots(Device *device, VhostUser *front, RequestAnswer *ret,
                             Refusal *ret_refusal) {
        return answer_u64(front, MEMORY_REGIONS_MAX, ret);
}

static int add_mem_reg(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        int r = memory_add(&device->memory, &front->payload.region.slot, front->fds[0],
                           ret_refusal);

        return r != 0 ? r : device_remap(device, ret_refusal);
}

static int rem_mem_reg(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        int r = memory_remove(&device->memory, &front->payload.region.slot, ret_refusal);

        return r != 0 ? r : device_remap(device, ret_refusal);
}

static int set_vring_num(Device *device, VhostUser *front, RequestAnswer *ret,
                         Refusal *ret_refusal) {
        uint32_t size = front->payload.vring.number;
        Ring *ring = NULL;
        int r = find_stopped(device, front->payload.vring.index, &ring, ret_refusal);

        if (r != 0)
                return r;
        if (size == 0 || size > RING_SIZE_MAX || (size & (size - 1)) != 0)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a ring of %" PRIu32 " entries: not a power of two up to %u", size,
                              RING_SIZE_MAX);
        ring->size = size;
        return 0;
}

/* QEMU sends it again for a running ring, with the same addresses, to switch logging. */
static int set_vring_addr(Device *device, VhostUser *front, RequestAnswer *ret,
                          Refusal *ret_refusal) {
        const VhostUserAddress *address = &front->payload.address;
        Ring *ring = NULL;
        int r = find_ring(device, address->index, &ring, ret_refusal);

        if (r != 0)
                return r;
        if (ring->started &&
            (ring->user_desc != address->desc || ring->user_avail != address->avail ||
             ring->user_used != address->used))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "ring %" PRIu32 " was moved while it runs", address->index);
        ring->user_desc = address->desc;
        ring->user_avail = address->avail;
        ring->user_used = address->used;
        ring->has_addresses = true;
        return 0;
}

static int set_vring_base(Device *device, VhostUser *front, RequestAnswer *ret,
                          Refusal *ret_refusal) {
        Ring *ring = NULL;
        int r = find_stopped(device, front->payload.vring.index, &ring, ret_refusal);

        if (r != 0)
                return r;
        if (front->payload.vring.number > UINT16_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "an avail index of %" PRIu32,
                              front->payload.vring.number);
        ring->next_avail = (uint16_t)front->payload.vring.number;
        return 0;
}

static int get_vring_base(Device *device, VhostUser *front, RequestAnswer *ret,
                          Refusal *ret_refusal) {
        Ring *ring = NULL;
        int r = find_ring(device, front->payload.vring.index, &ring, ret_refusal);

        if (r != 0)
                return r;
        device_stop_ring(device, front->payload.vring.index);
        front->payload.vring.number = ring->next_avail;
        *ret = (RequestAnswer){.has_payload = true, .size = sizeof(front->payload.vring)};
        return 0;
}

static int set_vring_descriptor(Device *device, VhostUser *front, RequestAnswer *ret,
                                Refusal *ret_refusal) {
        uint64_t value = front->payload.u64;
        uint32_t number = (uint32_t)(value & VRING_NUMBER_MASK);
        unsigned expected = value & VRING_NO_DESCRIPTOR ? 0 : 1;
        Ring *ring = NULL;
        int r = find_ring(device, number, &ring, ret_refusal);
        int fd;

        if (r != 0)
                return r;
        if (value & ~(VRING_NUMBER_MASK | VRING_NO_DESCRIPTOR) || front->n_fds != expected)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "ring %" PRIu32 ": %u %s came, and %s expected", number, front->n_fds,
                              text_plural(front->n_fds, "descriptor", "descriptors"),
                              expected == 1 ? "one was" : "none was");
        fd = expected == 1 ? TAKE_FD(front->fds[0]) : -1;
        switch (front->header.request) {
        case VHOST_USER_SET_VRING_KICK:
                return device_set_kick(device, number, fd, ret_refusal);
        case VHOST_USER_SET_VRING_CALL:
                return device_set_call(device, number, fd, ret_refusal);
        default:
                return device_set_error(device, number, fd, ret_refusal);
        }
}

static int set_vring_enable(Device *device, VhostUser *front, RequestAnswer *ret,
                            Refusal *ret_refusal) {
        Ring *ring = NULL;
        int r = find_ring(device, front->payload.vring.index, &ring, ret_refusal);

        if (r != 0)
                return r;
        if (front->payload.vring.number > 1)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "a ring is enabled with 0 or 1, not %" PRIu32,
                              front->payload.vring.number);
        return device_enable(device, front->payload.vring.index, front->payload.vring.number == 1,
                             ret_refusal);
}

static int get_protocol_features(Device *device, VhostUser *front, RequestAnswer *ret,
                                 Refusal *ret_refusal) {
        return answer_u64(front, protocol_features(device), ret);
}

static int set_protocol_features(Device *device, VhostUser *front, RequestAnswer *ret,
                                 Refusal *ret_refusal) {
        if (front->payload.u64 & ~protocol_features(device))
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "protocol features %#" PRIx64 " were set but not offered",
                              front->payload.u64 & ~protocol_features(device));
        device->protocol_features = front->payload.u64;
        return 0;
}

static int get_queue_num(Device *device, VhostUser *front, RequestAnswer *ret,
                         Refusal *ret_refusal) {
        return answer_u64(front, device->n_pairs, ret);
}

/* The front end proposes an MTU. At most the lease's MTU is acknowledged. */
static int net_set_mtu(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        uint16_t mtu = le16toh(device->config.mtu);

        ret->failed = front->payload.u64 < NETWORK_MTU_MIN ||
                      front->payload.u64 > (mtu ? mtu : NETWORK_MTU_MAX);
        return 0;
}

/* "uses zero length of payload to indicate an error" */
static int get_config(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        const size_t head = offsetof(VhostUserConfig, data);
        VhostUserConfig *config = &front->payload.config;
        uint8_t space[VHOST_USER_CONFIG_MAX] = {};

        ret->has_payload = true;
        if (config->size > sizeof(space) || config->offset > sizeof(space) - config->size)
                return 0;
        memcpy(space, &device->config, sizeof(device->config));
        memcpy(config->data, space + config->offset, config->size);
        ret->size = head + config->size;
        return 0;
}

/* A virtio 1 network device's configuration has no writable field. The MAC belongs to the lease. */
static int set_config(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        ret->failed = true;
        return 0;
}

static int reset_device(Device *device, VhostUser *front, RequestAnswer *ret,
                        Refusal *ret_refusal) {
        device_stop_rings(device);
        device->status = STATUS_RESET;
        return 0;
}

static int set_status(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        if (front->payload.u64 > UINT8_MAX)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "a status of %#" PRIx64,
                              front->payload.u64);
        if (front->payload.u64 == STATUS_RESET)
                device_stop_rings(device);
        device->status = (uint8_t)front->payload.u64;
        return 0;
}

static int get_status(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        return answer_u64(front, device->status, ret);
}

typedef struct Request {
        const char *name; /* NULL: not known */
        int (*serve)(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal);
        uint32_t size; /* of the payload: exact, or the minimum where longer is set */
        bool longer;
        uint8_t fds_min, fds_max;
        uint64_t feature; /* the protocol feature that must be negotiated; 0: none */
} Request;

#define U64 sizeof(uint64_t)
#define VRING sizeof(VhostUserVring)
#define REGION (sizeof(uint64_t) + sizeof(MemorySlot))
#define WITH(feature) (UINT64_C(1) << VHOST_USER_PROTOCOL_F_##feature)
#define REQUEST(request, ...) [VHOST_USER_##request] = {.name = #request, __VA_ARGS__}

static const Request requests[] = {
        REQUEST(GET_FEATURES, get_features),
        REQUEST(SET_FEATURES, set_features, U64),
        REQUEST(SET_OWNER, ignore),
        REQUEST(RESET_OWNER, reset_owner),
        REQUEST(SET_MEM_TABLE, set_mem_table, U64, true, 0, VHOST_USER_REGIONS_MAX),
        REQUEST(SET_VRING_NUM, set_vring_num, VRING),
        REQUEST(SET_VRING_ADDR, set_vring_addr, sizeof(VhostUserAddress)),
        REQUEST(SET_VRING_BASE, set_vring_base, VRING),
        REQUEST(GET_VRING_BASE, get_vring_base, VRING),
        REQUEST(SET_VRING_KICK, set_vring_descriptor, U64, false, 0, 1),
        REQUEST(SET_VRING_CALL, set_vring_descriptor, U64, false, 0, 1),
        REQUEST(SET_VRING_ERR, set_vring_descriptor, U64, false, 0, 1),
        REQUEST(GET_PROTOCOL_FEATURES, get_protocol_features),
        REQUEST(SET_PROTOCOL_FEATURES, set_protocol_features, U64),
        REQUEST(GET_QUEUE_NUM, get_queue_num, .feature = WITH(MQ)),
        REQUEST(SET_VRING_ENABLE, set_vring_enable, VRING),
        REQUEST(NET_SET_MTU, net_set_mtu, U64, .feature = WITH(NET_MTU)),
        REQUEST(GET_CONFIG, get_config, offsetof(VhostUserConfig, data), true),
        REQUEST(SET_CONFIG, set_config, offsetof(VhostUserConfig, data), true),
        REQUEST(RESET_DEVICE, reset_device, .feature = WITH(RESET_DEVICE)),
        REQUEST(GET_MAX_MEM_SLOTS, get_max_mem_slots, .feature = WITH(CONFIGURE_MEM_SLOTS)),
        REQUEST(ADD_MEM_REG, add_mem_reg, REGION, false, 1, 1, WITH(CONFIGURE_MEM_SLOTS)),
        /* Some front ends send the descriptor once more: "the back-end must close" it. */
        REQUEST(REM_MEM_REG, rem_mem_reg, REGION, false, 0, 1, WITH(CONFIGURE_MEM_SLOTS)),
        REQUEST(SET_STATUS, set_status, U64, .feature = WITH(STATUS)),
        REQUEST(GET_STATUS, get_status, .feature = WITH(STATUS)),
};

int request_serve(Device *device, VhostUser *front, RequestAnswer *ret, Refusal *ret_refusal) {
        uint32_t number = front->header.request, size = front->header.size;
        const Request *request = number < ARRAY_SIZE(requests) ? &requests[number] : NULL;

        if (!request || !request->name || (request->feature & ~device->protocol_features)) {
                log_debug("request %" PRIu32 " is not known, or was not negotiated", number);
                ret->failed = true;
                return 0;
        }
        if (request->longer ? size < request->size : size != request->size)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS,
                              "%s with a payload of %" PRIu32 " bytes", request->name, size);
        if (front->n_fds < request->fds_min || front->n_fds > request->fds_max)
                return refuse(ret_refusal, RAWNET_INVALID_ARGS, "%s with %u %s", request->name,
                              front->n_fds, text_plural(front->n_fds, "descriptor", "descriptors"));
        log_debug("%s %#" PRIx64, request->name, size >= U64 ? front->payload.u64 : 0);
        return request->serve(device, front, ret, ret_refusal);
}
