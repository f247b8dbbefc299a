/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service/refused.h"
#include "test.h"

static const MacAddress foreign = {{0xbc, 0x24, 0x11, 0, 0, 1}};

static void check_text(LearnRefusal why, const Network *network, const char *const *words) {
        IpcLease lease = {
                .refused_mac = foreign, .refused_why = (uint8_t)why, .network = "vlab.300"};
        char text[REFUSAL_TEXT_MAX];

        assert_ptr_equal(refused_text(&lease, network, text), text);
        for (; *words; words++)
                if (!strstr(text, *words))
                        fail_msg("\"%s\" has no \"%s\"", text, *words);
}

#define says(why, network, ...)                                                                    \
        check_text(why, network, (const char *const[]){"vlab.300", __VA_ARGS__, NULL})

static void test_nothing(_unused_ void **state) {
        IpcLease lease = {.network = "lab"};
        char text[REFUSAL_TEXT_MAX] = "x";

        assert_string_equal(refused_text(&lease, NULL, text), "");
        lease.refused_why = LEARN_REFUSED_FAILED + 1;
        assert_string_equal(refused_text(&lease, NULL, text), "");
}

/* What to ask for, and where, whatever is known of the file. */
static void test_prefix(_unused_ void **state) {
        Network network = {.name = "vlab", .path = "/etc/vlab.conf"};

        assert_int_equal(mac_prefixes_parse("52:54:00 02", &network.mac_prefixes), 0);
        says(LEARN_REFUSED_PREFIX, &network, "bc:24:11:00:00:01", "begin with 52:54:00 02",
             "MACPrefix= in /etc/vlab.conf", "add bc:24:11 to MACPrefix=", "new port");
        assert_int_equal(mac_prefixes_parse("", &network.mac_prefixes), 0);
        says(LEARN_REFUSED_PREFIX, &network, "locally administered addresses only",
             "MACPrefix= in /etc/vlab.conf", "add bc:24:11 to MACPrefix=");
        assert_int_equal(mac_prefixes_parse("52:54:00 bc:24:11", &network.mac_prefixes), 0);
        says(LEARN_REFUSED_PREFIX, &network, "does now", "/etc/vlab.conf", "new port");
        /* A file with a mistake: name and path are all that is known. */
        network.mac_prefixes = (MacPrefixes){};
        says(LEARN_REFUSED_PREFIX, &network, "MACPrefix= in /etc/vlab.conf", "add bc:24:11");
        says(LEARN_REFUSED_PREFIX, NULL, "MACPrefix= in the network's file", "add bc:24:11");
}

static void test_others(_unused_ void **state) {
        says(LEARN_REFUSED_RESERVED, NULL, "bc:24:11:00:00:01", "reserved",
             "give the guest another");
        says(LEARN_REFUSED_HOST, NULL, "interface of the host", "give the guest another");
        says(LEARN_REFUSED_IN_USE, NULL, "another lease", "rawnetctl list");
        says(LEARN_REFUSED_FAILED, NULL, "kernel", "journalctl -u rawnet-helper", "new port");
}

/* Sixteen prefixes, and all of them written out: the remedy is still there. */
static void test_longest(_unused_ void **state) {
        Network network = {.name = "vlab"};

        memset(network.path, 'p', sizeof(network.path) - 1);
        network.mac_prefixes.n = MAC_PREFIXES_MAX;
        for (size_t i = 0; i < MAC_PREFIXES_MAX; i++)
                network.mac_prefixes.prefix[i] =
                        (MacPrefix){.octet = {2, 2, 2, 2, 2, 2}, .length = 6};
        says(LEARN_REFUSED_PREFIX, &network, "add bc:24:11 to MACPrefix=", "new port");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_others),
                cmocka_unit_test(test_longest),
        };

        return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
