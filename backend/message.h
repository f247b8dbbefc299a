/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The messages of the vhost-user protocol that this back end supports (QEMU's
 * docs/interop/vhost-user.rst), and the state of a connection.
 */

#include "backend/memory.h"

/* "Front-end message types" */
enum {
        VHOST_USER_GET_FEATURES = 1,
        VHOST_USER_SET_FEATURES = 2,
        VHOST_USER_SET_OWNER = 3,
        VHOST_USER_RESET_OWNER = 4,
        VHOST_USER_SET_MEM_TABLE = 5,
        VHOST_USER_SET_VRING_NUM = 8,
        VHOST_USER_SET_VRING_ADDR = 9,
        VHOST_USER_SET_VRING_BASE = 10,
        VHOST_USER_GET_VRING_BASE = 11,
        VHOST_USER_SET_VRING_KICK = 12,
        VHOST_USER_SET_VRING_CALL = 13,
        VHOST_USER_SET_VRING_ERR = 14,
        VHOST_USER_GET_PROTOCOL_FEATURES = 15,
        VHOST_USER_SET_PROTOCOL_FEATURES = 16,
        VHOST_USER_GET_QUEUE_NUM = 17,
        VHOST_USER_SET_VRING_ENABLE = 18,
        VHOST_USER_NET_SET_MTU = 20,
        VHOST_USER_GET_CONFIG = 24,
        VHOST_USER_SET_CONFIG = 25,
        VHOST_USER_RESET_DEVICE = 34,
        VHOST_USER_GET_MAX_MEM_SLOTS = 36,
        VHOST_USER_ADD_MEM_REG = 37,
        VHOST_USER_REM_MEM_REG = 38,
        VHOST_USER_SET_STATUS = 39,
        VHOST_USER_GET_STATUS = 40,
};

/* The bit of the virtio features that the protocol reserves. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

/* "Protocol features" */
enum {
        VHOST_USER_PROTOCOL_F_MQ = 0,
        VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
        VHOST_USER_PROTOCOL_F_NET_MTU = 4,
        VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
        VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
        VHOST_USER_PROTOCOL_F_STATUS = 16,
};

/* "Header": version in the lowest two bits of the flags */
#define VHOST_USER_VERSION 1u
#define VHOST_USER_REPLY 4u
#define VHOST_USER_NEED_REPLY 8u

typedef struct VhostUserHeader {
        uint32_t request;
        uint32_t flags;
        uint32_t size; /* of the payload */
} VhostUserHeader;

#define VHOST_USER_REGIONS_MAX 8u  /* in one message: "Multiple Memory regions description" */
#define VHOST_USER_CONFIG_MAX 256u /* "Virtio device config space" */
#define VHOST_USER_DESCRIPTORS_MAX 8u

typedef struct VhostUserVring {
        uint32_t index, number;
} VhostUserVring;

typedef struct VhostUserAddress {
        uint32_t index, flags;
        uint64_t desc, used, avail, log;
} VhostUserAddress;

typedef struct VhostUserConfig {
        uint32_t offset, size, flags;
        uint8_t data[VHOST_USER_CONFIG_MAX];
} VhostUserConfig;

typedef union VhostUserPayload {
        uint64_t u64;
        VhostUserVring vring;
        VhostUserAddress address;
        VhostUserConfig config;
        struct {
                uint32_t count, padding;
                MemorySlot slots[VHOST_USER_REGIONS_MAX];
        } table;
        struct {
                uint64_t padding;
                MemorySlot slot;
        } region;
} VhostUserPayload;

/* A connection to a front end, and the message that is being received. */
typedef struct VhostUser {
        int fd; /* owned, non-blocking; -1 without a connection */
        VhostUserHeader header;
        VhostUserPayload payload;
        size_t have;                         /* bytes of header and payload received so far */
        int fds[VHOST_USER_DESCRIPTORS_MAX]; /* received with the message */
        unsigned n_fds;
} VhostUser;
