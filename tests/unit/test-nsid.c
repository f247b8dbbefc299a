/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the kernel's list of namespace ids is worth, and what asking for each id finds. A kernel is
 * played, whose messages hold as many ids as a test says and whose list goes on after the first
 * message or does not.
 */

#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>

#include "fault.h"
#include "helper/lease-id.h"
#include "helper/kernel/nsid.h"
#include "test.h"

#define PAGE 134u     /* ids in a message of a page */
#define LONGEST 1158u /* and in the longest one */

static struct {
        const uint32_t *ids; /* ascending */
        size_t n;
        bool goes_on;      /* the list has further messages */
        bool short_memory; /* no message is longer than a page */
        unsigned questions;
        int refuses; /* errno of the answer to every question */
        uint32_t last_nsid;
        pid_t last_pid;
} kernel;

static struct nlmsghdr *put_header(char *buffer, uint16_t type, uint32_t sequence) {
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

        m->nlmsg_type = type;
        m->nlmsg_seq = sequence;
        return m;
}

static const struct nlmsghdr *entry(char *buffer, uint32_t id, uint32_t sequence) {
        struct nlmsghdr *m = put_header(buffer, RTM_NEWNSID, sequence);

        mnl_nlmsg_put_extra_header(m, sizeof(struct rtgenmsg));
        mnl_attr_put_u32(m, NETNSA_NSID, id);
        return m;
}

static uint32_t asked(const struct nlmsghdr *m, uint16_t type) {
        const struct nlattr *a;

        mnl_attr_for_each(a, m, sizeof(struct rtgenmsg)) {
                if (mnl_attr_get_type(a) == type)
                        return mnl_attr_get_u32(a);
        }
        return 0;
}

int __wrap_netlink_open(Netlink *ret, int protocol);
int __wrap_netlink_open(Netlink *ret, int protocol) {
        assert_int_equal(protocol, NETLINK_ROUTE);
        if (fault_due("netlink_open", 0))
                return -errno;
        *ret = (Netlink){};
        return 0;
}

int __wrap_netlink_talk(Netlink *netlink, const struct nlmsghdr *message, mnl_cb_t callback,
                        void *data, Refusal *ret_refusal, const char *what, ...);
int __wrap_netlink_talk(Netlink *netlink, const struct nlmsghdr *message, mnl_cb_t callback,
                        void *data, _unused_ Refusal *ret_refusal, _unused_ const char *what, ...) {
        const bool dumps = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
        const size_t room = kernel.short_memory || netlink->port_id == 0 ? PAGE : LONGEST;
        _Alignas(struct nlmsghdr) char buffer[128];

        if (fault_due("netlink_talk", 0))
                return -errno;
        netlink->n_received = 0;
        kernel.last_pid = (pid_t)asked(message, NETNSA_PID);
        kernel.last_nsid = asked(message, NETNSA_NSID);
        /* From its first answer on the kernel knows how long the buffer is. */
        for (size_t i = 0; dumps && i < kernel.n; i++) {
                if (i % room == 0) {
                        if (i > 0 && !kernel.goes_on)
                                break;
                        netlink->n_received++;
                }
                assert_int_equal(callback(entry(buffer, kernel.ids[i], message->nlmsg_seq), data),
                                 MNL_CB_OK);
        }
        netlink->port_id = 1;
        return 0;
}

static bool in_use(uint32_t id) {
        for (size_t i = 0; i < kernel.n; i++)
                if (kernel.ids[i] == id)
                        return true;
        return false;
}

int __wrap_netlink_ask(Netlink *netlink, const void *batch, size_t size, unsigned n,
                       mnl_cb_t callback, void *data);
int __wrap_netlink_ask(_unused_ Netlink *netlink, const void *batch, size_t size, unsigned n,
                       mnl_cb_t callback, void *data) {
        const struct nlmsghdr *m = batch;
        int left = (int)size;

        if (fault_due("netlink_ask", 0))
                return -errno;
        for (; n > 0; n--, m = mnl_nlmsg_next(m, &left)) {
                _Alignas(struct nlmsghdr) char buffer[128];
                const struct nlmsghdr *answer;

                assert_true(mnl_nlmsg_ok(m, left));
                assert_int_equal(m->nlmsg_type, RTM_GETNSID);
                assert_int_equal(m->nlmsg_flags,
                                 NLM_F_REQUEST); /* an ack would be a second answer */
                kernel.questions++;
                if (in_use(asked(m, NETNSA_NSID)) && !kernel.refuses) {
                        answer = entry(buffer, asked(m, NETNSA_NSID), m->nlmsg_seq);
                } else {
                        struct nlmsghdr *e = put_header(buffer, NLMSG_ERROR, m->nlmsg_seq);
                        const int error = -(kernel.refuses ? kernel.refuses : ENOENT);

                        memset(mnl_nlmsg_put_extra_header(e, sizeof(struct nlmsgerr)), 0,
                               sizeof(struct nlmsgerr));
                        memcpy(mnl_nlmsg_get_payload(e), &error, sizeof(error));
                        answer = e;
                }
                if (callback(answer, data) < 0)
                        return -errno;
        }
        assert_int_equal(left, 0);
        return 0;
}

typedef struct Seen {
        uint32_t ids[5000];
        size_t n;
} Seen;

static void see(uint32_t nsid, void *data) {
        Seen *seen = data;

        assert_true(seen->n < ARRAY_SIZE(seen->ids));
        seen->ids[seen->n++] = nsid;
}

static uint32_t many[5000];

/* A kernel with the first n of many. */
static Netlink play(size_t n) {
        for (size_t i = 0; i < ARRAY_SIZE(many); i++)
                many[i] = (uint32_t)(i * 7);
        memset(&kernel, 0, sizeof(kernel));
        kernel.ids = many;
        kernel.n = n;
        return (Netlink){};
}

static NsidList dumped(Netlink *netlink, size_t expected) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Seen seen = {.n = 0};
        NsidList list;

        assert_int_equal(nsid_dump(netlink, see, &seen, &list, &refusal), 0);
        assert_int_equal(seen.n, expected);
        assert_memory_equal(seen.ids, many, expected * sizeof(many[0]));
        assert_string_equal(refusal.text, "untouched");
        return list;
}

/* A list of one message is whole only if another id would have fitted in, however long the kernel
 * could make the message. */
static void test_dump(_unused_ void **state) {
        static const struct {
                size_t n;
                bool goes_on, short_memory;
                size_t expected;
                NsidList list;
        } cases[] = {
                {0, false, false, 0, NSID_LIST_WHOLE},
                {3, false, false, 3, NSID_LIST_WHOLE},
                {PAGE - 30, false, true, PAGE - 30, NSID_LIST_WHOLE},
                {PAGE + 1, false, false, PAGE + 1, NSID_LIST_WHOLE},
                {PAGE + 1, false, true, PAGE, NSID_LIST_CUT_OFF},
                {PAGE, false, true, PAGE, NSID_LIST_CUT_OFF},
                {1000, false, false, 1000, NSID_LIST_WHOLE},
                {1000, false, true, PAGE, NSID_LIST_CUT_OFF},
                {LONGEST, false, false, LONGEST, NSID_LIST_CUT_OFF},
                {LONGEST + 1, false, false, LONGEST, NSID_LIST_CUT_OFF},
                {4000, false, false, LONGEST, NSID_LIST_CUT_OFF},
                {1000, true, false, 1000, NSID_LIST_WHOLE},
                {1000, true, true, 1000, NSID_LIST_LONG},
                {LONGEST + 1, true, false, LONGEST + 1, NSID_LIST_LONG},
                {4000, true, false, 4000, NSID_LIST_LONG},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Netlink netlink = play(cases[i].n);

                kernel.goes_on = cases[i].goes_on;
                kernel.short_memory = cases[i].short_memory;
                if (dumped(&netlink, cases[i].expected) != cases[i].list)
                        fail_msg("%zu ids, case %zu", cases[i].n, i);
        }
}

static void test_ask(_unused_ void **state) {
        static const struct {
                uint32_t first, last;
                size_t expected;
        } cases[] = {{0, 0, 1},
                     {1, 6, 0},
                     {7, 7, 1},
                     {0, 63, 10},
                     {0, 64, 10},
                     {1, 700, 100},
                     {0x7fff0000, 0x7fffffff, 0}};

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Netlink netlink = play(4000);
                Seen seen = {.n = 0};

                assert_int_equal(nsid_ask(&netlink, cases[i].first, cases[i].last, see, &seen), 0);
                assert_int_equal(seen.n, cases[i].expected);
                for (size_t j = 0; j < seen.n; j++) {
                        assert_true(seen.ids[j] % 7 == 0 && seen.ids[j] >= cases[i].first &&
                                    seen.ids[j] <= cases[i].last);
                        assert_true(j == 0 || seen.ids[j] > seen.ids[j - 1]);
                }
                assert_int_equal(kernel.questions, cases[i].last - cases[i].first + 1);
        }
}

/* An id that cannot be asked for is not an unused one. */
static void test_ask_refused(_unused_ void **state) {
        Netlink netlink = play(10);
        Seen seen = {.n = 0};

        kernel.refuses = ENOBUFS;
        assert_int_equal(nsid_ask(&netlink, 0, 100, see, &seen), -ENOBUFS);
        kernel.refuses = EPERM;
        assert_int_equal(nsid_ask(&netlink, 0, 100, see, &seen), -EPERM);
        assert_int_equal(seen.n, 0);
}

static void test_set(_unused_ void **state) {
        Netlink netlink = play(0);
        Refusal refusal;

        assert_int_equal(nsid_set(&netlink, 4711, 0x12345, &refusal), 0);
        assert_int_equal(kernel.last_pid, 4711);
        assert_int_equal(kernel.last_nsid, 0x12345);
}

static void test_of_message(_unused_ void **state) {
        _Alignas(struct nlmsghdr) char buffer[128];
        const uint32_t value[2] = {5};
        struct nlmsghdr *m;

        assert_int_equal(nsid_of_message(entry(buffer, 0x12345, 1)), 0x12345);
        assert_int_equal(nsid_of_message(entry(buffer, UINT32_MAX, 1)), -1);
        for (size_t size = 0; size <= sizeof(value); size++) {
                m = put_header(buffer, RTM_DELNSID, 1);
                mnl_nlmsg_put_extra_header(m, sizeof(struct rtgenmsg));
                mnl_attr_put(m, NETNSA_NSID, size, value);
                assert_int_equal(nsid_of_message(m), size == 4 ? 5 : -1);
        }
        assert_int_equal(nsid_of_message(put_header(buffer, RTM_DELNSID, 1)), -1);
}

/* --- ids of new leases --- */

#define N_IDS (RAWNET_ID_MAX - RAWNET_ID_FIRST + 1)

static uint32_t take(LeaseIds *ids, Netlink *netlink) {
        Refusal refusal;
        uint32_t id;

        assert_int_equal(lease_ids_take(ids, netlink, &id, &refusal), 0);
        assert_between(id, RAWNET_ID_FIRST, RAWNET_ID_MAX);
        return id;
}

static void test_ids_move_forward(_unused_ void **state) {
        Netlink netlink = play(0);
        uint32_t first, id;
        LeaseIds *ids;

        assert_int_equal(lease_ids_new(&ids), 0);
        first = id = take(ids, &netlink);
        for (uint32_t i = RAWNET_ID_FIRST; i < RAWNET_ID_MAX; i++) {
                const uint32_t next = take(ids, &netlink);

                assert_int_equal(next, id == RAWNET_ID_MAX ? RAWNET_ID_FIRST : id + 1);
                id = next;
        }
        assert_int_equal(take(ids, &netlink), first);
}

static void test_ids_in_use(_unused_ void **state) {
        Netlink netlink = play(0);
        uint32_t first, used[3];
        LeaseIds *ids;

        assert_int_equal(lease_ids_new(&ids), 0);
        first = take(ids, &netlink) - RAWNET_ID_FIRST;
        for (uint32_t i = 0; i < ARRAY_SIZE(used); i++)
                used[i] = RAWNET_ID_FIRST + (first + 1 + i) % N_IDS;
        kernel.ids = used;
        kernel.n = ARRAY_SIZE(used);
        assert_int_equal(take(ids, &netlink), RAWNET_ID_FIRST + (first + 4) % N_IDS);
}

/* A try of an open that failed leaves its id behind, free or not: the daemon may still have to read
 * that the try's namespace has ended. */
static void test_no_id_twice(_unused_ void **state) {
        Netlink netlink = play(0);
        uint32_t id, again;
        Refusal refusal;
        LeaseIds *ids;

        assert_int_equal(lease_ids_new(&ids), 0);
        id = again = take(ids, &netlink);
        assert_int_equal(lease_ids_take(ids, &netlink, &again, &refusal), 0);
        assert_int_not_equal(again, id);
}

static void test_ids_used_up(_unused_ void **state) {
        Netlink netlink = play(0);
        Refusal refusal = REFUSAL_UNTOUCHED;
        uint32_t id = 0, *all = calloc(N_IDS, sizeof(*all));
        LeaseIds *ids;

        assert_non_null(all);
        for (uint32_t i = 0; i < N_IDS; i++)
                all[i] = RAWNET_ID_MAX - i;
        kernel.ids = all;
        kernel.n = N_IDS;
        assert_int_equal(lease_ids_new(&ids), 0);
        assert_refused(lease_ids_take(ids, &netlink, &id, &refusal), RAWNET_LIMITS_EXCEEDED,
                       &refusal, "65534", "rawnetctl list");
        assert_int_equal(id, 0);
        kernel.refuses = ENOMEM;
        assert_int_equal(lease_ids_take(ids, &netlink, &id, &refusal), -ENOMEM);
        free(all);
}

static void test_faults(_unused_ void **state) {
        bool fired = true;
        unsigned n = 0;

        while (fired) {
                Netlink netlink = play(1000);
                Refusal refusal = REFUSAL_UNTOUCHED;
                Seen seen = {.n = 0};
                NsidList list = NSID_LIST_LONG;
                int r;

                fault_arm(++n, ENOBUFS);
                r = nsid_dump(&netlink, see, &seen, &list, &refusal);
                if (r == 0)
                        r = nsid_ask(&netlink, 0, 63, see, &seen);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOBUFS : 0);
                assert_int_equal(list, n < 5 ? NSID_LIST_LONG : NSID_LIST_WHOLE);
        }
        assert_int_equal(n - 1, 5); /* show the buffer, dump, open another, dump, ask */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dump),        cmocka_unit_test(test_ask),
                cmocka_unit_test(test_ask_refused), cmocka_unit_test(test_set),
                cmocka_unit_test(test_of_message),  cmocka_unit_test(test_ids_move_forward),
                cmocka_unit_test(test_ids_in_use),  cmocka_unit_test(test_no_id_twice),
                cmocka_unit_test(test_ids_used_up), cmocka_unit_test(test_faults),
        };

        return cmocka_run_group_tests_name("nsid", tests, NULL, NULL);
}
