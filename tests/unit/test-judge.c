/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a check finds: all reasons, each once, with the words of an open; and it sends the host
 * nothing that changes anything. The kernel, the file and the rehearsed port are played.
 */

#include "helper/worker/check/judge.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>

#include "fault.h"
#include "find-link.h"
#include "helper/worker/host/host-interface.h"
#include "helper/worker/host/parent.h"
#include "helper/worker/check/rehearse.h"
#include "test.h"

#define PARENT 2u
#define LINKS_MAX 24u

static struct {
        Network file;
        int file_refused;
        LinkInfo links[LINKS_MAX]; /* of the host; the first is the parent */
        size_t n_links;
        LinkInfo uplink; /* of the lease RAWNET_ID_MIN */
        FindingDetail interface;
        const char *bridge, *upper; /* what is in the way, NULL: nothing */
        const char *no_port[2];     /* of each kind */
        bool no_namespace;
        uint32_t features;
        const char *no_guard; /* of shared VLAN interfaces */
        unsigned n_rehearsed, n_guards;
} host;

int __wrap_network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal);
int __wrap_network_file_load_wait(const char *name, Network *ret, Refusal *ret_refusal) {
        assert_string_equal(name, "lab");
        *ret = host.file;
        return host.file_refused
                       ? refuse(ret_refusal, host.file_refused, "%s:3: no good", host.file.path)
                       : 0;
}

int __wrap_link_get(_unused_ Netlink *netlink, int32_t nsid, const char *name, LinkInfo *ret,
                    Refusal *ret_refusal) {
        if (fault_due("link_get", ENOBUFS))
                return -ENOBUFS;
        if (nsid == (int32_t)RAWNET_ID_MIN && strcmp(name, host.uplink.name) == 0) {
                *ret = host.uplink;
                return 0;
        }
        for (size_t i = 0; nsid == LINK_HERE && i < host.n_links; i++)
                if (strcmp(host.links[i].name, name) == 0) {
                        *ret = host.links[i];
                        return 0;
                }
        return refuse_errno(ret_refusal, ENODEV, "interface %s", name);
}

int __wrap_link_dump(Netlink *netlink, const char *kind, LinkEach each, void *data,
                     Refusal *ret_refusal);
int __wrap_link_dump(_unused_ Netlink *netlink, const char *kind, LinkEach each, void *data,
                     _unused_ Refusal *ret_refusal) {
        int r = 0;

        if (fault_due("link_dump", ENOBUFS))
                return -ENOBUFS;
        for (size_t i = 0; r == 0 && i < host.n_links; i++)
                if (strcmp(host.links[i].kind, kind) == 0)
                        r = each(&host.links[i], data);
        return r;
}

/* What a check never does. */
#define NEVER(function, ...)                                                                       \
        int __wrap_##function(__VA_ARGS__);                                                        \
        int __wrap_##function(__VA_ARGS__) {                                                       \
                fail_msg("a check calls " #function);                                              \
                return -EPERM;                                                                     \
        }
NEVER(link_add_vlan, Netlink *netlink, const LinkPlan *plan, uint16_t vlan, uint16_t protocol,
      Refusal *ret_refusal)
NEVER(link_add_macvlan, Netlink *netlink, const LinkPlan *plan, uint32_t mode, Refusal *ret_refusal)
NEVER(link_change, Netlink *netlink, uint32_t index, const LinkChange *change, Refusal *ret_refusal)
NEVER(link_delete, Netlink *netlink, int32_t nsid, const LinkInfo *link, Refusal *ret_refusal)

int __wrap_obstacle_bridge(Netlink *netlink, const LinkInfo *bridge, uint16_t first, uint16_t last,
                           uint16_t protocol, Refusal *ret_refusal);
int __wrap_obstacle_bridge(_unused_ Netlink *netlink, _unused_ const LinkInfo *bridge,
                           _unused_ uint16_t first, _unused_ uint16_t last,
                           _unused_ uint16_t protocol, Refusal *ret_refusal) {
        return host.bridge ? refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "%s", host.bridge) : 0;
}

int __wrap_obstacle_upper(Netlink *netlink, uint32_t index, Refusal *ret_refusal);
int __wrap_obstacle_upper(_unused_ Netlink *netlink, _unused_ uint32_t index,
                          Refusal *ret_refusal) {
        return host.upper ? refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "%s", host.upper) : 0;
}

int __wrap_host_interface_look(Netlink *netlink, const Network *network, FindingDetail *ret,
                               Refusal *ret_refusal);
int __wrap_host_interface_look(_unused_ Netlink *netlink, _unused_ const Network *network,
                               FindingDetail *ret, _unused_ Refusal *ret_refusal) {
        *ret = host.interface;
        return fault_due("host_interface_look", ENOBUFS) ? -ENOBUFS : 0;
}

int __wrap_rehearse_port(const JobContext *job, LeasePlan *plan, bool *ret_entered,
                         Refusal *ret_refusal);
int __wrap_rehearse_port(_unused_ const JobContext *job, LeasePlan *plan, bool *ret_entered,
                         Refusal *ret_refusal) {
        const char *no = host.no_port[plan->lease.kind];

        host.n_rehearsed++;
        *ret_entered = !host.no_namespace;
        return no ? refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "%s", no) : 0;
}

int __wrap_rehearse_vlan_guard(const JobContext *job, Refusal *ret_refusal);
int __wrap_rehearse_vlan_guard(_unused_ const JobContext *job, Refusal *ret_refusal) {
        host.n_guards++;
        return host.no_guard ? refuse(ret_refusal, RAWNET_NOT_SUPPORTED, "%s", host.no_guard) : 0;
}

void __wrap_limit_judge(const Privilege *privilege, size_t n_leases, Findings *findings);
void __wrap_limit_judge(_unused_ const Privilege *privilege, _unused_ size_t n_leases,
                        _unused_ Findings *findings) {
}

static Registry registry;
static Findings found;

static LinkInfo *add_link(const char *name, const char *kind) {
        LinkInfo *link = &host.links[host.n_links++];

        assert_true(host.n_links <= LINKS_MAX);
        *link = (LinkInfo){.index = PARENT + (uint32_t)host.n_links - 1,
                           .mtu = 1500,
                           .hardware = ARPHRD_ETHER,
                           .flags = IFF_UP | IFF_RUNNING};
        put_text(link->name, sizeof(link->name), name);
        put_text(link->kind, sizeof(link->kind), kind);
        return link;
}

static LinkInfo *add_vlan(const char *name, uint16_t vlan, bool ours) {
        LinkInfo *link = add_link(name, "vlan");

        link->lower = PARENT;
        link->vlan = vlan;
        link->vlan_protocol = ETH_P_8021Q;
        link->group = ours ? RAWNET_VLAN_GROUP : 0;
        return link;
}

static int setup(_unused_ void **state) {
        memset(&host, 0, sizeof(host));
        host.features = IPC_FEATURE_VLAN | IPC_FEATURE_EGRESS | IPC_FEATURE_USER_NAMESPACE;
        registry = (Registry){};
        host.file = (Network){.protocol = ETH_P_8021Q,
                              .kinds = KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET),
                              .anti_spoof = true,
                              .mac_prefixes = {{{{0x52, 0x54, 0x00}, 3}}, 1},
                              .max_leases = 2,
                              .max_leases_per_user = 2};
        put_text(host.file.name, sizeof(host.file.name), "lab");
        put_text(host.file.path, sizeof(host.file.path), "/etc/rawnet/networks/lab.conf");
        put_text(host.file.parent, sizeof(host.file.parent), "wired0");
        add_link("wired0", "");
        return 0;
}

static void set_vlans(uint16_t first, uint16_t last) {
        host.file.vlan_first = first;
        host.file.vlan_last = last;
}

static int judge(const char *network) {
        const JobContext job = {.registry = &registry};
        IpcCheck request = {.kinds = KIND_BIT(KIND_TAP) | KIND_BIT(KIND_PACKET)};
        Refusal refusal = {};
        int r;

        put_text(request.network, sizeof(request.network), network);
        memset(&found, 0xaa, sizeof(found));
        r = judge_network(&job, host.features, &request, &found, &refusal);
        assert_int_equal(r, r > 0 ? (int)refusal.error : r);
        for (size_t i = 0; r == 0 && i < found.n; i++)
                assert_int_equal(ipc_finding_check(&found.list[i]), 0);
        return r;
}

/* The only finding of that severity, which is about this. */
static const IpcFinding *only(FindingSeverity severity, FindingTopic topic, const char *where,
                              const char *word) {
        const IpcFinding *f = NULL;

        for (size_t i = 0; i < found.n; i++)
                if (found.list[i].severity == severity) {
                        assert_null(f);
                        f = &found.list[i];
                }
        assert_non_null(f);
        assert_int_equal(f->topic, topic);
        assert_string_equal(f->where, where);
        if (!strstr(f->text, word))
                fail_msg("%s is not in: %s", word, f->text);
        return f;
}

static size_t count(FindingSeverity severity) {
        size_t n = 0;

        for (size_t i = 0; i < found.n; i++)
                n += found.list[i].severity == severity;
        return n;
}

static void test_good(_unused_ void **state) {
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 0);
        assert_int_equal(host.n_rehearsed, 2);
}

static void test_file(_unused_ void **state) {
        host.file_refused = RAWNET_BAD_NETWORK_FILE;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        assert_string_equal(only(FINDING_ERROR, FINDING_FILE, host.file.path, ".conf:3: ")->text,
                            "/etc/rawnet/networks/lab.conf:3: no good");
        host.file_refused = RAWNET_NO_SUCH_NETWORK;
        assert_int_equal(judge("lab"), RAWNET_NO_SUCH_NETWORK);
        host.file_refused = RAWNET_NETWORK_BUSY;
        assert_int_equal(judge("lab"), RAWNET_NETWORK_BUSY);
        assert_int_equal(judge("la b"), RAWNET_INVALID_ARGS);
        host.file_refused = 0;
        assert_int_equal(judge("lab.7"), RAWNET_NO_SUCH_NETWORK);
        set_vlans(100, 109);
        assert_int_equal(judge("lab.110"), RAWNET_NO_SUCH_NETWORK);
        assert_int_equal(judge("lab.109"), 0);
}

/* All reasons at once; an open would name the first. */
static void test_parent(_unused_ void **state) {
        LinkInfo *wired0 = &host.links[0];

        wired0->flags = 0;
        wired0->hardware = ARPHRD_PPP;
        wired0->master = 9;
        host.file.mtu = 9000;
        host.upper = "wired0 carries own0";
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(count(FINDING_ERROR), 5);
        assert_int_equal(found.n, 5);
        for (size_t i = 0; i < found.n; i++) {
                assert_string_equal(found.list[i].where, "wired0");
                assert_int_equal(found.list[i].kinds, 3);
                assert_int_equal(strncmp(found.list[i].text, "network lab: ", 13), 0);
        }
        setup(NULL);
        host.links[0].flags = IFF_UP;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        only(FINDING_WARNING, FINDING_PARENT, "wired0", "no carrier");
        host.n_links = 0;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(
                only(FINDING_ERROR, FINDING_PARENT, "wired0", "no interface wired0")->error,
                RAWNET_PARENT_MISSING);
}

static void test_ports(_unused_ void **state) {
        const IpcFinding *f;

        host.no_port[KIND_PACKET] = "no hook";
        assert_int_equal(judge("lab"), 0);
        f = only(FINDING_ERROR, FINDING_PORT, "", "network lab: no hook");
        assert_int_equal(f->kinds, KIND_BIT(KIND_PACKET));
        /* The same for both: once. */
        host.no_port[KIND_TAP] = "no hook";
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(only(FINDING_ERROR, FINDING_PORT, "", "no hook")->kinds, 3);
        /* What is not offered is not rehearsed. */
        host.file.kinds = KIND_BIT(KIND_TAP);
        host.no_port[KIND_TAP] = NULL;
        host.n_rehearsed = 0;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 0);
        assert_int_equal(host.n_rehearsed, 1);
}

/* It is not said that the kernel lacks something. */
static void test_no_namespace(_unused_ void **state) {
        set_vlans(100, 100);
        host.no_port[KIND_TAP] = host.no_port[KIND_PACKET] = "no namespace";
        host.no_namespace = true;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 2);
        only(FINDING_ERROR, FINDING_PORT, "", "no namespace");
        only(FINDING_NOTE, FINDING_PORT, "", "802.1Q and the nftables egress hook is unknown");
}

/* Ports open with an address that is given, and not without. */
static void test_no_address_to_choose(_unused_ void **state) {
        host.file.mac_prefixes = (MacPrefixes){{{{0x00, 0x0c, 0x29}, 3}}, 1};
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        only(FINDING_WARNING, FINDING_FILE, host.file.path, "MACPrefix=");
        assert_int_equal(host.n_rehearsed, 2);
}

static void test_notes(_unused_ void **state) {
        host.file.anti_spoof = false;
        host.links[0].mtu = 65535;
        put_text(host.links[0].kind, sizeof(host.links[0].kind), "ifb");
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 3);
        assert_int_equal(count(FINDING_NOTE), 3);
        for (size_t i = 0; i < found.n; i++)
                assert_int_equal(strncmp(found.list[i].text, "network lab: ", 13), 0);
}

static void test_vlan_of_the_host(_unused_ void **state) {
        LinkInfo *office;

        set_vlans(100, 100);
        office = add_vlan("office", 100, false);
        add_vlan("other", 101, false);
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 2);
        assert_int_equal(only(FINDING_FACT, FINDING_VLAN, "office", "")->detail,
                         FINDING_OWNER_HOST);
        only(FINDING_NOTE, FINDING_VLAN, "", "host's own: office;");
        office->flags = 0;
        office->master = 4;
        host.file.mtu = 1500;
        office->mtu = 1400;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(count(FINDING_ERROR), 3);
        host.file.mode = MODE_EXCLUSIVE;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(only(FINDING_ERROR, FINDING_VLAN, "office", "delete that")->error,
                         RAWNET_NETWORK_BUSY);
        /* Of a range, only this VLAN. */
        host.file.mode = MODE_BRIDGE;
        set_vlans(99, 100);
        office->master = 0;
        office->mtu = 1500;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(only(FINDING_ERROR, FINDING_VLAN, "office", "is down")->vlan, 100);
        assert_int_equal(judge("lab.99"), 0);
        assert_int_equal(found.n, 0);
}

static void test_vlan_of_leases(_unused_ void **state) {
        set_vlans(100, 100);
        add_vlan("rnv4064", 100, true);
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(found.list[0].detail, FINDING_OWNER_RAWNET);
        host.file.mode = MODE_EXCLUSIVE;
        assert_int_equal(judge("lab"), 0);
        only(FINDING_BUSY, FINDING_VLAN, "rnv4064", "rawnetctl list");
        assert_int_equal(count(FINDING_ERROR), 0);
}

/* It is rehearsed for ports that would be on an interface of rawnet's, and for no others. */
static void test_guard(_unused_ void **state) {
        host.no_guard = "no inet family";
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 0);
        set_vlans(100, 101);
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        only(FINDING_ERROR, FINDING_VLAN, "wired0", "no inet family");
        assert_int_equal(found.list[0].kinds, 3);
        add_vlan("office", 100, false);
        assert_int_equal(judge("lab"), 0);
        only(FINDING_ERROR, FINDING_VLAN, "wired0", "no inet family");
        assert_int_equal(host.n_guards, 2);
        assert_int_equal(judge("lab.100"), 0);
        add_vlan("home", 101, false);
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(count(FINDING_ERROR), 0);
        host.n_links = 1;
        host.file.mode = MODE_EXCLUSIVE;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(count(FINDING_ERROR), 0);
        assert_int_equal(host.n_guards, 2);
        /* Without the parent, too. */
        host.file.mode = MODE_BRIDGE;
        host.n_links = 0;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(count(FINDING_ERROR), 2);
}

/* Its VLAN interface is in the lease's namespace. */
static void test_vlan_of_an_exclusive_lease(_unused_ void **state) {
        IpcLease lease = {.id = RAWNET_ID_MIN, .vlan = 100, .queues = 1};

        set_vlans(100, 100);
        put_text(lease.network, sizeof(lease.network), "alone");
        put_text(lease.parent, sizeof(lease.parent), "wired0");
        host.uplink = (LinkInfo){.index = 7, .vlan = 100, .vlan_protocol = ETH_P_8021Q};
        put_text(host.uplink.name, sizeof(host.uplink.name), "uplink");
        put_text(host.uplink.kind, sizeof(host.uplink.kind), "vlan");
        assert_int_equal(registry_put(&registry, &lease, PARENT, 1500), 1);
        for (NetworkMode mode = MODE_BRIDGE; mode <= MODE_EXCLUSIVE; mode++) {
                host.file.mode = mode;
                assert_int_equal(judge("lab"), 0);
                only(FINDING_BUSY, FINDING_VLAN, "wired0", "another lease");
        }
        host.uplink.vlan_protocol = ETH_P_8021AD;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 0);
        host.uplink.vlan_protocol = ETH_P_8021Q;
        set_vlans(101, 101);
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 0);
        registry_free(&registry);
}

/* What has the name that rawnet's own interface would have. */
static void test_impostor(_unused_ void **state) {
        char name[IFNAMSIZ];

        set_vlans(100, 100);
        snprintf(name, sizeof(name), RAWNET_VLAN_NAME_FORMAT,
                 (unsigned long long)PARENT << 13 | 100);
        add_link(name, "veth");
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(only(FINDING_ERROR, FINDING_VLAN, name, "ip link delete")->error,
                         RAWNET_NETWORK_BUSY);
        host.n_links = 1;
        add_vlan(name, 100, false);
        assert_int_equal(judge("lab"), 0);
        only(FINDING_ERROR, FINDING_VLAN, name, "mark");
}

/* A range with more interfaces than there is room for: bounded, and an error is still found. */
static void test_many(_unused_ void **state) {
        char name[IFNAMSIZ];

        set_vlans(1, 4094);
        for (uint16_t i = 1; host.n_links < LINKS_MAX; i++) {
                snprintf(name, sizeof(name), "office%u", i);
                add_vlan(name, i, false)->flags = 0;
        }
        host.no_port[KIND_TAP] = host.no_port[KIND_PACKET] = "no hook";
        assert_int_equal(judge("lab"), 0);
        assert_between(found.n, 17, IPC_FINDINGS_MAX);
        assert_non_null(strstr(found.list[found.n - 1].text, "no hook"));
}

static void test_host_interface(_unused_ void **state) {
        static const FindingDetail states[] = {FINDING_HOST_MISSING, FINDING_HOST_OTHER,
                                               FINDING_HOST_MISPLACED, FINDING_HOST_DOWN};

        put_text(host.file.host_interface, sizeof(host.file.host_interface), "lab0");
        for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
                host.interface = states[i];
                assert_int_equal(judge("lab"), 0);
                assert_int_equal(found.n, 1);
                assert_int_equal(only(FINDING_NOTE, FINDING_HOST, "lab0", "lab0")->detail,
                                 states[i]);
        }
        host.interface = FINDING_HOST_UP;
        assert_int_equal(judge("lab"), 0);
        assert_int_equal(found.n, 1);
        assert_int_equal(only(FINDING_FACT, FINDING_HOST, "lab0", "")->detail, FINDING_HOST_UP);
}

/* What cannot be looked at is not called good. */
static void test_faults(_unused_ void **state) {
        bool fired = true;
        unsigned n = 0;

        set_vlans(100, 100);
        put_text(host.file.host_interface, sizeof(host.file.host_interface), "lab0");
        host.interface = FINDING_HOST_UP;
        while (fired) {
                int r;

                fault_arm(++n, ENOBUFS);
                r = judge("lab");
                fired = fault_disarm();
                assert_true(fired ? r < 0 : r == 0);
        }
        /* the place for VLANs, the parent, the VLANs, the name, the host interface */
        assert_int_equal(n - 1, 5);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_good, setup),
                cmocka_unit_test_setup(test_file, setup),
                cmocka_unit_test_setup(test_parent, setup),
                cmocka_unit_test_setup(test_ports, setup),
                cmocka_unit_test_setup(test_no_namespace, setup),
                cmocka_unit_test_setup(test_no_address_to_choose, setup),
                cmocka_unit_test_setup(test_notes, setup),
                cmocka_unit_test_setup(test_vlan_of_the_host, setup),
                cmocka_unit_test_setup(test_vlan_of_leases, setup),
                cmocka_unit_test_setup(test_guard, setup),
                cmocka_unit_test_setup(test_vlan_of_an_exclusive_lease, setup),
                cmocka_unit_test_setup(test_impostor, setup),
                cmocka_unit_test_setup(test_many, setup),
                cmocka_unit_test_setup(test_host_interface, setup),
                cmocka_unit_test_setup(test_faults, setup),
        };

        return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
