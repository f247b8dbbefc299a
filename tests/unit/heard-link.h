/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For the tests of link.c and link-info.c: a look at the link message that was sent last, and what
 * each of their functions does when a call fails. */

#include <sys/socket.h>

#include "fake-kernel.h"
#include "fault.h"
#include "helper/kernel/link.h"
#include "test.h"

static inline const struct nlattr *find_in(const struct nlattr *first, size_t size, uint16_t type) {
        const struct nlattr *a = first;

        for (; mnl_attr_ok(a, (int)(size - (size_t)((const char *)a - (const char *)first)));
             a = mnl_attr_next(a))
                if (mnl_attr_get_type(a) == type)
                        return a;
        return NULL;
}

static inline const struct nlattr *heard(uint16_t type) {
        const struct nlmsghdr *m = fake_kernel_heard(NULL);
        size_t header = MNL_ALIGN(sizeof(struct ifinfomsg));

        return find_in(mnl_nlmsg_get_payload_offset(m, header),
                       mnl_nlmsg_get_payload_len(m) - header, type);
}

static inline const struct nlattr *inside(const struct nlattr *a, uint16_t type) {
        assert_non_null(a);
        return find_in(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), type);
}

static inline void assert_u32(const struct nlattr *a, uint32_t value) {
        assert_non_null(a);
        assert_int_equal(mnl_attr_get_payload_len(a), sizeof(value));
        assert_int_equal(mnl_attr_get_u32(a), value);
}

static inline void assert_text(const struct nlattr *a, const char *text) {
        assert_non_null(a);
        assert_int_equal(mnl_attr_get_payload_len(a), strlen(text) + 1);
        assert_string_equal(mnl_attr_get_str(a), text);
}

static inline void assert_header(uint16_t type, uint16_t flags, int index) {
        const struct nlmsghdr *m = fake_kernel_heard(NULL);
        const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
        size_t size;

        fake_kernel_heard(&size);
        assert_int_equal(size, m->nlmsg_len);
        assert_int_equal(m->nlmsg_type, type);
        assert_int_equal(m->nlmsg_flags, NLM_F_REQUEST | flags);
        assert_int_equal(i->ifi_family, AF_UNSPEC);
        assert_int_equal(i->ifi_index, index);
}

/* Sending, receiving or an allocation fails once, at each place: that errno, nothing filled in, and
 * no talk after it; so a link is never half described to the caller. try: talks with a kernel whose
 * answers it has prepared. calls: that can fail. */
static inline void check_link_faults(int (*try)(Netlink *netlink, Refusal *refusal),
                                     unsigned calls) {
        bool fired = true;
        unsigned n = 0;

        while (fired) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                Netlink netlink = fake_kernel();
                int r;

                fault_arm(++n, ENOBUFS);
                r = try(&netlink, &refusal);
                fired = fault_disarm();
                assert_int_equal(r, !fired                                      ? 0
                                    : strcmp(fault_what(), "reallocarray") == 0 ? -ENOMEM
                                                                                : -ENOBUFS);
                assert_string_equal(refusal.text, "untouched");
        }
        assert_int_equal(n - 1, calls);
}
