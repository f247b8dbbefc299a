/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <linux/if_ether.h>

#include "common/ipc.h"
#include "test.h"

static IpcRequest good_open(void) {
        return (IpcRequest){
                .version = IPC_VERSION,
                .operation = IPC_OPEN,
                .serial = 1,
                .open =
                        {
                                .network = "lab.100",
                                .lease_name = "vm 1~",
                                .uid = 1000,
                                .kind = KIND_TAP,
                                .queues = 1,
                                .mac_mode = IPC_MAC_GIVEN,
                                .mac = {{0x52, 0x54, 0, 1, 2, 3}},
                                .vnet_hdr = 1,
                                .parent = "eth0",
                                .vlan = 100,
                                .protocol = ETH_P_8021Q,
                                .mode = MODE_BRIDGE,
                        },
        };
}

static IpcLease good_lease(void) {
        return (IpcLease){
                .id = RAWNET_ID_MIN,
                .uid = 1000,
                .kind = KIND_PACKET,
                .direct = 1,
                .mtu = 1500,
                .vlan = 100,
                .vnet_hdr = 1,
                .queues = 2,
                .since = 1,
                .mac = {{0x52, 0x54, 0, 1, 2, 3}},
                .network = "lab.100",
                .parent = "eth0",
                .lease_name = "vm1",
        };
}

static int check_request(const IpcRequest *request) {
        return ipc_request_check(request, sizeof(*request), request->open.kind == KIND_VETH);
}

/* A good message r with one change, and what check() then returns. part: a variable for the change. */
#define after_change(good_message, check, part, expected, ...)                                     \
        do {                                                                                       \
                __typeof__(good_message) r = good_message;                                         \
                _unused_ part;                                                                     \
                assert_int_equal(check(&r), 0);                                                    \
                __VA_ARGS__;                                                                       \
                assert_int_equal(check(&r), expected);                                             \
        } while (0)

#define check_open(...) after_change(good_open(), check_request, IpcOpen *o = &r.open, __VA_ARGS__)
#define good(...) check_open(0, __VA_ARGS__)
#define bad(...) check_open(-EBADMSG, __VA_ARGS__)

static void test_request_head(_unused_ void **state) {
        IpcRequest request = good_open();

        for (size_t size = 0; size <= 2 * sizeof(request); size++)
                assert_int_equal(ipc_request_check(&request, size, 0),
                                 size == sizeof(request) ? 0 : -EBADMSG);
        bad(r.version++);
        bad(r.version = 0);
        bad(r.serial = 0);
        good(r.serial = UINT64_MAX);
        bad(r.operation = 0);
        bad(r.operation = IPC_CHECK + 1);
        bad(r.operation = UINT32_MAX);
        bad(r.lease = RAWNET_ID_MIN);
}

static void test_open_strings(_unused_ void **state) {
        good(put_text(o->network, sizeof(o->network), "lab"));
        bad(o->network[0] = '\0');
        bad(memset(o->network, 0, sizeof(o->network)));
        bad(memset(o->network, 'a', sizeof(o->network)));
        bad(o->network[sizeof(o->network) - 1] = 'x'); /* behind the end */
        bad(o->network[3] = '/');
        bad(o->network[3] = '\xff');
        bad(o->vlan = 101); /* not what the name says */
        bad(o->parent[0] = '\0');
        bad(memset(o->parent, 'e', sizeof(o->parent)));
        bad(o->parent[15] = 'x');
        bad(o->parent[1] = '/');
        bad(o->parent[1] = ' ');
        bad(o->lease_name[0] = '\n');
        bad(o->lease_name[0] = '\x80');
        bad(o->lease_name[0] = '\0'); /* and text behind it */
        bad(memset(o->lease_name, 'x', sizeof(o->lease_name)));
        good(memset(o->lease_name, 'x', RAWNET_LEASE_NAME_MAX));
        good(memset(o->lease_name, 0, sizeof(o->lease_name)));
        bad(o->lease_name[RAWNET_LEASE_NAME_MAX] = 'x');
}

/* Kind veth: as few words as it has meaning for. */
static void test_open_veth(_unused_ void **state) {
#define VETH                                                                                       \
        o->kind = KIND_VETH, o->vnet_hdr = 0, put_text(o->interface, sizeof(o->interface), "eth0")
        IpcRequest request = good_open();

        good(VETH);
        good(VETH, put_text(o->interface, sizeof(o->interface), "A-z_0.9"));
        bad(VETH, o->vnet_hdr = 1);
        good(VETH, o->up = 1);
        bad(VETH, o->up = 2);
        bad(o->up = 1); /* a tap */
        bad(VETH, o->queues = 2);
        bad(VETH, o->vhost = 1);
        bad(VETH, o->mac_mode = IPC_MAC_LEARN);
        bad(VETH, memset(o->interface, 0, sizeof(o->interface)));
        bad(VETH, memset(o->interface, 'x', sizeof(o->interface)));
        bad(VETH, o->interface[10] = 'x');
        bad(VETH, put_text(o->interface, sizeof(o->interface), "a/b"));
        bad(VETH, put_text(o->interface, sizeof(o->interface), ".."));
        bad(VETH, put_text(o->interface, sizeof(o->interface), "-x"));
        bad(VETH, put_text(o->interface, sizeof(o->interface), "eth%d"));
        bad(VETH, put_text(o->interface, sizeof(o->interface), "all"));
        bad(VETH, put_text(o->interface, sizeof(o->interface), "default"));
        bad(put_text(o->interface, sizeof(o->interface), "eth0")); /* a tap */
        /* The descriptor goes with this kind, and with nothing else. */
        for (size_t n_fds = 0; n_fds <= 2; n_fds++) {
                request = good_open();
                assert_int_equal(ipc_request_check(&request, sizeof(request), n_fds),
                                 n_fds == 0 ? 0 : -EBADMSG);
                request.open.kind = KIND_VETH;
                request.open.vnet_hdr = 0;
                put_text(request.open.interface, sizeof(request.open.interface), "eth0");
                assert_int_equal(ipc_request_check(&request, sizeof(request), n_fds),
                                 n_fds == 1 ? 0 : -EBADMSG);
        }
#undef VETH
}

static void test_open_numbers(_unused_ void **state) {
        bad(o->uid = UINT32_MAX);
        good(o->uid = 0);
        bad(o->kind = KIND_UNKNOWN);
        bad(o->kind = UINT32_MAX);
        bad(o->queues = 0);
        good(o->queues = 16);
        bad(o->queues = 17);
        bad(o->queues = UINT32_MAX);
        bad(o->queues = UINT32_C(0x80000000), o->vhost = 1); /* twice that is 0 */
        good(o->vhost = 1, o->queues = 8);
        bad(o->vhost = 1, o->queues = 9);
        bad(o->vhost = 2);
        bad(o->vhost = 1, o->kind = KIND_PACKET);
        bad(o->vnet_hdr = 2);
        good(o->vnet_hdr = 0);
        good(o->kind = KIND_PACKET, o->vnet_hdr = 0);
        bad(o->mode = 4);
        good(o->mode = MODE_EXCLUSIVE);
        bad(o->vlan = 4095);
        bad(o->vlan = 0);
        good(o->guest_servers = GUEST_SERVERS_ALL);
        bad(o->guest_servers = GUEST_SERVERS_ALL + 1);
        good(o->rate = 1000000);
        good(o->rate = UINT64_C(100000000000));
        bad(o->rate = 1);
        bad(o->rate = 999999);
        bad(o->rate = UINT64_C(100000000001));
        for (size_t i = 0; i < sizeof(good_open().open.reserved); i++)
                bad(o->reserved[i] = 1);
}

static void set_network(IpcOpen *o, const char *name, uint16_t vlan) {
        put_text(o->network, sizeof(o->network), name);
        o->vlan = vlan;
}

static void test_open_vlan(_unused_ void **state) {
        good(set_network(o, "lab", 0));
        good(set_network(o, "lab", 1));
        good(set_network(o, "lab", 4094));
        bad(set_network(o, "lab", 4095));
        bad(set_network(o, "lab", UINT16_MAX));
        good(set_network(o, "abcdefghijklmnopqrstuvwxyz012345.4094", 4094));
        bad(set_network(o, "lab.", 1));
        bad(set_network(o, "lab.01", 1));
        bad(set_network(o, "lab", 0), o->mode = MODE_EXCLUSIVE); /* would be the host's own NIC */
        good(o->protocol = ETH_P_8021AD);
        bad(set_network(o, "lab", 0), o->protocol = ETH_P_8021AD);
        bad(o->protocol = 0);
        bad(o->protocol = ETH_P_IP);
        good(memset(o->file_digest, 0xff, sizeof(o->file_digest)));
}

static void test_open_mac(_unused_ void **state) {
        MacAddress none = {0};

        bad(o->mac = none);
        bad(o->mac_mode = IPC_MAC_RANDOM);
        good(o->mac_mode = IPC_MAC_RANDOM, o->mac = none);
        good(o->mac_mode = IPC_MAC_LEARN);
        good(o->mac_mode = IPC_MAC_LEARN, o->mac = none);
        bad(o->mac_mode = IPC_MAC_LEARN, o->mac = none, o->kind = KIND_PACKET);
        bad(o->mac_mode = 0);
        bad(o->mac_mode = 0, o->mac = none);
        bad(o->mac_mode = IPC_MAC_DERIVED, o->mac = none);
        bad(o->mac_mode = IPC_MAC_RESERVED, o->mac = none);
        good(o->mac_mode = IPC_MAC_DERIVED);
        good(o->mac_mode = IPC_MAC_RESERVED);
        bad(o->mac_mode = IPC_MAC_RESERVED + 1);
}

static void test_other_requests(_unused_ void **state) {
        static const uint32_t by_lease[] = {IPC_CLOSE, IPC_STATISTICS_OF};

        for (size_t i = 0; i < 2; i++) {
                IpcRequest r = {.version = IPC_VERSION, .operation = by_lease[i], .serial = 9};

                assert_int_equal(check_request(&r), -EBADMSG);
                r.lease = RAWNET_ID_MIN;
                assert_int_equal(check_request(&r), 0);
                r.lease = RAWNET_ID_MAX;
                assert_int_equal(check_request(&r), 0);
                r.lease = RAWNET_ID_MIN - 1;
                assert_int_equal(check_request(&r), -EBADMSG);
                r.lease = RAWNET_ID_MAX + 1;
                assert_int_equal(check_request(&r), -EBADMSG);
                r.lease = UINT32_MAX;
                assert_int_equal(check_request(&r), -EBADMSG);
        }
        for (uint32_t operation = IPC_CLOSE; operation <= IPC_STATISTICS_OF; operation++) {
                IpcRequest r = {.version = IPC_VERSION, .operation = operation, .serial = 9};
                unsigned char *bytes = (unsigned char *)&r.open;

                r.lease = operation == IPC_LIST ? 0 : RAWNET_ID_MIN;
                assert_int_equal(check_request(&r), 0);
                /* Every byte that is not used is zero. */
                for (size_t i = 0; i < sizeof(r.open); i++) {
                        bytes[i] = 1;
                        assert_int_equal(check_request(&r), -EBADMSG);
                        bytes[i] = 0;
                }
                r.lease = operation == IPC_LIST ? RAWNET_ID_MIN : 0;
                assert_int_equal(check_request(&r), -EBADMSG);
        }
}

#undef good
#undef bad

static IpcRequest good_host(uint32_t operation) {
        IpcRequest r = {.version = IPC_VERSION, .operation = operation, .serial = 1};

        put_text(r.host.network, sizeof(r.host.network), "lab");
        if (operation == IPC_HOST_UP) {
                put_text(r.host.parent, sizeof(r.host.parent), "eth0");
                put_text(r.host.interface, sizeof(r.host.interface), "lab0");
                r.host.vlan = 100;
                r.host.protocol = ETH_P_8021Q;
                r.host.mac = (MacAddress){{0x52, 0x54, 0, 1, 2, 3}};
        }
        return r;
}

#define check_host(...)                                                                            \
        after_change(good_host(IPC_HOST_UP), check_request, IpcHost *h = &r.host, __VA_ARGS__)
#define good(...) check_host(0, __VA_ARGS__)
#define bad(...) check_host(-EBADMSG, __VA_ARGS__)

static void test_host_up(_unused_ void **state) {
        static const MacAddress none = {0};

        bad(r.serial = 0);
        bad(r.lease = RAWNET_ID_MIN);
        bad(h->network[0] = '\0');
        bad(memset(h->network, 'a', sizeof(h->network)));
        good(memset(h->network, 'a', sizeof(h->network) - 1));
        bad(h->network[sizeof(h->network) - 1] = 'x');
        bad(h->network[1] = '/');
        bad(put_text(h->network, sizeof(h->network), "lab.100"));
        bad(h->reserved = 1);
        bad(h->parent[0] = '\0');
        bad(memset(h->parent, 'e', sizeof(h->parent)));
        bad(h->parent[15] = 'x');
        bad(h->interface[0] = '\0');
        bad(h->interface[1] = '/');
        bad(memset(h->interface, 'e', sizeof(h->interface)));
        bad(h->interface[15] = 'x');
        bad(h->mac = none);
        bad(h->mac.octet[0] = 0x53); /* a group's */
        good(h->vlan = 0);
        good(h->vlan = 4094);
        bad(h->vlan = 4095);
        good(h->protocol = ETH_P_8021AD);
        bad(h->protocol = ETH_P_8021AD, h->vlan = 0);
        bad(h->protocol = 0);
        good(memset(h->file_digest, 0xff, sizeof(h->file_digest)));
        /* Every byte of the other, larger request is zero. */
        for (size_t i = sizeof(IpcHost); i < sizeof(IpcOpen); i++)
                bad(((unsigned char *)&r.open)[i] = 1);
}

#undef good
#undef bad

static void test_bare_requests(_unused_ void **state) {
        static const uint32_t bare[] = {IPC_LIST, IPC_HOST_SWEEP};

        for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
                IpcRequest r = {.version = IPC_VERSION, .operation = bare[i], .serial = 1};

                assert_int_equal(check_request(&r), 0);
                for (size_t n = 0; n < sizeof(IpcOpen); n++) {
                        ((unsigned char *)&r.open)[n] = 1;
                        assert_int_equal(check_request(&r), -EBADMSG);
                        ((unsigned char *)&r.open)[n] = 0;
                }
                r.lease = RAWNET_ID_MIN;
                assert_int_equal(check_request(&r), -EBADMSG);
        }
}

static void test_host_down(_unused_ void **state) {
        IpcRequest down = good_host(IPC_HOST_DOWN);

        assert_int_equal(check_request(&down), 0);
        for (size_t i = 0; i < sizeof(IpcOpen); i++) {
                if (i >= sizeof(down.host.network)) {
                        ((unsigned char *)&down.open)[i] = 1;
                        assert_int_equal(check_request(&down), -EBADMSG);
                        ((unsigned char *)&down.open)[i] = 0;
                }
        }
        down.lease = RAWNET_ID_MIN;
        assert_int_equal(check_request(&down), -EBADMSG);
        down = good_host(IPC_HOST_DOWN);
        put_text(down.host.network, sizeof(down.host.network), "lab.1");
        assert_int_equal(check_request(&down), -EBADMSG);
}

static IpcRequest good_check(void) {
        IpcRequest r = {.version = IPC_VERSION, .operation = IPC_CHECK, .serial = 1};

        put_text(r.check.network, sizeof(r.check.network), "lab.100");
        r.check.kinds = KIND_BIT(KIND_TAP);
        return r;
}

#define check_check(...)                                                                           \
        after_change(good_check(), check_request, IpcCheck *c = &r.check, __VA_ARGS__)
#define good(...) check_check(0, __VA_ARGS__)
#define bad(...) check_check(-EBADMSG, __VA_ARGS__)

static void test_check(_unused_ void **state) {
        good(put_text(c->network, sizeof(c->network), "lab"));
        bad(c->network[0] = '\0');
        bad(c->network[3] = '/');
        bad(put_text(c->network, sizeof(c->network), "lab.0"));
        bad(c->network[sizeof(c->network) - 1] = 'x');
        bad(memset(c->network, 'a', sizeof(c->network)));
        good(c->kinds = KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET));
        bad(c->kinds = 0);
        bad(c->kinds = KIND_BIT(KIND_UNKNOWN));
        bad(c->reserved = 1);
        bad(r.lease = RAWNET_ID_MIN);
        for (size_t i = sizeof(IpcCheck); i < sizeof(IpcOpen); i++)
                bad(((unsigned char *)&r.open)[i] = 1);
}

#undef good
#undef bad

static IpcFinding good_finding(void) {
        IpcFinding f = {.error = RAWNET_KERNEL_REFUSED,
                        .kernel_errno = EPERM,
                        .severity = FINDING_ERROR,
                        .topic = FINDING_PARENT,
                        .kinds = KIND_BIT(KIND_TAP)};

        put_text(f.where, sizeof(f.where), "eth0");
        put_text(f.text, sizeof(f.text), "network lab: Büro");
        return f;
}

static bool is_pushed(uint32_t type) {
        return type == IPC_ENDED || type == IPC_FEATURES || type == IPC_DROPPED;
}

static IpcReply good_reply(uint32_t type) {
        IpcReply reply = {.version = IPC_VERSION, .type = type, .serial = is_pushed(type) ? 0 : 5};

        switch (type) {
        case IPC_OPENED:
        case IPC_LEASE:
                reply.lease = good_lease();
                break;
        case IPC_STATISTICS:
                for (size_t i = 0; i < IPC_STATISTICS_COUNT; i++)
                        reply.statistics.link[i] = UINT64_MAX - i;
                for (size_t i = 0; i < DROP_REASONS; i++)
                        reply.statistics.drops[i] = i;
                break;
        case IPC_DONE:
        case IPC_FEATURES:
                reply.features = IPC_FEATURE_VLAN | IPC_FEATURE_USER_NAMESPACE;
                break;
        case IPC_REFUSED:
                reply.refusal.error = RAWNET_KERNEL_REFUSED;
                reply.refusal.kernel_errno = EPERM;
                put_text(reply.refusal.text, sizeof(reply.refusal.text), "network lab: Büro");
                break;
        case IPC_FINDING:
                reply.finding = good_finding();
                break;
        case IPC_ENDED:
                reply.lease.id = RAWNET_ID_MAX;
                reply.reason = IPC_END_CLOSED;
                break;
        case IPC_DROPPED:
                reply.lease.id = RAWNET_ID_MAX;
                reply.dropped.reason = DROP_SERVER;
                break;
        }
        return reply;
}

static int check_reply(const IpcReply *reply) {
        return ipc_reply_check(reply, sizeof(*reply), reply->type == IPC_OPENED ? 1 : 0);
}

#define check_reply_of(wanted, ...)                                                                \
        after_change(good_reply(wanted), check_reply, IpcLease *l = &r.lease, __VA_ARGS__)
#define good(type, ...) check_reply_of(type, 0, __VA_ARGS__)
#define bad(type, ...) check_reply_of(type, -EBADMSG, __VA_ARGS__)

static void test_reply_head(_unused_ void **state) {
        for (uint32_t type = IPC_OPENED; type <= IPC_DROPPED; type++) {
                IpcReply reply = good_reply(type);

                for (size_t n = 0; n <= RAWNET_FDS_MAX + 2; n++) {
                        bool right = type == IPC_OPENED ? n >= 1 && n <= RAWNET_FDS_MAX : n == 0;

                        assert_int_equal(ipc_reply_check(&reply, sizeof(reply), n),
                                         right ? 0 : -EBADMSG);
                }
                assert_int_equal(ipc_reply_check(&reply, sizeof(reply), SIZE_MAX), -EBADMSG);
                for (size_t size = 0; size < sizeof(reply); size++)
                        assert_int_equal(ipc_reply_check(&reply, size, type == IPC_OPENED),
                                         -EBADMSG);
                assert_int_equal(ipc_reply_check(&reply, sizeof(reply) + 1, type == IPC_OPENED),
                                 -EBADMSG);
                bad(type, r.version++);
                if (type != IPC_ENDED)
                        bad(type, r.reason = 1);
                if (type != IPC_DONE && type != IPC_FEATURES)
                        bad(type, r.features = 1);
                if (type == IPC_LEASE)
                        good(type, r.serial = 0);
                else
                        bad(type, r.serial = r.serial == 0);
        }
        bad(IPC_DONE, r.type = 0);
        bad(IPC_DONE, r.type = IPC_DROPPED + 1);
        bad(IPC_DONE, r.type = UINT32_MAX);
        good(IPC_DONE, r.features = 63);
        bad(IPC_DONE, r.features = 64);
}

/* Byte by byte: what a type does not use must be zero. */
static void test_reply_unused(_unused_ void **state) {
        for (uint32_t type = IPC_OPENED; type <= IPC_DROPPED; type++) {
                IpcReply reply = good_reply(type);
                unsigned char *bytes = (unsigned char *)&reply;
                size_t lease = offsetof(IpcReply, lease), body = offsetof(IpcReply, refusal);
                bool has_lease = type == IPC_OPENED || type == IPC_LEASE;

                for (size_t i = lease; i < sizeof(reply); i++) {
                        bool used = i < body ? has_lease
                                             : type == IPC_STATISTICS || type == IPC_REFUSED ||
                                                       type == IPC_FINDING;

                        if (type == IPC_STATISTICS && i >= body + sizeof(reply.statistics))
                                used = false;
                        if (type == IPC_REFUSED && i >= body + sizeof(reply.refusal))
                                used = false;
                        if (type == IPC_DROPPED && i >= body)
                                used = i < body + offsetof(IpcDropped, address);
                        if (used || ((type == IPC_ENDED || type == IPC_DROPPED) &&
                                     i < lease + sizeof(reply.lease.id)))
                                continue;
                        assert_int_equal(bytes[i], 0);
                        bytes[i] = 1;
                        assert_int_equal(check_reply(&reply), -EBADMSG);
                        bytes[i] = 0;
                }
        }
}

static void test_reply_lease(_unused_ void **state) {
        for (uint32_t type = IPC_OPENED; type <= IPC_LEASE; type++) {
                good(type, l->id = RAWNET_ID_MAX);
                bad(type, l->id = RAWNET_ID_MIN - 1);
                bad(type, l->id = RAWNET_ID_MAX + 1);
                bad(type, l->uid = UINT32_MAX);
                bad(type, l->kind = 2);
                bad(type, l->kind = KIND_TAP); /* direct */
                bad(type, l->direct = 2);
                bad(type, l->vnet_hdr = 2);
                bad(type, l->vnet_hdr = 0); /* direct */
                good(type, l->vnet_hdr = 0, l->direct = 0);
                good(type, l->kind = KIND_TAP, l->direct = 0);
                good(type, l->mtu = 65535);
                bad(type, l->mtu = 65536);
                bad(type, l->vlan = 4095);
                bad(type, l->vlan = 0);
                good(type, l->gone = 1);
                bad(type, l->gone = 2);
                bad(type, l->mac.octet[0] |= 1);
                good(type, memset(&l->mac, 0, sizeof(l->mac)));
                bad(type, l->network[0] = '\0');
                bad(type, l->network[37] = 'x');
                bad(type, l->parent[0] = '\0');
                bad(type, l->parent[15] = 'x');
                bad(type, l->lease_name[64] = 'x');
                bad(type, l->lease_name[0] = '\t');
                bad(type, l->queues = 0);
                good(type, l->queues = 16);
                bad(type, l->queues = 17);
                bad(type, l->refused_why = LEARN_REFUSED_PREFIX); /* it has an address */
                bad(type, l->refused_mac.octet[0] = 2);
                bad(type, memset(&l->mac, 0, 6), l->refused_why = LEARN_REFUSED_PREFIX);
                bad(type, memset(&l->mac, 0, 6), l->refused_mac.octet[0] = 2);
                for (uint8_t why = 0; why < LEARN_REFUSED_FAILED + 3; why++)
                        check_reply_of(type,
                                       why >= LEARN_REFUSED_PREFIX && why <= LEARN_REFUSED_FAILED
                                               ? 0
                                               : -EBADMSG,
                                       memset(&l->mac, 0, 6), l->refused_mac.octet[0] = 2,
                                       l->refused_why = why);
                bad(type, memset(&l->mac, 0, 6), l->refused_mac.octet[0] = 1,
                    l->refused_why = LEARN_REFUSED_PREFIX);
                for (size_t i = 0; i < sizeof(good_lease().reserved); i++)
                        bad(type, l->reserved[i] = 1);
        }
}

/* Of a lease that a later version opened some things are not known. Nobody has opened one just now.
 */
static void test_reply_later(_unused_ void **state) {
        bad(IPC_OPENED, l->later = 1);
        bad(IPC_LEASE, l->later = 1); /* direct */
        good(IPC_LEASE, l->later = 1, l->direct = 0);
        bad(IPC_LEASE, l->later = 2);
        good(IPC_LEASE, l->later = 1, l->kind = KIND_UNKNOWN, l->direct = 0);
        good(IPC_LEASE, l->later = 1, l->kind = KIND_UNKNOWN, l->direct = 0, l->vnet_hdr = 0,
             l->mtu = 0, l->since = 0);
        bad(IPC_LEASE, l->later = 1, l->kind = KIND_UNKNOWN + 1, l->direct = 0);
        bad(IPC_LEASE, l->later = 1, l->kind = KIND_UNKNOWN);
        bad(IPC_LEASE, l->later = 1, l->direct = 0, l->network[0] = '\0');
        good(IPC_LEASE, l->later = 1, l->direct = 0, l->queues = 255);
        bad(IPC_LEASE, l->later = 1, l->queues = 0);
}

static void test_learns(_unused_ void **state) {
        IpcLease lease = {.mac = {{0x52, 0x54, 0, 0, 0, 1}}};

        assert_false(ipc_lease_learns(&lease));
        lease.mac = (MacAddress){{0}};
        assert_true(ipc_lease_learns(&lease));
        lease.gone = 1;
        assert_false(ipc_lease_learns(&lease));
        lease.gone = 0;
        lease.later = 1;
        assert_false(ipc_lease_learns(&lease));
}

static void test_reply_refusal(_unused_ void **state) {
        bad(IPC_REFUSED, r.refusal.error = 0);
        bad(IPC_REFUSED, r.refusal.error = RAWNET_ERROR_COUNT);
        bad(IPC_REFUSED, r.refusal.error = UINT32_MAX);
        bad(IPC_REFUSED, r.refusal.error = RAWNET_NETWORK_BUSY); /* with an errno */
        good(IPC_REFUSED, r.refusal.error = RAWNET_NETWORK_BUSY, r.refusal.kernel_errno = 0);
        good(IPC_REFUSED, r.refusal.kernel_errno = 4095);
        bad(IPC_REFUSED, r.refusal.kernel_errno = 4096);
        bad(IPC_REFUSED, r.refusal.kernel_errno = -1);
        bad(IPC_REFUSED, memset(r.refusal.text, 0, sizeof(r.refusal.text)));
        bad(IPC_REFUSED, r.refusal.text[3] = '\n');
        bad(IPC_REFUSED, r.refusal.text[3] = '\xff');
        bad(IPC_REFUSED, r.refusal.text[REFUSAL_TEXT_MAX - 1] = 'x');
        bad(IPC_REFUSED, memset(r.refusal.text, 'x', REFUSAL_TEXT_MAX));
        good(IPC_REFUSED, memset(r.refusal.text, 'x', REFUSAL_TEXT_MAX - 1));
}

static void test_reply_finding(_unused_ void **state) {
        for (unsigned severity = FINDING_ERROR; severity <= FINDING_FACT; severity++) {
                const bool refuses = severity == FINDING_ERROR || severity == FINDING_BUSY,
                           either = severity == FINDING_WARNING;
                IpcFinding f = good_finding();

                f.severity = (uint8_t)severity;
                assert_int_equal(ipc_finding_check(&f), refuses || either ? 0 : -EBADMSG);
                f.error = RAWNET_OK;
                assert_int_equal(ipc_finding_check(&f), -EBADMSG); /* and an errno */
                f.kernel_errno = 0;
                assert_int_equal(ipc_finding_check(&f), refuses ? -EBADMSG : 0);
                memset(f.text, 0, sizeof(f.text));
                assert_int_equal(ipc_finding_check(&f), severity == FINDING_FACT ? 0 : -EBADMSG);
        }
        bad(IPC_FINDING, r.finding.severity = 0);
        bad(IPC_FINDING, r.finding.severity = FINDING_FACT + 1);
        bad(IPC_FINDING, r.finding.topic = 0);
        good(IPC_FINDING, r.finding.topic = FINDING_LEASES);
        bad(IPC_FINDING, r.finding.topic = FINDING_LEASES + 1);
        good(IPC_FINDING, r.finding.detail = FINDING_HOST_OTHER);
        bad(IPC_FINDING, r.finding.detail = FINDING_DETAIL_COUNT);
        bad(IPC_FINDING, r.finding.kinds = 0);
        bad(IPC_FINDING, r.finding.kinds = KIND_BIT(KIND_UNKNOWN));
        good(IPC_FINDING, r.finding.vlan = 4094);
        bad(IPC_FINDING, r.finding.vlan = 4095);
        bad(IPC_FINDING, r.finding.reserved = 1);
        bad(IPC_FINDING, r.finding.error = RAWNET_ERROR_COUNT);
        bad(IPC_FINDING, r.finding.error = RAWNET_NETWORK_BUSY); /* and an errno */
        bad(IPC_FINDING, r.finding.kernel_errno = -1);
        bad(IPC_FINDING, r.finding.kernel_errno = 4096);
        good(IPC_FINDING, memset(r.finding.where, 0, sizeof(r.finding.where)));
        bad(IPC_FINDING, r.finding.where[1] = '\x1b');
        bad(IPC_FINDING, r.finding.where[IPC_WHERE_MAX - 1] = 'x');
        bad(IPC_FINDING, r.finding.text[3] = '\n');
        bad(IPC_FINDING, r.finding.text[3] = '\xff');
        bad(IPC_FINDING, r.finding.text[REFUSAL_TEXT_MAX - 1] = 'x');
}

/* Whatever refuse() makes can be sent. */
static void test_refusal_travels(_unused_ void **state) {
        char text[3000];

        memset(text, 0xe2, sizeof(text));
        for (size_t n = 1; n < sizeof(text); n += 37) {
                IpcReply reply = {.version = IPC_VERSION, .type = IPC_REFUSED, .serial = 1};
                Refusal refusal;

                text[n] = '\0';
                refuse_errno(&refusal, EPERM, "network lab: %s", text);
                text[n] = (char)0xe2;
                reply.refusal.error = refusal.error;
                reply.refusal.kernel_errno = refusal.kernel_errno;
                memcpy(reply.refusal.text, refusal.text, sizeof(refusal.text));
                assert_int_equal(check_reply(&reply), 0);
        }
}

static void test_reply_ended(_unused_ void **state) {
        bad(IPC_ENDED, r.reason = 0);
        good(IPC_ENDED, r.reason = IPC_END_LAST_FD);
        good(IPC_ENDED, r.reason = IPC_END_NAMESPACE);
        bad(IPC_ENDED, r.reason = IPC_END_NAMESPACE + 1);
        bad(IPC_ENDED, l->id = 0);
        bad(IPC_ENDED, l->id = RAWNET_ID_MAX + 1);
}

static void test_reply_dropped(_unused_ void **state) {
        for (uint32_t reason = 0; reason < DROP_REASONS; reason++)
                good(IPC_DROPPED, r.dropped.reason = reason);
        bad(IPC_DROPPED, r.dropped.reason = DROP_REASONS);
        bad(IPC_DROPPED, r.dropped.reason = UINT32_MAX);
        good(IPC_DROPPED, memset(&r.dropped.source, 0xff, 6));
        bad(IPC_DROPPED, l->id = 0);
        bad(IPC_DROPPED, l->id = RAWNET_ID_MAX + 1);
        bad(IPC_DROPPED, l->uid = 1);
}

static void test_statistics_names(_unused_ void **state) {
        assert_string_equal(ipc_statistics_name(0), "rx_packets");
        assert_string_equal(ipc_statistics_name(3), "tx_bytes");
        assert_string_equal(ipc_statistics_name(7), "tx_dropped");
        assert_string_equal(ipc_statistics_name(23), "rx_nohandler");
        assert_null(ipc_statistics_name(24));
        assert_null(ipc_statistics_name(SIZE_MAX));
        for (size_t i = 0; i < IPC_STATISTICS_COUNT; i++)
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(ipc_statistics_name(i), ipc_statistics_name(k));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request_head),
                cmocka_unit_test(test_open_strings),
                cmocka_unit_test(test_open_veth),
                cmocka_unit_test(test_open_numbers),
                cmocka_unit_test(test_open_vlan),
                cmocka_unit_test(test_open_mac),
                cmocka_unit_test(test_other_requests),
                cmocka_unit_test(test_reply_head),
                cmocka_unit_test(test_reply_unused),
                cmocka_unit_test(test_reply_lease),
                cmocka_unit_test(test_reply_later),
                cmocka_unit_test(test_learns),
                cmocka_unit_test(test_reply_refusal),
                cmocka_unit_test(test_refusal_travels),
                cmocka_unit_test(test_reply_ended),
                cmocka_unit_test(test_reply_dropped),
                cmocka_unit_test(test_statistics_names),
                cmocka_unit_test(test_host_up),
                cmocka_unit_test(test_bare_requests),
                cmocka_unit_test(test_host_down),
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_reply_finding),
        };

        return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
