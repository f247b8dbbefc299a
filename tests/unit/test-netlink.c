/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "fake-kernel.h"
#include "fault.h"
#include "test.h"

struct mnl_socket *__real_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags);
struct mnl_socket *__wrap_mnl_socket_open2(int bus, int flags) {
        return fault_due("mnl_socket_open2", EMFILE) ? NULL : __real_mnl_socket_open2(bus, flags);
}

int __real_mnl_socket_bind(struct mnl_socket *s, unsigned groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *s, unsigned groups, pid_t pid);
int __wrap_mnl_socket_bind(struct mnl_socket *s, unsigned groups, pid_t pid) {
        return fault_due("mnl_socket_bind", EADDRINUSE) ? -1
                                                        : __real_mnl_socket_bind(s, groups, pid);
}

/* Puts a bare message of that type (and payload) among the answers. */
static void answer(uint16_t type, uint32_t sequence, const void *payload, size_t size) {
        _Alignas(struct nlmsghdr) char buffer[512];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

        m->nlmsg_type = type;
        m->nlmsg_seq = sequence;
        if (size > 0)
                memcpy(mnl_nlmsg_put_extra_header(m, size), payload, size);
        /* As long as was asked for, not as aligned. */
        m->nlmsg_len = (uint32_t)(MNL_NLMSG_HDRLEN + size);
        fake_kernel_answers(m, MNL_ALIGN(m->nlmsg_len));
}

static int talk(Netlink *netlink, uint16_t flags, mnl_cb_t callback, void *data, Refusal *refusal) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        struct nlmsghdr *m = netlink_start(netlink, buffer, RTM_GETLINK, flags);

        return netlink_talk(netlink, m, callback, data, refusal, "network %s: link %d", "lab", 7);
}

static int count(const struct nlmsghdr *m, void *data) {
        assert_int_equal(m->nlmsg_type, RTM_NEWLINK);
        ++*(unsigned *)data;
        return MNL_CB_OK;
}

static int refuse_third(const struct nlmsghdr *m, void *data) {
        count(m, data);
        if (*(unsigned *)data < 3)
                return MNL_CB_OK;
        errno = EBADMSG;
        return MNL_CB_ERROR;
}

static void test_open(_unused_ void **state) {
        unsigned fds = count_fds();
        Netlink netlink, untouched;

        assert_int_equal(netlink_open(&netlink, NETLINK_ROUTE), 0);
        assert_int_equal(count_fds(), fds + 1);
        assert_true(netlink.port_id != 0);
        netlink_close(&netlink);
        netlink_close(&netlink);
        assert_int_equal(count_fds(), fds);
        assert_true(netlink_open(&netlink, 4711) < 0);

        memset(&netlink, 0xaa, sizeof(netlink));
        untouched = netlink;
        fault_arm(1, EMFILE);
        assert_int_equal(netlink_open(&netlink, NETLINK_ROUTE), -EMFILE);
        fault_arm(2, EMFILE);
        assert_int_equal(netlink_open(&netlink, NETLINK_ROUTE), -EADDRINUSE);
        assert_true(fault_disarm());
        assert_memory_equal(&netlink, &untouched, sizeof(netlink));
        assert_int_equal(count_fds(), fds);
}

static void test_start(_unused_ void **state) {
        _Alignas(struct nlmsghdr) char buffer[NETLINK_BUFFER_SIZE];
        Netlink netlink = fake_kernel();
        struct nlmsghdr *m = netlink_start(&netlink, buffer, RTM_NEWLINK, NLM_F_CREATE);

        assert_int_equal(m->nlmsg_type, RTM_NEWLINK);
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE);
        assert_int_equal(m->nlmsg_seq, 42);
        m = netlink_start(&netlink, buffer, RTM_GETLINK, NLM_F_DUMP);
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
        assert_int_equal(m->nlmsg_seq, 43);
}

static void test_ack(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Netlink netlink = fake_kernel();

        fake_kernel_acks(0, NULL, 0);
        assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), 0);
        /* An ack may carry a warning. */
        fake_kernel_acks(0, "Works, but is old-fashioned", NLM_F_CAPPED);
        assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), 0);
        assert_string_equal(refusal.text, "untouched");
        assert_int_equal(fake_kernel_requests(), 2);
}

static void test_extack(_unused_ void **state) {
        for (unsigned capped = 0; capped < 2; capped++) {
                Netlink netlink = fake_kernel();
                Refusal refusal;

                fake_kernel_acks(-EOPNOTSUPP, "Unknown device type", capped ? NLM_F_CAPPED : 0);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), RAWNET_KERNEL_REFUSED);
                assert_string_equal(refusal.text, "network lab: link 7: Unknown device type: "
                                                  "Operation not supported");
                assert_int_equal(refusal.kernel_errno, EOPNOTSUPP);
                fake_kernel_acks(-EPERM, NULL, capped ? NLM_F_CAPPED : 0);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), RAWNET_KERNEL_REFUSED);
                assert_string_equal(refusal.text, "network lab: link 7: Operation not permitted");
                fake_kernel_acks(-EPERM, "", capped ? NLM_F_CAPPED : 0);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), RAWNET_KERNEL_REFUSED);
                assert_string_equal(refusal.text, "network lab: link 7: Operation not permitted");
                fake_kernel_acks(-EPERM, "x", capped ? NLM_F_CAPPED : 0);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, NULL), RAWNET_KERNEL_REFUSED);
        }
}

/* Attributes cut off, unterminated, lying about their length: no text then, the error all the same,
 * nothing read beyond the message (the sanitizers watch). */
static void test_broken_extack(_unused_ void **state) {
        for (unsigned kind = 0; kind < 4; kind++) {
                struct {
                        struct nlmsgerr e;
                        struct nlattr a;
                        char text[8];
                } body = {.e = {.error = -EPERM, .msg = {.nlmsg_len = sizeof(struct nlmsghdr)}},
                          .a = {.nla_len = 4 + 8, .nla_type = NLMSGERR_ATTR_MSG},
                          .text = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}};
                _Alignas(struct nlmsghdr) char buffer[128];
                struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
                Netlink netlink = fake_kernel();
                Refusal refusal;

                if (kind == 1)
                        body.a.nla_len = 4000;
                if (kind == 2)
                        body.a.nla_len = 2;
                if (kind == 3)
                        body.e.msg.nlmsg_len = 100000;
                m->nlmsg_type = NLMSG_ERROR;
                m->nlmsg_flags = NLM_F_ACK_TLVS;
                memcpy(mnl_nlmsg_put_extra_header(m, sizeof(body)), &body, sizeof(body));
                fake_kernel_answers(m, m->nlmsg_len);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), RAWNET_KERNEL_REFUSED);
                assert_string_equal(refusal.text, "network lab: link 7: Operation not permitted");
        }
}

static void test_short_error(_unused_ void **state) {
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;

        answer(NLMSG_ERROR, 0, "\0", 2);
        assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), -EBADMSG);
        assert_string_equal(refusal.text, "untouched");
}

static void test_dump(_unused_ void **state) {
        struct ifinfomsg link = {0};
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;
        unsigned n = 0;

        for (int i = 0; i < 3; i++)
                answer(RTM_NEWLINK, 0, &link, sizeof(link));
        /* Somebody else's answer, and one that came too late. */
        answer(RTM_NEWLINK, 7, &link, sizeof(link));
        answer(NLMSG_DONE, 7, "\0\0\0", 4);
        answer(RTM_NEWLINK, 0, &link, sizeof(link));
        answer(NLMSG_DONE, 0, "\0\0\0", 4);
        assert_int_equal(talk(&netlink, NLM_F_DUMP, count, &n, &refusal), 0);
        assert_int_equal(n, 4);
        assert_string_equal(refusal.text, "untouched");
}

/* A dump that broke off ends with the error in its NLMSG_DONE (net/netlink/af_netlink.c,
 * netlink_dump_done()): what was read is not all there is. */
static void test_dump_fails(_unused_ void **state) {
        struct ifinfomsg link = {0};
        Netlink netlink = fake_kernel();
        int error = -ENOMEM;
        Refusal refusal;
        unsigned n = 0;

        answer(RTM_NEWLINK, 0, &link, sizeof(link));
        answer(NLMSG_DONE, 0, &error, sizeof(error));
        assert_int_equal(talk(&netlink, NLM_F_DUMP, count, &n, &refusal), RAWNET_KERNEL_REFUSED);
        assert_int_equal(refusal.kernel_errno, ENOMEM);
}

static void test_callback_stops(_unused_ void **state) {
        struct ifinfomsg link = {0};
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;
        unsigned n = 0;

        for (int i = 0; i < 5; i++)
                answer(RTM_NEWLINK, 0, &link, sizeof(link));
        assert_int_equal(talk(&netlink, NLM_F_DUMP, refuse_third, &n, &refusal), -EBADMSG);
        assert_int_equal(n, 3);
        assert_string_equal(refusal.text, "untouched");
}

static void test_socket_fails(_unused_ void **state) {
        for (const int *error = (const int[]){ENOBUFS, ENOSPC, EINTR, ENOMEM, 0}; *error; error++) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Netlink netlink = fake_kernel();

                fake_kernel_end_with(*error);
                assert_int_equal(talk(&netlink, 0, NULL, NULL, &refusal), -*error);
                assert_string_equal(refusal.text, "untouched");
        }
}

static void test_batch(_unused_ void **state) {
        static const char batch[64] = {64};
        Netlink netlink = fake_kernel();
        Refusal refusal = REFUSAL_UNTOUCHED;

        answer(RTM_NEWNSID, 1, NULL, 0);
        fake_kernel_acks(0, NULL, 0);
        fake_kernel_acks(-EEXIST, NULL, 0);
        assert_int_equal(netlink_talk_batch(&netlink, batch, sizeof(batch), &refusal, "x"), 0);
        assert_string_equal(refusal.text, "untouched");

        netlink = fake_kernel();
        fake_kernel_acks(-EEXIST, "Chain exists", 0);
        fake_kernel_acks(-ENOENT, NULL, 0);
        assert_int_equal(
                netlink_talk_batch(&netlink, batch, sizeof(batch), &refusal, "guard of %s", "lab"),
                RAWNET_KERNEL_REFUSED);
        assert_string_equal(refusal.text, "guard of lab: Chain exists: File exists");
        assert_int_equal(refusal.kernel_errno, EEXIST);

        netlink = fake_kernel();
        fake_kernel_end_with(ENOBUFS);
        assert_int_equal(netlink_talk_batch(&netlink, batch, sizeof(batch), &refusal, "x"),
                         -ENOBUFS);
}

static int note_answer(const struct nlmsghdr *m, void *data) {
        uint32_t *seen = data;

        *seen = *seen * 10 + m->nlmsg_seq - 100;
        return MNL_CB_OK;
}

/* Every question has one answer, errors included, however many messages carry them. Others' answers
 * are nobody's. */
static void test_ask(_unused_ void **state) {
        const struct nlmsghdr batch = {.nlmsg_len = sizeof(batch), .nlmsg_seq = 101};
        int error = -ENOENT;
        Netlink netlink = fake_kernel();
        uint32_t seen = 0;

        answer(RTM_NEWNSID, 101, NULL, 0);
        answer(NLMSG_ERROR, 102, &error, sizeof(error));
        answer(RTM_NEWNSID, 100, NULL, 0);
        answer(RTM_NEWNSID, 104, NULL, 0);
        answer(RTM_NEWNSID, 103, NULL, 0);
        answer(RTM_NEWNSID, 109, NULL, 0);
        assert_int_equal(netlink_ask(&netlink, &batch, sizeof(batch), 3, note_answer, &seen), 0);
        assert_int_equal(seen, 123);

        netlink = fake_kernel();
        answer(RTM_NEWNSID, 101, NULL, 0);
        fake_kernel_end_with(ENOBUFS);
        assert_int_equal(netlink_ask(&netlink, &batch, sizeof(batch), 2, note_answer, &seen),
                         -ENOBUFS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_start),
                cmocka_unit_test(test_ack),
                cmocka_unit_test(test_extack),
                cmocka_unit_test(test_broken_extack),
                cmocka_unit_test(test_short_error),
                cmocka_unit_test(test_dump),
                cmocka_unit_test(test_dump_fails),
                cmocka_unit_test(test_callback_stops),
                cmocka_unit_test(test_socket_fails),
                cmocka_unit_test(test_batch),
                cmocka_unit_test(test_ask),
        };

        return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
