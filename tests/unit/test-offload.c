/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The features of a link, as ethtool shows them: which the helper turns off, and that each call
 * which fails is a refusal. */

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>

#include "fault.h"
#include "helper/kernel/offload.h"
#include "test.h"

/* A link with more features than one word of 32 holds. */
static const char *const names[] = {
        "tx-scatter-gather",
        "tx-checksum-ip-generic",
        "tx-checksum-sctp",
        "tx-tcp-segmentation",
        "tx-tcp6-segmentation",
        "tx-tcp-ecn-segmentation",
        "tx-tcp-mangleid-segmentation",
        "tx-gso-list",
        "tx-vlan-hw-insert",
        "rx-gro",
        "a10",
        "a11",
        "a12",
        "a13",
        "a14",
        "a15",
        "a16",
        "a17",
        "a18",
        "a19",
        "a20",
        "a21",
        "a22",
        "a23",
        "a24",
        "a25",
        "a26",
        "a27",
        "a28",
        "a29",
        "a30",
        "tx-udp_tnl-csum-segmentation",
        "tx-udp-segmentation",
        "tx-esp-segmentation",
        "tx-future-segmentation",
};
enum {
        N = ARRAY_SIZE(names)
};

static bool active[N], fixed[N];
static uint32_t commands[16];
static size_t n_commands;

static void reset_link(void) {
        for (unsigned i = 0; i < N; i++) {
                active[i] = true;
                fixed[i] = false;
        }
        n_commands = 0;
}

static void show_names(struct ethtool_gstrings *strings) {
        assert_int_equal(strings->string_set, ETH_SS_FEATURES);
        assert_int_equal(strings->len, N);
        for (unsigned i = 0; i < N; i++)
                memcpy(strings->data + i * ETH_GSTRING_LEN, names[i], strlen(names[i]) + 1);
}

static void show_states(struct ethtool_gfeatures *state) {
        assert_int_equal(state->size, 2);
        memset(state->features, 0, 2 * sizeof(state->features[0]));
        for (unsigned i = 0; i < N; i++) {
                state->features[i / 32].available |= fixed[i] ? 0 : 1u << i % 32;
                state->features[i / 32].active |= active[i] ? 1u << i % 32 : 0;
        }
}

static void change_states(const struct ethtool_sfeatures *set) {
        assert_int_equal(set->size, 2);
        for (unsigned i = 0; i < N; i++) {
                const struct ethtool_set_features_block *word = &set->features[i / 32];

                if (!(word->valid & 1u << i % 32))
                        continue;
                assert_false(fixed[i]);
                active[i] = word->requested & 1u << i % 32;
        }
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(_unused_ int fd, unsigned long request, ...) {
        const struct ifreq *r;
        va_list ap;
        uint32_t *command;

        va_start(ap, request);
        r = va_arg(ap, const struct ifreq *);
        va_end(ap);
        assert_int_equal(request, SIOCETHTOOL);
        assert_string_equal(r->ifr_name, "rn12345");
        command = (void *)r->ifr_data;
        if (fault_due("ioctl", 0))
                return -1;
        assert_true(n_commands < ARRAY_SIZE(commands));
        commands[n_commands++] = *command;
        switch (*command) {
        case ETHTOOL_GSSET_INFO:
                ((struct ethtool_sset_info *)(void *)command)->data[0] = N;
                return 0;
        case ETHTOOL_GSTRINGS:
                show_names((void *)command);
                return 0;
        case ETHTOOL_GFEATURES:
                show_states((void *)command);
                return 0;
        case ETHTOOL_SFEATURES:
                change_states((void *)command);
                return ETHTOOL_F_WISH;
        default:
                assert_int_equal(((struct ethtool_value *)(void *)command)->data, 0);
                return 0;
        }
}

static bool is_on(const char *name) {
        for (unsigned i = 0; i < N; i++)
                if (strcmp(names[i], name) == 0)
                        return active[i];
        fail_msg("no feature %s", name);
        return false;
}

static void test_describable(_unused_ void **state) {
        static const char *const off[] = {"tx-checksum-sctp", "tx-gso-list",
                                          "tx-udp_tnl-csum-segmentation", "tx-esp-segmentation",
                                          "tx-future-segmentation"};
        static const char *const on[] = {"tx-scatter-gather",
                                         "tx-checksum-ip-generic",
                                         "tx-tcp-segmentation",
                                         "tx-tcp6-segmentation",
                                         "tx-tcp-ecn-segmentation",
                                         "tx-tcp-mangleid-segmentation",
                                         "tx-vlan-hw-insert",
                                         "rx-gro",
                                         "a30"};
        Refusal refusal = REFUSAL_UNTOUCHED;

        reset_link();
        assert_int_equal(offload_describable("rn12345", false, &refusal), 0);
        for (unsigned i = 0; i < ARRAY_SIZE(off); i++)
                assert_false(is_on(off[i]));
        for (unsigned i = 0; i < ARRAY_SIZE(on); i++)
                assert_true(is_on(on[i]));
        assert_false(is_on("tx-udp-segmentation"));
        assert_int_equal(offload_describable("rn12345", true, &refusal), 0);
        assert_true(is_on("tx-udp-segmentation"));
        assert_false(is_on("tx-esp-segmentation"));
        assert_string_equal(refusal.text, "untouched");
}

/* A port with a feature that cannot be turned off would lose frames without a word: no port. */
static void test_stuck(_unused_ void **state) {
        Refusal refusal = REFUSAL_UNTOUCHED;

        reset_link();
        fixed[2] = true;
        assert_refused(offload_describable("rn12345", false, &refusal), RAWNET_NOT_SUPPORTED,
                       &refusal, "tx-checksum-sctp", "ask for a tap");
        active[2] = false;
        assert_int_equal(offload_describable("rn12345", false, &refusal), 0);
}

/* A port with an offload left on would let the checksum trick through: each step must have worked.
 */
static void test_off_faults(_unused_ void **state) {
        static const uint32_t all[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO};
        unsigned n = 0, fds = count_fds();
        bool fired = true;

        while (fired) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                int r;

                n_commands = 0;
                fault_arm(++n, EOPNOTSUPP);
                r = offload_off("rn12345", &refusal);
                fired = fault_disarm();
                assert_int_equal(count_fds(), fds);
                if (!fired)
                        assert_int_equal(r, 0);
                else if (n == 1)
                        assert_int_equal(r, -EOPNOTSUPP); /* socket() */
                else {
                        assert_refused(r, RAWNET_KERNEL_REFUSED, &refusal, "rn12345");
                        assert_int_equal(refusal.kernel_errno, EOPNOTSUPP);
                }
        }
        assert_int_equal(n, 5);
        assert_int_equal(n_commands, ARRAY_SIZE(all));
        assert_memory_equal(commands, all, sizeof(all));
}

static void test_describable_faults(_unused_ void **state) {
        unsigned n = 0, fds = count_fds();
        bool fired = true;

        while (fired) {
                Refusal refusal = REFUSAL_UNTOUCHED;
                int r;

                reset_link();
                fault_arm(++n, EOPNOTSUPP);
                r = offload_describable("rn12345", false, &refusal);
                fired = fault_disarm();
                assert_int_equal(count_fds(), fds);
                if (!fired)
                        assert_int_equal(r, 0);
                else if (n == 1)
                        assert_int_equal(r, -EOPNOTSUPP); /* socket() */
                else if (strcmp(fault_what(), "ioctl") == 0)
                        assert_refused(r, RAWNET_KERNEL_REFUSED, &refusal, "rn12345");
                else
                        assert_int_equal(r, -ENOMEM);
        }
        assert_int_equal(n, 8); /* socket(), five commands, the strings' memory */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_describable),
                cmocka_unit_test(test_stuck),
                cmocka_unit_test(test_off_faults),
                cmocka_unit_test(test_describable_faults),
        };

        return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
