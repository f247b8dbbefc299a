/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A path that a benchmark measures: a port, and the far end of its wire. It is described by a word
 * NAME:KEY=VALUE,…, which datapath.py writes:
 *
 *     fd=N             the port's descriptor, inherited (a lease), or
 *     back=PID         the process that serves the port (rawnet-vhost): no descriptor here, or
 *     tap=DEV          an existing tap to attach to, here or in netns=PATH, or
 *     packet=DEV       an AF_PACKET socket to make on that interface, likewise
 *     header=BYTES     virtio_net_hdr in front of each frame (10 for a tap or a vnet-hdr packet
 *                      port, else 0)
 *     mac=M            the port's address: source when sending, destination when receiving
 *     far=DEV          the wire's other end, in farns=PATH: frames sent are counted there, frames
 *                      received are made there
 *
 * Whatever is wrong ends the program.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/mac.h"
#include "helper/kernel/link.h"

#define FRAME_SHORT 60u
#define FRAME_LONG 1514u
#define HEADER_MAX 12u

typedef struct Path {
        const char *name;
        int fd;        /* the port; does not block; -1 where a back end has it */
        pid_t back;    /* that back end, or 0 */
        int generator; /* AF_PACKET on the far end */
        Netlink far;   /* in the far end's namespace */
        const char *far_name;
        size_t header; /* bytes of virtio_net_hdr in front of each frame */
        MacAddress mac;
} Path;

/* The source of the frames that the far end makes. */
extern const MacAddress path_far_mac;

/* A number from 0 to 1,000,000; what is none ends the program. */
uint32_t path_number(const char *text);
/* home: the namespace that the program was started in; left is that of the far end. text is cut up
 * and stays in use. */
void path_parse(Path *path, char *text, int home);
/* An Ethernet frame of length bytes, FRAME_SHORT to FRAME_LONG: an IPv4 header (RFC 791) with its
 * checksum, UDP to the discard port, zeros. Valid, because a host that has br_netfilter loaded
 * drops what is not. */
void path_frame(uint8_t *frame, size_t length, const MacAddress *to, const MacAddress *from);
/* How many frames have arrived at the far end. */
uint64_t path_far_frames(Path *path);
/* An AF_PACKET socket on an interface of this namespace. protocol 0: it receives nothing. */
int path_open_packet(const char *name, bool header, uint16_t protocol);
/* Reads what waits in the port, to nothing. */
void path_drain(const Path *path);
