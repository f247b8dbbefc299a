/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/ipc.h"

#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <string.h>

#include "common/bit-rate.h"
#include "common/text.h"

/* Every byte has a name, so a check can hold unused bytes to be zero. */
_Static_assert(sizeof(IpcOpen) == 38 + 65 + 1 + 4 * 4 + 6 + 2 + 2 * IFNAMSIZ + sizeof(AddressList) +
                                          8 + 4 + 2 + 2 + 2 * 4 + 32,
               "padding");
_Static_assert(sizeof(IpcHost) == 33 + 1 + 2 * IFNAMSIZ + 6 + 2 + 2 + 32, "padding");
_Static_assert(sizeof(IpcRequest) == 2 * 4 + 8 + 2 * 4 + sizeof(IpcOpen), "padding");
_Static_assert(sizeof(IpcLease) == 4 * 4 + 2 + 6 + 8 + 6 + 38 + IFNAMSIZ + 65 + 6 + 5, "padding");
_Static_assert(sizeof(IpcCheck) == 38 + 2, "padding");
_Static_assert(sizeof(IpcFinding) == 2 * 4 + 4 + 2 * 2 + IPC_WHERE_MAX + REFUSAL_TEXT_MAX,
               "padding");
_Static_assert(sizeof(IpcDropped) == 4 + 6 + sizeof(AddressPrefix), "padding");
_Static_assert(sizeof(IpcStatistics) <= sizeof(IpcFinding), "the finding is the largest part");
_Static_assert(sizeof(IpcReply) == 2 * 4 + 8 + 2 * 4 + sizeof(IpcLease) + sizeof(IpcFinding),
               "padding");

#define FEATURES_KNOWN                                                                             \
        (IPC_FEATURE_VLAN | IPC_FEATURE_VHOST_NET | IPC_FEATURE_EGRESS |                           \
         IPC_FEATURE_CHECKSUM_TRICK | IPC_FEATURE_USER_NAMESPACE | IPC_FEATURE_FILTER_LIMIT)

/* The largest errno, include/linux/err.h */
#define ERRNO_MAX 4095

static bool is_zero(const void *data, size_t size) {
        const unsigned char *p = data;

        while (size > 0 && *p == 0) {
                p++;
                size--;
        }
        return size == 0;
}

/* Terminated inside its member, and NULs to the end. */
static bool is_padded(const char *text, size_t size) {
        size_t length = strnlen(text, size);

        return length < size && is_zero(text + length, size - length);
}

/* The owner, the network and the parent, which a request and a lease have alike. */
static bool party_is_valid(const char network[static RAWNET_FULL_NAME_MAX + 1],
                           const char parent[static IFNAMSIZ],
                           const char lease_name[static RAWNET_LEASE_NAME_MAX + 1], uint16_t vlan,
                           uint32_t uid) {
        NetworkName name;

        if (!is_padded(network, RAWNET_FULL_NAME_MAX + 1) || !is_padded(parent, IFNAMSIZ) ||
            !is_padded(lease_name, RAWNET_LEASE_NAME_MAX + 1))
                return false;
        if (network_name_parse(network, &name, NULL) != 0 || !interface_name_is_valid(parent) ||
            !text_is_printable_ascii(lease_name))
                return false;
        if (vlan > VLAN_ID_MAX || (name.vlan != 0 && name.vlan != vlan))
                return false;
        return uid != UINT32_MAX; /* (uid_t) -1 is nobody, chown(2) */
}

/* Without a VLAN there is no tag, and the file's parser allows the default only. */
static bool protocol_is_valid(uint16_t protocol, uint16_t vlan) {
        return protocol == ETH_P_8021Q || (protocol == ETH_P_8021AD && vlan != 0);
}

static bool lease_id_is_valid(uint32_t id) {
        return id >= RAWNET_ID_MIN && id <= RAWNET_ID_MAX;
}

static bool open_is_valid(const IpcOpen *o) {
        if (!party_is_valid(o->network, o->parent, o->lease_name, o->vlan, o->uid) ||
            o->kind >= KIND_UNKNOWN || o->vnet_hdr > 1)
                return false;
        if (o->kind == KIND_VETH ? o->vnet_hdr != 0 || o->queues != 1 || o->up > 1 ||
                                           !is_padded(o->interface, IFNAMSIZ) ||
                                           !interface_name_is_sane(o->interface)
                                 : o->up != 0 || !is_zero(o->interface, sizeof(o->interface)))
                return false;
        if (o->vhost > 1 || (o->vhost && o->kind != KIND_TAP))
                return false;
        if (o->queues < 1 || o->queues > RAWNET_QUEUES_MAX ||
            o->queues * (o->vhost ? 2 : 1) > RAWNET_FDS_MAX)
                return false;
        if (o->mac_mode < IPC_MAC_GIVEN || o->mac_mode > IPC_MAC_RESERVED)
                return false;
        if (o->mac_mode != IPC_MAC_LEARN && (o->mac_mode == IPC_MAC_RANDOM) != mac_is_zero(&o->mac))
                return false;
        if (o->mac_mode == IPC_MAC_LEARN && o->kind != KIND_TAP)
                return false;
        if (o->mode > MODE_EXCLUSIVE || (o->mode == MODE_EXCLUSIVE && o->vlan == 0))
                return false;
        return address_list_is_valid(&o->addresses) && is_zero(o->reserved, sizeof(o->reserved)) &&
               (o->rate == 0 || bit_rate_is_valid(o->rate)) &&
               (o->guest_servers & ~GUEST_SERVERS_ALL) == 0 &&
               protocol_is_valid(o->protocol, o->vlan);
}

static bool host_is_valid(const IpcRequest *request, bool up) {
        const IpcHost *h = &request->host;
        NetworkName name;

        if (!is_zero((const char *)&request->open + sizeof(*h),
                     sizeof(request->open) - sizeof(*h)) ||
            !is_padded(h->network, sizeof(h->network)) ||
            network_name_parse(h->network, &name, NULL) != 0 || name.vlan != 0)
                return false;
        if (!up)
                return is_zero((const char *)h + sizeof(h->network),
                               sizeof(*h) - sizeof(h->network));
        return h->reserved == 0 && is_padded(h->parent, sizeof(h->parent)) &&
               is_padded(h->interface, sizeof(h->interface)) &&
               interface_name_is_valid(h->parent) && interface_name_is_valid(h->interface) &&
               h->vlan <= VLAN_ID_MAX && protocol_is_valid(h->protocol, h->vlan) &&
               !mac_is_zero(&h->mac) && (h->mac.octet[0] & 1) == 0;
}

static bool kinds_are_valid(uint8_t kinds) {
        return kinds != 0 && (kinds & ~KINDS_ALL) == 0;
}

static bool check_is_valid(const IpcRequest *request) {
        const IpcCheck *c = &request->check;
        NetworkName name;

        return is_zero((const char *)&request->open + sizeof(*c),
                       sizeof(request->open) - sizeof(*c)) &&
               is_padded(c->network, sizeof(c->network)) &&
               network_name_parse(c->network, &name, NULL) == 0 && kinds_are_valid(c->kinds) &&
               c->reserved == 0;
}

bool ipc_kind_has_fds(uint32_t kind) {
        return kind != KIND_VETH;
}

int ipc_request_check(const IpcRequest *request, size_t size, size_t n_fds) {
        bool attach, good;

        if (size != sizeof(*request) || request->version != IPC_VERSION || request->serial == 0)
                return -EBADMSG;
        attach = request->operation == IPC_OPEN && !ipc_kind_has_fds(request->open.kind);
        if (n_fds != (attach ? 1 : 0))
                return -EBADMSG;
        switch (request->operation) {
        case IPC_OPEN:
                good = request->lease == 0 && open_is_valid(&request->open);
                break;
        case IPC_CLOSE:
        case IPC_STATISTICS_OF:
                good = lease_id_is_valid(request->lease) &&
                       is_zero(&request->open, sizeof(request->open));
                break;
        case IPC_HOST_UP:
        case IPC_HOST_DOWN:
                good = request->lease == 0 &&
                       host_is_valid(request, request->operation == IPC_HOST_UP);
                break;
        case IPC_CHECK:
                good = request->lease == 0 && check_is_valid(request);
                break;
        case IPC_LIST:
        case IPC_HOST_SWEEP:
                good = request->lease == 0 && is_zero(&request->open, sizeof(request->open));
                break;
        default:
                good = false;
        }
        return good && request->reserved == 0 ? 0 : -EBADMSG;
}

/* An address that has been learned ends what was refused before it. */
static bool refused_is_valid(const IpcLease *l) {
        if (l->refused_why == LEARN_REFUSED_NOTHING)
                return mac_is_zero(&l->refused_mac);
        return l->refused_why <= LEARN_REFUSED_FAILED && mac_is_zero(&l->mac) &&
               !mac_is_zero(&l->refused_mac) && (l->refused_mac.octet[0] & 1) == 0;
}

static bool lease_is_valid(const IpcLease *l) {
        if (!lease_id_is_valid(l->id) ||
            !party_is_valid(l->network, l->parent, l->lease_name, l->vlan, l->uid))
                return false;
        if (l->kind > (l->later ? KIND_UNKNOWN : KIND_VETH) || l->vnet_hdr > 1)
                return false;
        if (l->direct > 1 || (l->direct && (l->later || l->kind != KIND_PACKET || !l->vnet_hdr)))
                return false;
        if (l->kind == KIND_VETH && !l->later &&
            (l->vnet_hdr || l->queues != 1 || mac_is_zero(&l->mac)))
                return false;
        if (l->mtu > NETWORK_MTU_MAX || l->gone > 1 || l->later > 1)
                return false;
        if (l->queues < 1 || (l->queues > RAWNET_QUEUES_MAX && !l->later))
                return false;
        return refused_is_valid(l) && (l->mac.octet[0] & 1) == 0 &&
               is_zero(l->reserved, sizeof(l->reserved));
}

int ipc_lease_check(const IpcLease *lease) {
        return lease_is_valid(lease) ? 0 : -EBADMSG;
}

const char *ipc_lease_label(const IpcLease *lease, char buffer[static IPC_LEASE_LABEL_SIZE]) {
        const char *name = lease->lease_name;

        snprintf(buffer, IPC_LEASE_LABEL_SIZE, RAWNET_PORT_NAME_FORMAT "%s%s%s", lease->id,
                 name[0] ? " (" : "", name, name[0] ? ")" : "");
        return buffer;
}

bool ipc_lease_learns(const IpcLease *lease) {
        return mac_is_zero(&lease->mac) && !lease->gone && !lease->later;
}

/* Everything but the lease's id is zero. */
static bool lease_is_id_only(const IpcLease *l) {
        IpcLease id_only = {.id = l->id};

        return lease_id_is_valid(l->id) && memcmp(l, &id_only, sizeof(id_only)) == 0;
}

static bool errno_is_valid(int32_t kernel_errno, uint32_t error) {
        return kernel_errno >= 0 && kernel_errno <= ERRNO_MAX &&
               (kernel_errno == 0 || error == RAWNET_KERNEL_REFUSED);
}

static bool is_printable(const char *text, size_t size) {
        return is_padded(text, size) && text_is_printable_utf8(text, strlen(text));
}

static bool refusal_is_valid(const IpcReply *reply) {
        const char *text = reply->refusal.text;

        if (reply->refusal.error == RAWNET_OK || reply->refusal.error >= RAWNET_ERROR_COUNT)
                return false;
        return errno_is_valid(reply->refusal.kernel_errno, reply->refusal.error) &&
               text[0] != '\0' && is_printable(text, sizeof(reply->refusal.text));
}

int ipc_finding_check(const IpcFinding *f) {
        const bool refuses = f->severity == FINDING_ERROR || f->severity == FINDING_BUSY;

        if (f->severity < FINDING_ERROR || f->severity > FINDING_FACT || f->topic < FINDING_FILE ||
            f->topic > FINDING_LEASES || f->detail >= FINDING_DETAIL_COUNT ||
            !kinds_are_valid(f->kinds) || f->vlan > VLAN_ID_MAX || f->reserved != 0)
                return -EBADMSG;
        /* A warning may be about refused ports, a note may not. */
        if (f->error >= RAWNET_ERROR_COUNT || !errno_is_valid(f->kernel_errno, f->error) ||
            (f->severity != FINDING_WARNING && refuses != (f->error != RAWNET_OK)))
                return -EBADMSG;
        if ((f->text[0] == '\0' && f->severity != FINDING_FACT) ||
            !is_printable(f->text, sizeof(f->text)) || !is_printable(f->where, sizeof(f->where)))
                return -EBADMSG;
        return 0;
}

/* The body is zero from these bytes on. */
static bool is_zero_behind(const IpcReply *reply, size_t size) {
        return is_zero((const char *)&reply->finding + size, sizeof(reply->finding) - size);
}

static bool dropped_address_is_valid(const IpcDropped *dropped) {
        const AddressPrefix *a = &dropped->address;

        if (dropped->reason != DROP_FOREIGN_ADDRESS || a->family == 0)
                return is_zero(a, sizeof(*a));
        return address_is_single(a);
}

/* The part of a reply that its type says is there; what must be absent is the caller's to check. */
static bool body_is_valid(const IpcReply *reply, size_t n_fds) {
        switch (reply->type) {
        case IPC_OPENED:
                if (!lease_is_valid(&reply->lease) || reply->lease.later)
                        return false;
                return ipc_kind_has_fds(reply->lease.kind) ? n_fds >= 1 && n_fds <= RAWNET_FDS_MAX
                                                           : n_fds == 0;
        case IPC_LEASE:
                return lease_is_valid(&reply->lease);
        case IPC_STATISTICS:
                return is_zero_behind(reply, sizeof(reply->statistics));
        case IPC_DONE:
        case IPC_FEATURES:
                return (reply->features & ~FEATURES_KNOWN) == 0;
        case IPC_REFUSED:
                return refusal_is_valid(reply) && is_zero_behind(reply, sizeof(reply->refusal));
        case IPC_FINDING:
                return ipc_finding_check(&reply->finding) == 0;
        case IPC_ENDED:
                return lease_is_id_only(&reply->lease) && reply->reason >= IPC_END_LAST_FD &&
                       reply->reason <= IPC_END_NAMESPACE;
        case IPC_DROPPED:
                return lease_is_id_only(&reply->lease) && reply->dropped.reason < DROP_REASONS &&
                       dropped_address_is_valid(&reply->dropped) &&
                       is_zero_behind(reply, sizeof(reply->dropped));
        default:
                return false;
        }
}

int ipc_reply_check(const IpcReply *reply, size_t size, size_t n_fds) {
        uint32_t type;

        if (size != sizeof(*reply) || reply->version != IPC_VERSION)
                return -EBADMSG;
        type = reply->type;
        /* Sent unasked: with serial 0. Answers: with the request's. IPC_LEASE may be either. */
        if (type != IPC_LEASE &&
            (reply->serial == 0) !=
                    (type == IPC_ENDED || type == IPC_FEATURES || type == IPC_DROPPED))
                return -EBADMSG;
        if (n_fds > 0 && type != IPC_OPENED)
                return -EBADMSG;
        if (type != IPC_ENDED && reply->reason != 0)
                return -EBADMSG;
        if (type != IPC_DONE && type != IPC_FEATURES && reply->features != 0)
                return -EBADMSG;
        if (type != IPC_OPENED && type != IPC_LEASE && type != IPC_ENDED && type != IPC_DROPPED &&
            !is_zero(&reply->lease, sizeof(reply->lease)))
                return -EBADMSG;
        if (type != IPC_STATISTICS && type != IPC_REFUSED && type != IPC_FINDING &&
            type != IPC_DROPPED && !is_zero(&reply->finding, sizeof(reply->finding)))
                return -EBADMSG;
        return body_is_valid(reply, n_fds) ? 0 : -EBADMSG;
}

IpcReply ipc_reply(uint64_t serial, IpcReplyType type) {
        return (IpcReply){.version = IPC_VERSION, .type = type, .serial = serial};
}

IpcReply ipc_reply_refused(uint64_t serial, const Refusal *refusal) {
        IpcReply reply = ipc_reply(serial, IPC_REFUSED);

        reply.refusal.error = refusal->error;
        reply.refusal.kernel_errno = refusal->kernel_errno;
        memcpy(reply.refusal.text, refusal->text, strlen(refusal->text));
        return reply;
}

IpcFinding ipc_finding(FindingSeverity severity, FindingTopic topic, const char *where,
                       uint8_t kinds, const Refusal *refusal) {
        IpcFinding finding = {
                .severity = (uint8_t)severity, .topic = (uint8_t)topic, .kinds = kinds};

        memcpy(finding.where, where, strnlen(where, sizeof(finding.where) - 1));
        text_make_printable(finding.where);
        if (refusal) {
                finding.error = refusal->error;
                finding.kernel_errno = refusal->kernel_errno;
                memcpy(finding.text, refusal->text, strlen(refusal->text));
        }
        return finding;
}

const char *ipc_statistics_name(size_t i) {
        static const char *const names[IPC_STATISTICS_COUNT] = {
                "rx_packets",        "tx_packets",        "rx_bytes",         "tx_bytes",
                "rx_errors",         "tx_errors",         "rx_dropped",       "tx_dropped",
                "multicast",         "collisions",        "rx_length_errors", "rx_over_errors",
                "rx_crc_errors",     "rx_frame_errors",   "rx_fifo_errors",   "rx_missed_errors",
                "tx_aborted_errors", "tx_carrier_errors", "tx_fifo_errors",   "tx_heartbeat_errors",
                "tx_window_errors",  "rx_compressed",     "tx_compressed",    "rx_nohandler",
        };

        _Static_assert(offsetof(struct rtnl_link_stats64, rx_nohandler) ==
                               (IPC_STATISTICS_COUNT - 1) * sizeof(uint64_t),
                       "the list is the kernel's");
        return i < IPC_STATISTICS_COUNT ? names[i] : NULL;
}
