/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What rawnetd and rawnet-helper say to each other: fixed-size structs over SOCK_SEQPACKET on
 * /run/rawnet/helper.sock, both on one machine and of one build (IPC_VERSION guards an upgrade in
 * between).
 *
 *   rawnetd → helper   one IpcRequest a message; with IPC_OPEN of kind veth the descriptor of the
 *                      network namespace that gets the interface, else without descriptors
 *   helper → rawnetd   one IpcReply a message, with the lease's descriptors on IPC_OPENED (none for
 *                      kind veth)
 *
 * Every request is answered by exactly one final reply with its serial (IPC_OPENED, IPC_DONE,
 * IPC_STATISTICS or IPC_REFUSED); IPC_LIST is answered by an IPC_LEASE for each lease and then
 * IPC_DONE, IPC_CHECK by at most IPC_FINDINGS_MAX times IPC_FINDING and then IPC_DONE. From its first IPC_LIST on a connection also hears, with serial 0: IPC_ENDED,
 * IPC_LEASE (a lease's record changed: learn found its MAC; or a lease that this connection did
 * not know), IPC_FEATURES, IPC_DROPPED, in the order in which they happened. Of a lease that it opens it hears by IPC_OPENED
 * first. Replies to different requests come in any order.
 *
 * The reserved members are the compiler's padding given names, so that an initializer makes every
 * byte zero.
 */

#include "common/address.h"
#include "common/drop.h"
#include "common/mac.h"
#include "common/names.h"
#include "common/network.h"
#include "common/refusal.h"

#define IPC_VERSION UINT32_C(0x726e0015)
#define IPC_STATISTICS_COUNT                                                                       \
        24u /* struct rtnl_link_stats64 of linux/if_link.h, in its order, as of Linux 6.1 */

typedef enum IpcOperation {
        IPC_OPEN = 1,
        IPC_CLOSE,
        IPC_LIST,
        IPC_STATISTICS_OF,
        IPC_HOST_UP,    /* makes a network's host interface, if it does not exist */
        IPC_HOST_DOWN,  /* removes it, if it is */
        IPC_HOST_SWEEP, /* removes those that no network file asks for (any more); the helper
                         * decides which */
        IPC_CHECK,      /* judges a network, and changes nothing */
} IpcOperation;

typedef enum IpcMacMode {
        IPC_MAC_GIVEN = 1, /* the caller's, not a reserved one (mac_is_reserved()) */
        IPC_MAC_RANDOM,    /* the helper chooses one that no other lease has */
        IPC_MAC_LEARN,    /* taken from the guest's first frame (tap only); no reserved one but that
                           * in mac */
        IPC_MAC_DERIVED,  /* derived by rawnetd for this owner, network and lease name; a reserved
                             one */
        IPC_MAC_RESERVED, /* the caller's, a reserved one; polkit said yes to that */
} IpcMacMode;

typedef struct IpcOpen {
        char network[RAWNET_FULL_NAME_MAX +
                     1]; /* "lab" or "lab.100", NUL-terminated and NUL-padded */
        char lease_name[RAWNET_LEASE_NAME_MAX + 1]; /* printable ASCII, "" for none; NUL-padded */
        uint8_t up;    /* 0 or 1; veth only: the interface is raised in its namespace */
        uint32_t uid;  /* owner, as rawnetd says */
        uint32_t kind; /* LeaseKind */
        uint32_t
                queues; /* 1..RAWNET_QUEUES_MAX, veth: 1; times (vhost ? 2 : 1) <= RAWNET_FDS_MAX */
        uint32_t mac_mode; /* IpcMacMode */
        MacAddress mac;   /* IPC_MAC_GIVEN, _DERIVED, _RESERVED; _LEARN: that derived for this lease
                           name, or zero; else zero */
        uint8_t vhost;    /* 0 or 1; tap only */
        uint8_t vnet_hdr; /* 0 or 1; veth: 0 */
        char interface[IFNAMSIZ]; /* veth: its name in the namespace; else zero */
        AddressList addresses;    /* that the guest may use; none: as the network's file says */
        uint64_t rate; /* bits a second each way, no more than Rate=; 0: as the file says */
        uint8_t reserved[4];
        /* What the network's file said when polkit was asked (common/terms.h). The helper compares
         * it with the file it reads itself and refuses a difference (RAWNET_ACCESS_DENIED), so that
         * an edit in between cannot widen a yes. */
        char parent[IFNAMSIZ];
        uint16_t vlan;
        uint16_t protocol;      /* ETH_P_8021Q, ETH_P_8021AD */
        uint32_t mode;          /* NetworkMode */
        uint32_t guest_servers; /* GUEST_SERVER_ bits */
        uint8_t file_digest[NETWORK_DIGEST_SIZE];
} IpcOpen;

/* A network's own interface in the host's namespace (HostInterface=). */
typedef struct IpcHost {
        char network[RAWNET_NETWORK_NAME_MAX +
                     1]; /* NAME of the file, NUL-padded like all strings */
        uint8_t reserved;
        /* IPC_HOST_UP only: what the file said when polkit was asked (common/terms.h). The helper
         * refuses a difference. */
        char parent[IFNAMSIZ];
        char interface[IFNAMSIZ];
        MacAddress mac; /* derived by rawnetd; the network's MACPrefix= must allow it */
        uint16_t vlan;
        uint16_t protocol;
        uint8_t file_digest[NETWORK_DIGEST_SIZE];
} IpcHost;

typedef struct IpcCheck {
        /* NAME.VID, or NAME, which for a range of VLANs means all of them; NUL-padded */
        char network[RAWNET_FULL_NAME_MAX + 1];
        uint8_t kinds; /* KIND_BIT()s, at least one: ports of these kinds are rehearsed, as far as
                          the network offers them */
        uint8_t reserved;
} IpcCheck;

typedef struct IpcRequest {
        uint32_t version;   /* IPC_VERSION */
        uint32_t operation; /* IpcOperation */
        uint64_t serial;    /* not 0; the caller's, comes back in the reply */
        uint32_t lease;     /* IPC_CLOSE, IPC_STATISTICS_OF; else 0 */
        uint32_t reserved;
        union {
                IpcOpen open;   /* IPC_OPEN. The larger one: its zeros are all zeros. */
                IpcHost host;   /* IPC_HOST_UP, IPC_HOST_DOWN; zero behind it */
                IpcCheck check; /* IPC_CHECK; zero behind it */
        };
} IpcRequest;

/* mac=learn: why the port does not take an address that its guest named. */
typedef enum LearnRefusal {
        LEARN_REFUSED_NOTHING = 0,
        LEARN_REFUSED_PREFIX,   /* MACPrefix= does not allow it */
        LEARN_REFUSED_RESERVED, /* it is reserved for an address derived for another */
        LEARN_REFUSED_HOST,     /* an interface of the host has it */
        LEARN_REFUSED_IN_USE,   /* another lease on the wire, or the interface below, has it */
        LEARN_REFUSED_FAILED,   /* the kernel refused a step, and the port learns no more */
} LearnRefusal;

/* A lease as the kernel holds it (alias of its namespace's lo; helper/kernel/record.c is the only
 * reader and writer of that text). */
typedef struct IpcLease {
        uint32_t id;
        uint32_t uid;
        uint32_t kind; /* LeaseKind */
        uint32_t mtu;
        uint16_t vlan;
        uint8_t gone; /* 1: port or uplink no longer exist (closed, revoked, parent lost); only its
                       * descriptors keep the lease alive */
        uint8_t vnet_hdr;
        /* 1: a later version of rawnet opened it (helper/kernel/record.c). What this version did
         * not understand is 0 or KIND_UNKNOWN. It counts, and only its holder ends it. */
        uint8_t later;
        uint8_t queues;      /* of the port: 1..RAWNET_QUEUES_MAX, of a later version's any but 0 */
        uint8_t refused_why; /* LearnRefusal, while learning */
        /* 1: an earlier version opened it with Isolation=direct. The holder's sockets are on the
         * uplink, which has the port's name. No lease is opened so any more. */
        uint8_t direct;
        uint64_t since; /* µs, CLOCK_REALTIME */
        MacAddress mac; /* zero while learning */
        char network[RAWNET_FULL_NAME_MAX + 1];
        char parent[IFNAMSIZ];
        char lease_name[RAWNET_LEASE_NAME_MAX + 1];
        MacAddress refused_mac; /* the last address that was refused, or zero */
        uint8_t reserved[5];
} IpcLease;

typedef enum IpcReplyType {
        IPC_OPENED =
                1, /* lease; fds: taps or packet sockets (queues of them), then as many vhost fds;
                      none of a veth lease */
        IPC_LEASE, /* lease */
        IPC_STATISTICS, /* statistics */
        IPC_DONE,       /* nothing more; after IPC_LIST: features is set */
        IPC_REFUSED,    /* refusal */
        IPC_ENDED,      /* lease.id, reason */
        IPC_FINDING,    /* finding */
        IPC_FEATURES,   /* features, which have changed */
        IPC_DROPPED,    /* lease.id, dropped */
} IpcReplyType;

typedef enum IpcEndReason {
        IPC_END_LAST_FD = 1, /* the namespace is gone: the last fd was closed, or of a veth lease
                                the interface or its namespace is gone */
        IPC_END_CLOSED,    /* by IPC_CLOSE; ports gone now, the namespace when the holder lets go */
        IPC_END_LINK_GONE, /* parent or VLAN interface was deleted; likewise */
        IPC_END_NAMESPACE, /* follows CLOSED or LINK_GONE: now the namespace is gone too, the lease
                               no longer counts */
} IpcEndReason;

/* Bits of IpcReply.features */
#define IPC_FEATURE_VLAN 1u      /* the kernel has 802.1Q (or will load it) */
#define IPC_FEATURE_VHOST_NET 2u /* /dev/vhost-net can be opened */
#define IPC_FEATURE_EGRESS 4u    /* nft netdev egress hook: packet leases possible */
#define IPC_FEATURE_CHECKSUM_TRICK                                                                 \
        8u /* this kernel has the checksum trick: frames pass a completing veth first */
#define IPC_FEATURE_USER_NAMESPACE 16u /* user namespaces can be made */
#define IPC_FEATURE_FILTER_LIMIT                                                                   \
        32u /* net.core.optmem_max is a setting of each namespace (Linux 6.7) */

/* What a finding means for a user who opens a port on the network. */
typedef enum FindingSeverity {
        FINDING_ERROR = 1, /* ports are refused, with this error and text, until somebody acts */
        FINDING_BUSY,      /* ports are refused now, because other leases use something up */
        FINDING_WARNING,   /* ports are opened, and some are not, or do not do what they should */
        FINDING_NOTE,      /* ports are opened; worth knowing */
        FINDING_FACT,      /* needs no action; text may be empty */
} FindingSeverity;

/* The topic of a finding. */
typedef enum FindingTopic {
        FINDING_FILE = 1, /* where: its path */
        FINDING_PARENT,   /* where: its name */
        FINDING_VLAN,     /* where: an interface of the host for this VLAN, or the parent */
        FINDING_HOST,     /* the network's HostInterface=. where: its name */
        FINDING_PORT,     /* making a port. where: "" */
        FINDING_LEASES,   /* what leases use up. where: "" */
} FindingTopic;

/* FINDING_VLAN: the interface's owner; FINDING_HOST: the state of the host interface. */
typedef enum FindingDetail {
        FINDING_DETAIL_NONE,
        FINDING_OWNER_HOST,
        FINDING_OWNER_RAWNET,
        FINDING_HOST_UP,
        FINDING_HOST_DOWN,
        FINDING_HOST_MISSING,
        FINDING_HOST_MISPLACED, /* the network's, on another interface than its file says */
        FINDING_HOST_OTHER,     /* another interface has the name */
        FINDING_DETAIL_COUNT,
} FindingDetail;

#define IPC_FINDINGS_MAX 48u
#define IPC_WHERE_MAX 192u /* as Network.path */

typedef struct IpcFinding {
        uint32_t error; /* RawnetError; RAWNET_OK with FINDING_NOTE and FINDING_FACT */
        int32_t kernel_errno;
        uint8_t severity; /* FindingSeverity */
        uint8_t topic;    /* FindingTopic */
        uint8_t detail;   /* FindingDetail */
        uint8_t kinds;    /* KIND_BIT()s: the kinds of ports that it is about, at least one */
        uint16_t vlan;    /* the only VLAN of the network that it is about; 0: all */
        uint16_t reserved;
        char where[IPC_WHERE_MAX];   /* printable, may be "" */
        char text[REFUSAL_TEXT_MAX]; /* a sentence: what, where, what to do */
} IpcFinding;

typedef struct IpcStatistics {
        uint64_t link[IPC_STATISTICS_COUNT]; /* turned to the guest's side */
        uint64_t drops[DROP_REASONS];        /* frames that the guard dropped, by DropReason */
} IpcStatistics;

/* The guard has dropped a frame of the lease for this reason for the first time. */
typedef struct IpcDropped {
        uint32_t reason;       /* DropReason */
        MacAddress source;     /* the frame's source address, as it was sent */
        AddressPrefix address; /* DROP_FOREIGN_ADDRESS: one that is not the lease's own, if it is
                                  known; else zero */
} IpcDropped;

typedef struct IpcReply {
        uint32_t version;
        uint32_t type; /* IpcReplyType */
        uint64_t serial;
        uint32_t reason; /* IpcEndReason */
        uint32_t features;
        IpcLease lease;
        union {
                /* The largest one first: an initializer that names none makes all of it zero. */
                IpcFinding finding;
                struct {
                        uint32_t error; /* RawnetError */
                        int32_t kernel_errno;
                        char text[REFUSAL_TEXT_MAX];
                } refusal;
                IpcStatistics statistics;
                IpcDropped dropped;
        };
} IpcReply;

/* A reply of the given type to serial, everything else zero. */
IpcReply ipc_reply(uint64_t serial, IpcReplyType type);
/* IPC_REFUSED, with this refusal. */
IpcReply ipc_reply_refused(uint64_t serial, const Refusal *refusal);
/* A finding with the refusal's text and code, NULL: with none. where is made printable, and cut
 * where it is too long. detail and vlan are the caller's to set. */
IpcFinding ipc_finding(FindingSeverity severity, FindingTopic topic, const char *where,
                       uint8_t kinds, const Refusal *refusal);

/* Is the message well-formed: version, known operation, strings terminated and NUL-padded, enums
 * and counts in range, everything that the operation does not use zero? size and n_fds are what was
 * received.
 * 0 or -EBADMSG. Pure functions, fuzz targets. */
int ipc_request_check(const IpcRequest *request, size_t size, size_t n_fds);
int ipc_reply_check(const IpcReply *reply, size_t size, size_t n_fds);

/* Could this finding, this lease be in a reply? 0 or -EBADMSG. */
int ipc_finding_check(const IpcFinding *finding);
int ipc_lease_check(const IpcLease *lease);

/* "rn1a2b3c" or, of a lease with a name, "rn1a2b3c (NAME)": what people see. Returns buffer. */
#define IPC_LEASE_LABEL_SIZE (16 + RAWNET_LEASE_NAME_MAX + 4)
const char *ipc_lease_label(const IpcLease *lease, char buffer[static IPC_LEASE_LABEL_SIZE]);

/* Does a process in the lease's namespace wait for the guest's first frame? */
bool ipc_lease_learns(const IpcLease *lease);

/* Is the lease's port a descriptor's other side? Else it is one end of a veth pair, and no program
 * holds the lease. */
bool ipc_kind_has_fds(uint32_t kind);

/* rtnl_link_stats64's field name of statistics.link[i], as GetStatistics() shows it ("rx_packets" …). */
const char *ipc_statistics_name(size_t i);
