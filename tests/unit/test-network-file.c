/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <linux/if_ether.h>

#include "common/network-file.h"
#include "test.h"

/* Every text of which only one line is of interest begins so; that line is line 4. */
#define HEAD "[Network]\nParent=eth0\nVLAN=100\n"

static int parse(const char *text, Network *ret, Refusal *ret_refusal) {
        return network_file_parse("/etc/lab.conf", "lab", text, strlen(text), ret, ret_refusal);
}

static Network parsed(const char *text) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Network network;
        int r;

        memset(&network, 0xaa, sizeof(network));
        r = parse(text, &network, &refusal);
        if (r != 0)
                print_error("%s\n", refusal.text);
        assert_int_equal(r, 0);
        assert_string_equal(refusal.text, "untouched");
        return network;
}

static void check_bad(const char *text, size_t size, unsigned line, const char *word) {
        Refusal refusal = REFUSAL_UNTOUCHED;
        Network network, before;
        char where[64];
        int r;

        memset(&before, 0xaa, sizeof(before));
        network = before;
        snprintf(where, sizeof(where), "network lab: /etc/lab.conf:%u: ", line);
        r = network_file_parse("/etc/lab.conf", "lab", text, size, &network, &refusal);
        assert_refused(r, RAWNET_BAD_NETWORK_FILE, &refusal, where, word);
        /* Name and path for the Network object that shows the error, nothing else. */
        assert_string_equal(network.name, "lab");
        assert_string_equal(network.path, "/etc/lab.conf");
        memcpy(network.name, before.name, sizeof(before.name));
        memcpy(network.path, before.path, sizeof(before.path));
        assert_memory_equal(&network, &before, sizeof(before));
}

#define check_bad_text(text, line, word) check_bad(text, strlen(text), line, word)

static void test_defaults(_unused_ void **state) {
        Network n = parsed(HEAD);

        assert_string_equal(n.name, "lab");
        assert_string_equal(n.path, "/etc/lab.conf");
        assert_string_equal(n.description, "");
        assert_string_equal(n.parent, "eth0");
        assert_int_equal(n.vlan_first, 100);
        assert_int_equal(n.vlan_last, 100);
        assert_int_equal(n.protocol, ETH_P_8021Q);
        assert_int_equal(n.mode, MODE_BRIDGE);
        assert_int_equal(n.kinds, KINDS_ALL);
        assert_true(n.anti_spoof);
        assert_false(n.pass_control);
        assert_int_equal(n.guest_servers, 0);
        assert_int_equal(n.mtu, 0);
        assert_int_equal(n.mac_prefixes.prefix[0].length, 3);
        assert_memory_equal(n.mac_prefixes.prefix[0].octet, ((uint8_t[]){0x52, 0x54, 0x00}), 3);
        assert_int_equal(n.max_leases, 4096);
        assert_int_equal(n.max_leases_per_user, 64);
}

static void test_everything(_unused_ void **state) {
        Network n = parsed("# a comment\n; another, Büro and \xff\xfe too\n\n  \t\n"
                           "[Network]  \n"
                           "Description =  The lab's = own LAN  \n"
                           "  Parent\t= enp3s0\n"
                           "VLAN=100-199\n"
                           "#Mode=private\n"
                           "Protocol=802.1ad\n"
                           "Mode=vepa\n"
                           "Kinds=  packet\t \n"
                           "AntiSpoof=no\n"
                           "ControlFrames=pass\n"
                           "GuestServers=ra  dhcp\n"
                           "MTU=9000\n"
                           "MACPrefix=02:Aa\n"
                           "MaxLeases=10\n"
                           "MaxLeasesPerUser=2");

        assert_string_equal(n.parent, "enp3s0");
        assert_int_equal(n.vlan_first, 100);
        assert_int_equal(n.vlan_last, 199);
        assert_int_equal(n.protocol, ETH_P_8021AD);
        assert_int_equal(n.mode, MODE_VEPA);
        assert_int_equal(n.kinds, KIND_BIT(KIND_PACKET));
        assert_false(n.anti_spoof);
        assert_true(n.pass_control);
        assert_int_equal(n.guest_servers, GUEST_SERVERS_ALL);
        assert_int_equal(n.mtu, 9000);
        assert_int_equal(n.mac_prefixes.prefix[0].length, 2);
        assert_int_equal(n.mac_prefixes.prefix[0].octet[1], 0xaa);
        assert_int_equal(n.max_leases, 10);
        assert_int_equal(n.max_leases_per_user, 2);
}

/* python3 -c 'import hashlib;
 * print(hashlib.sha256(b"[Network]\nParent=eth0\nVLAN=100\n").hexdigest())' */
static void test_digest(_unused_ void **state) {
        static const uint8_t expected[NETWORK_DIGEST_SIZE] = {
                0x37, 0xf5, 0x3d, 0x61, 0xc0, 0x63, 0xd1, 0xc5, 0xf9, 0xf4, 0x64,
                0x21, 0xde, 0xf1, 0x3c, 0x31, 0x56, 0xd8, 0x2a, 0xaa, 0x79, 0x90,
                0x77, 0x88, 0xaa, 0x6a, 0x82, 0xd6, 0xed, 0xd0, 0x43, 0xe9,
        };
        Network n = parsed(HEAD), other = parsed(HEAD "# a comment\n");

        assert_memory_equal(n.digest, expected, sizeof(expected));
        assert_memory_not_equal(other.digest, expected, sizeof(expected));
}

static void test_description(_unused_ void **state) {
        char text[512] = HEAD "Description=";
        size_t head = strlen(text);
        Network n;

        n = parsed(HEAD "Description=Büro # 3; \\");
        assert_string_equal(n.description, "Büro # 3; \\");
        n = parsed(HEAD "Description=\n");
        assert_string_equal(n.description, "");
        /* A backslash at the end does not join lines. */
        n = parsed(HEAD "Description=x\\\nMTU=1500\n");
        assert_int_equal(n.mtu, 1500);

        memset(text + head, 'x', 255);
        n = parsed(text);
        assert_int_equal(strlen(n.description), 255);
        text[head + 255] = 'x';
        check_bad_text(text, 4, "longer than 255 bytes");
        check_bad_text(HEAD "Description=B\xfcro\n", 4, "UTF-8");
        check_bad_text(HEAD "Description=\xed\xa0\x80\n", 4, "UTF-8");
        check_bad_text(HEAD "Description=\xc2\x9b"
                            "31m\n",
                       4, "UTF-8");
        check_bad_text(HEAD "Description=a\tb\n", 4, "UTF-8");
        check_bad_text(HEAD "Description=a\xe2\x80\xae"
                            "b\n",
                       4, "invisible format character");
}

static void test_values(_unused_ void **state) {
        assert_int_equal(parsed(HEAD "Mode=bridge").mode, MODE_BRIDGE);
        assert_int_equal(parsed(HEAD "Mode=private").mode, MODE_PRIVATE);
        assert_int_equal(parsed(HEAD "Mode=exclusive").mode, MODE_EXCLUSIVE);
        assert_int_equal(parsed(HEAD "Protocol=802.1Q").protocol, ETH_P_8021Q);
        assert_int_equal(parsed(HEAD "Kinds=tap").kinds, KIND_BIT(KIND_TAP));
        assert_int_equal(parsed(HEAD "Kinds=packet tap").kinds, 3);
        assert_int_equal(parsed(HEAD "Kinds=veth").kinds, KIND_BIT(KIND_VETH));
        assert_int_equal(parsed(HEAD "Kinds=veth packet tap").kinds, KINDS_ALL);
        assert_true(parsed(HEAD "AntiSpoof=yes").anti_spoof);
        assert_int_equal(parsed(HEAD "AddressLock=off").address_lock, ADDRESS_LOCK_OFF);
        assert_int_equal(parsed(HEAD "AddressLock=given").address_lock, ADDRESS_LOCK_GIVEN);
        assert_false(parsed(HEAD "ControlFrames=drop").pass_control);
        assert_int_equal(parsed(HEAD "GuestServers=none").guest_servers, 0);
        assert_int_equal(parsed(HEAD "GuestServers=dhcp").guest_servers, GUEST_SERVER_DHCP);
        assert_int_equal(parsed(HEAD "GuestServers=ra").guest_servers, GUEST_SERVER_RA);
        assert_false(parsed(HEAD "MACChoice=any").derived_macs);
        assert_true(parsed(HEAD "MACChoice=derived").derived_macs);
        assert_true(parsed(HEAD "MACChoice=derived\nMACPrefix=00:0c:29 02:aa").derived_macs);
        assert_int_equal(parsed(HEAD "MACPrefix=").mac_prefixes.prefix[0].length, 0);
        assert_int_equal(
                parsed(HEAD "MACPrefix=52:54:00 bc:24:11 00:0c:29:12:34:56").mac_prefixes.n, 3);
        assert_int_equal(parsed(HEAD "MACPrefix=fe").mac_prefixes.prefix[0].length, 1);
        assert_int_equal(parsed(HEAD).rate, 0);
        assert_int_equal(parsed(HEAD "Rate=1M").rate, 1000000);
        assert_int_equal(parsed(HEAD "Rate=100G").rate, UINT64_C(100000000000));
        assert_int_equal(parsed(HEAD "MTU=68").mtu, 68);
        assert_int_equal(parsed(HEAD "MTU=65535").mtu, 65535);
        assert_int_equal(parsed(HEAD "MaxLeases=1").max_leases, 1);
        assert_int_equal(parsed(HEAD "MaxLeases=65536").max_leases, 65536);
        assert_int_equal(parsed(HEAD "MaxLeasesPerUser=1").max_leases_per_user, 1);
        assert_int_equal(parsed(HEAD "MaxLeasesPerUser=65536").max_leases_per_user, 65536);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=none\nMode=private").vlan_last, 0);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=none\nProtocol=802.1Q").vlan_first, 0);
        assert_int_equal(parsed("[Network]\nParent=123456789012345\nVLAN=1").vlan_first, 1);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=4094").vlan_last, 4094);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=1-2").vlan_last, 2);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=4093-4094").vlan_first, 4093);
        assert_int_equal(parsed("[Network]\nParent=e\nVLAN=1-4094\nMode=exclusive").mode,
                         MODE_EXCLUSIVE);
}

static void test_bad_values(_unused_ void **state) {
        static const struct {
                const char *key;
                const char *values[24];
        } bad[] = {
                {"Protocol", {"", "802.1q", "802.1AD", "802.1Q 802.1ad", "0x8100"}},
                {"Mode", {"", "Bridge", "passthru", "bridge private", "0"}},
                {"Kinds",
                 {"", "tap,packet", "tap, packet", "Tap", "macvtap", "tap tap", "packet tap packet",
                  "taptaptaptaptaptap", "none"}},
                {"AddressLock", {"", "yes", "Given", "given off", "none", "learn"}},
                {"AntiSpoof", {"", "true", "1", "YES", "on", "yes #", "yes no"}},
                {"ControlFrames", {"", "Drop", "yes", "drop pass"}},
                {"GuestServers",
                 {"", "None", "none dhcp", "dhcp none", "dhcp,ra", "DHCP", "dhcp dhcp",
                  "ra dhcp ra", "dhcpdhcpdhcp", "dhcpv6", "yes", "all"}},
                {"MACChoice", {"", "Any", "given", "learn", "any derived", "yes", "derived #"}},
                {"Rate", {"", "0", "none", "1", "999K", "101G", "10m", "10 M", "1.5G", "1M 2M"}},
                {"MTU",
                 {"", "67", "65536", "0", "-1500", "+1500", "01500", "1500B", "1500 # jumbo",
                  "0x5dc", "1e3", "99999999999999999999", "1 500", "1500\\"}},
                {"MACPrefix",
                 {"00:16", "01:16:3e", "52:54:00 00", "52:54:00:12:34:56:78", "01", "53:54:00",
                  "52-54-00", "525400", "5", ":", "52:", "52:54:00:", "zz"}},
                {"MaxLeases", {"", "0", "65537", "-1", "all", "4294967297", "4096.0", "none"}},
                {"HostInterface",
                 {"", ".", "1234567890123456", "a/b", "a b", "a:b", "lab%d", "%", "rn", "rn0",
                  "rnv64", "rnh1", "lo", "all", "default", "ä"}},
                {"MaxLeasesPerUser", {"", "0", "65537", "-1", "infinity", "4294967360"}},
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                for (const char *const *value = bad[i].values; *value; value++) {
                        char text[128], word[32];

                        snprintf(text, sizeof(text), HEAD "%s=%s\n", bad[i].key, *value);
                        snprintf(word, sizeof(word), "%s=", bad[i].key);
                        check_bad_text(text, 4, word);
                }
}

static void test_bad_parent(_unused_ void **state) {
        static const char *const values[] = {"",        ".",          "..",    "1234567890123456",
                                             "a/b",     "eth 0",      "a:b",   "ä",
                                             "../../x", "eth0 # wan", "eth\t0"};

        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                char text[128];

                snprintf(text, sizeof(text), "[Network]\nParent=%s\nVLAN=1\n", values[i]);
                check_bad_text(text, 2, "Parent=");
        }
}

static void test_bad_vlan(_unused_ void **state) {
        static const char *const values[] = {"",
                                             "0",
                                             "4095",
                                             "65536",
                                             "-1",
                                             "+1",
                                             "01",
                                             "None",
                                             "any",
                                             "1,2",
                                             "1-",
                                             "-",
                                             "-5",
                                             "5-5",
                                             "6-5",
                                             "0-5",
                                             "1-4095",
                                             "1-2-3",
                                             "1 - 2",
                                             "1- 2",
                                             "01-2",
                                             "1-02",
                                             "1--2",
                                             "none-5",
                                             "100-200 300-400",
                                             "4294967396",
                                             "100000000000000000000000-5",
                                             "1..5",
                                             "1:5"};

        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                char text[128];

                snprintf(text, sizeof(text), "[Network]\nParent=eth0\nVLAN=%s\n", values[i]);
                check_bad_text(text, 3, "VLAN=");
        }
}

static void test_bad_structure(_unused_ void **state) {
        check_bad_text("", 1, "no [Network]");
        check_bad_text("\n\n# nothing\n", 1, "no [Network]");
        check_bad_text("\n[Network]\nVLAN=1\n", 2, "Parent= is missing");
        check_bad_text("\n\n[Network]\nParent=eth0\n", 3, "VLAN= is missing");
        check_bad_text("[Network]\n", 1, "Parent= is missing");
        check_bad_text("Parent=eth0\n[Network]\n", 1, "before [Network]");
        check_bad_text("[network]\n", 1, "unknown section [network]");
        check_bad_text("[Network]x\n", 1, "unknown section");
        check_bad_text("[Network\n", 1, "unknown section");
        check_bad_text("[ Network ]\n", 1, "unknown section");
        check_bad_text("[]\n", 1, "unknown section");
        check_bad_text("\xef\xbb\xbf[Network]\n", 1, "byte order mark");
        check_bad_text(HEAD "[Other]\n", 4, "unknown section [Other]");
        check_bad_text(HEAD "[Network]\n", 4, "second [Network] (the first is in line 1)");
        check_bad_text(HEAD "Parent=eth1\n", 4,
                       "Parent= is given a second time (the first is in line 2)");
        check_bad_text(HEAD "MTU=1500\n\nMTU=1500\n", 6,
                       "MTU= is given a second time (the first is in line 4)");
        check_bad_text(HEAD "Isolation=direct\n", 4,
                       "the key Isolation= is gone: all ports are strict now; delete the line");
        check_bad_text(HEAD "Isolation=strict\n", 4, "delete the line");
        check_bad_text(HEAD "isolation=strict\n", 4, "unknown key isolation=");
        check_bad_text(HEAD "mtu=1500\n", 4, "unknown key mtu=");
        check_bad_text(HEAD "Color=red\n", 4, "unknown key Color=");
        check_bad_text(HEAD "=1500\n", 4, "unknown key =");
        check_bad_text(HEAD "VLAN 5=1500\n", 4, "unknown key VLAN 5=");
        check_bad_text(HEAD "MTU\n", 4, "write Key=value");
        check_bad_text(HEAD "MTU: 1500\n", 4, "write Key=value");
        check_bad_text(HEAD "x\xff\xfe=1\n", 4,
                       "unknown key x?"
                       "?=");
        check_bad_text(HEAD "%s%n=%s%n\n", 4, "unknown key %s%n=");
        check_bad_text(HEAD "MTU=%s%n\n", 4, "MTU=%s%n");
        /* The first mistake is reported, whatever comes after it. */
        check_bad_text(HEAD "MTU=1\nColor=red\n", 4, "MTU=1");
}

/* What newcomers write, and what they are told. */
static void test_usual_mistakes(_unused_ void **state) {
        check_bad_text("\xef\xbb\xbf" HEAD, 1, "byte order mark; save it as UTF-8 without BOM");
        check_bad_text("[network]\n", 1, "write [Network], case counts");
        check_bad_text("[NETWORK]\n", 1, "write [Network], case counts");
        check_bad_text("[Network]\nparent=eth0\n", 2,
                       "unknown key parent=; write Parent=, case counts");
        check_bad_text("[Network]\nVlan=10\n", 2, "unknown key Vlan=; write VLAN=, case counts");
        check_bad_text("[Network]\nParent=\"eth0\"\n", 2,
                       "Parent=\"eth0\" is not allowed; remove the quotation marks");
        check_bad_text("[Network]\nVLAN='none'\n", 2, "remove the quotation marks");
        check_bad_text(
                "[Network]\nVLAN=none # untagged\n", 2,
                "VLAN=none # untagged is not allowed; write the comment on a line of its own");
        check_bad_text("[Network]\nParent=eth0\t; the trunk\n", 2,
                       "write the comment on a line of its own");
        /* Text is text. */
        assert_string_equal(parsed(HEAD "Description=\"Lab\" # 1; 2\n").description,
                            "\"Lab\" # 1; 2");
        assert_string_equal(parsed("[Network]\nParent=eth#0;\nVLAN=1\n").parent, "eth#0;");
}

static void test_cross_checks(_unused_ void **state) {
        check_bad_text("[Network]\nMode=exclusive\nParent=eth0\nVLAN=none\n", 2,
                       "would take eth0 away from the host");
        check_bad_text("[Network]\nParent=eth0\nVLAN=none\nProtocol=802.1ad\n", 4,
                       "Protocol=802.1ad");
}

static void test_host_interface(_unused_ void **state) {
        assert_string_equal(parsed(HEAD).host_interface, "");
        assert_string_equal(parsed(HEAD "HostInterface=lab0\n").host_interface, "lab0");
        assert_string_equal(
                parsed(HEAD "HostInterface=123456789012345\nMode=bridge").host_interface,
                "123456789012345");
        assert_string_equal(
                parsed("[Network]\nHostInterface=r\nParent=e\nVLAN=none").host_interface, "r");
        check_bad_text(HEAD "MACChoice=derived\nMACPrefix=00:0c:29\n", 4, "MACPrefix=");
        check_bad_text(HEAD "MACPrefix=52:54:00:12:34\nMACChoice=derived\n", 5, "MACPrefix=");
        check_bad_text(HEAD "MACChoice=derived\nAntiSpoof=no\n", 4, "AntiSpoof=no");
        check_bad_text(HEAD "AntiSpoof=no\nAddressLock=given\n", 5, "AntiSpoof=no");
        assert_int_equal(parsed(HEAD "AntiSpoof=no\nAddressLock=off\n").address_lock,
                         ADDRESS_LOCK_OFF);
        check_bad_text(HEAD "HostInterface=lab0\nMode=private\n", 4,
                       "HostInterface= with Mode=private");
        check_bad_text(HEAD "Mode=vepa\nHostInterface=lab0\n", 5, "HostInterface= with Mode=vepa");
        check_bad_text(HEAD "Mode=exclusive\nHostInterface=lab0\n", 5,
                       "HostInterface= with Mode=exclusive");
        check_bad_text("[Network]\nParent=e\nHostInterface=lab0\nVLAN=1-2\n", 3, "range of VLANs");
        check_bad_text(HEAD "HostInterface=eth0\n", 4, "parent's own name");
        check_bad_text(HEAD "HostInterface=a\nHostInterface=b\n", 5, "a second time");
}

static void test_control_bytes(_unused_ void **state) {
        for (int c = 0; c < 256; c++) {
                char text[] = HEAD "# a comment\n;?;\n";

                if (c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f))
                        continue;
                *strchr(text, '?') = (char)c;
                check_bad(text, sizeof(text) - 1, 5,
                          c == '\r' ? "Unix line ends" : "control character");
        }
        check_bad(HEAD "MTU=15\0"
                       "00\n",
                  strlen(HEAD) + 10, 4, "control character (0x00)");
        check_bad(HEAD "\0", strlen(HEAD) + 1, 4, "control character (0x00)");
        check_bad_text("[Network]\r\nParent=eth0\r\n", 1, "Unix line ends");
}

static void test_long_lines(_unused_ void **state) {
        char text[2048] = HEAD "#";
        size_t head = strlen(HEAD);

        memset(text + head, '#', 1024);
        text[head + 1024] = '\0';
        parsed(text);
        text[head + 1024] = '\n';
        parsed(text);
        text[head + 1024] = '#';
        check_bad_text(text, 4, "longer than 1024 bytes");
        text[head + 1025] = '\n';
        check_bad_text(text, 4, "longer than 1024 bytes");
        /* A value that fills a sentence does not hide the advice. */
        memcpy(text + head, "MTU=", 4);
        memset(text + head + 4, '9', 1020);
        text[head + 1024] = '\0';
        check_bad_text(text, 4, "write a number from 68 to 65535");
        memcpy(text + head, "[", 1);
        check_bad_text(text, 4, "has [Network] only");
}

static void test_long_file(_unused_ void **state) {
        _cleanup_free_ char *text = malloc(NETWORK_FILE_SIZE_MAX + 2);
        Network network;
        Refusal refusal;

        assert_non_null(text);
        memset(text, '\n', NETWORK_FILE_SIZE_MAX + 1);
        memcpy(text, HEAD, strlen(HEAD));
        assert_int_equal(
                network_file_parse("p", "lab", text, NETWORK_FILE_SIZE_MAX, &network, &refusal), 0);
        check_bad(text, NETWORK_FILE_SIZE_MAX + 1, 1, "larger than 65536 bytes");
        /* The last line's number, counted through all of them. */
        memcpy(text + NETWORK_FILE_SIZE_MAX - 2, "x\n", 2);
        check_bad(text, NETWORK_FILE_SIZE_MAX,
                  3 + NETWORK_FILE_SIZE_MAX - 2 - (unsigned)strlen(HEAD) + 1, "write Key=value");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),      cmocka_unit_test(test_everything),
                cmocka_unit_test(test_digest),        cmocka_unit_test(test_description),
                cmocka_unit_test(test_values),        cmocka_unit_test(test_bad_values),
                cmocka_unit_test(test_bad_parent),    cmocka_unit_test(test_bad_vlan),
                cmocka_unit_test(test_bad_structure), cmocka_unit_test(test_usual_mistakes),
                cmocka_unit_test(test_cross_checks),  cmocka_unit_test(test_host_interface),
                cmocka_unit_test(test_control_bytes), cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_long_file),
        };

        return cmocka_run_group_tests_name("network-file", tests, NULL, NULL);
}
