/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "fake-kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "fault.h"
#include "test.h"

#define ANSWERS_MAX 16

static struct {
        _Alignas(struct nlmsghdr) char request[NETLINK_BUFFER_SIZE];
        size_t request_size;
        unsigned requests;
        struct {
                _Alignas(struct nlmsghdr) char data[2048];
                size_t size;
        } answers[ANSWERS_MAX];
        size_t n_answers, next;
        int end_errno;
} fake;

Netlink fake_kernel(void) {
        memset(&fake, 0, sizeof(fake));
        fake.end_errno = ENODATA;
        /* Never looked into: both functions that take it are ours. */
        return (Netlink){.socket = (struct mnl_socket *)&fake, .port_id = 4711, .sequence = 41};
}

const struct nlmsghdr *fake_kernel_heard(size_t *ret_size) {
        if (ret_size)
                *ret_size = fake.request_size;
        return (const void *)fake.request;
}

unsigned fake_kernel_requests(void) {
        return fake.requests;
}

void fake_kernel_answers(const void *data, size_t size) {
        assert_true(fake.n_answers < ANSWERS_MAX && size <= sizeof(fake.answers[0].data));
        memcpy(fake.answers[fake.n_answers].data, data, size);
        fake.answers[fake.n_answers++].size = size;
}

void fake_kernel_end_with(int errnum) {
        fake.end_errno = errnum;
}

void fake_kernel_acks(int error, const char *extack, uint16_t flags) {
        _Alignas(struct nlmsghdr) char buffer[1024];
        struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
        struct nlmsgerr *e = mnl_nlmsg_put_extra_header(m, sizeof(*e));

        m->nlmsg_type = NLMSG_ERROR;
        m->nlmsg_flags = flags;
        e->error = error;
        e->msg.nlmsg_len = sizeof(struct nlmsghdr) + 8;
        if (!(flags & NLM_F_CAPPED))
                memset(mnl_nlmsg_put_extra_header(m, 8), 0xaa, 8);
        if (extack) {
                m->nlmsg_flags |= NLM_F_ACK_TLVS;
                mnl_attr_put_u32(m, NLMSGERR_ATTR_OFFS, 20);
                mnl_attr_put_strz(m, NLMSGERR_ATTR_MSG, extack);
        }
        fake_kernel_answers(m, m->nlmsg_len);
}

ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *data, size_t size);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *data, size_t size) {
        assert_ptr_equal(s, &fake);
        assert_true(size <= sizeof(fake.request));
        if (fault_due("mnl_socket_sendto", 0))
                return -1;
        memcpy(fake.request, data, size);
        fake.request_size = size;
        fake.requests++;
        return (ssize_t)size;
}

ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *data, size_t size);
ssize_t __wrap_mnl_socket_recvfrom(const struct mnl_socket *s, void *data, size_t size) {
        const struct nlmsghdr *request = (const void *)fake.request;
        struct nlmsghdr *m = data;
        int left;

        assert_ptr_equal(s, &fake);
        if (fault_due("mnl_socket_recvfrom", 0))
                return -1;
        if (fake.next == fake.n_answers) {
                errno = fake.end_errno;
                return -1;
        }
        left = (int)fake.answers[fake.next].size;
        assert_true((size_t)left <= size);
        memcpy(data, fake.answers[fake.next++].data, (size_t)left);
        for (; mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left))
                if (m->nlmsg_seq == 0)
                        m->nlmsg_seq = request->nlmsg_seq;
        return (ssize_t)fake.answers[fake.next - 1].size;
}
