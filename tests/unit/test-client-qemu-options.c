/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * QEMU's option syntax: key=value lists, JSON, MAC addresses, files of -readconfig.
 */

#include "client/qemu/config.h"
#include "client/qemu/mac.h"
#include "client/qemu/options.h"
#include "fault.h"
#include "test.h"

static void check_get(const char *text, const char *key, const char *expected) {
        _cleanup_(qemu_options_done) QemuOptions options = {};
        const char *value;

        assert_int_equal(qemu_options_parse(text, "type", &options), 0);
        value = qemu_options_get(&options, key);
        if (!expected)
                assert_null(value);
        else {
                assert_non_null(value);
                assert_string_equal(value, expected);
        }
}

static void test_plain_options(_unused_ void **state) {
        check_get("raw,id=n0", "type", "raw");
        check_get("raw,id=n0", "id", "n0");
        check_get("type=raw,id=n0", "type", "raw");
        check_get("id=n0,raw", "raw", "on");
        check_get("id=n0,raw", "type", NULL);
        check_get("raw,name=a,,b,id=x", "name", "a,b");
        check_get("raw,name=a,,b,id=x", "id", "x");
        check_get("raw,name=,,,,id=x", "name", ",,id=x");
        check_get("raw,name=,,", "name", ",");
        check_get("raw,name=,id=x", "name", "");
        check_get("raw,name=,id=x", "id", "x");
        check_get("raw,name=a=b", "name", "a=b");
        check_get("raw,mac=1,mac=2", "mac", "2");
        check_get("raw,vhost", "vhost", "on");
        check_get("raw,vhost,id=n", "vhost", "on");
        check_get("raw,id=n0,", "id", "n0");
        check_get("", "type", NULL);
        check_get("a,,b,id=n", "type", "a,b");
}

static void test_json_options(_unused_ void **state) {
        static const char *const bad[] = {"{", "{]", "{\"a\":}", "{\"a\":1} x", "{\"a\":1}{}"};
        _cleanup_(qemu_options_done) QemuOptions options = {};

        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "type",
                  "raw");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "queues",
                  "2");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "vhost",
                  "on");
        check_get("{\"type\":\"raw\",\"queues\":2,\"vhost\":true,\"x\":{\"id\":\"no\"}}", "id",
                  NULL);
        check_get("{\"vhost\":false} \n", "vhost", "off");
        check_get("{\"name\":\"a,,b\"}", "name", "a,,b");
        check_get("{}", "type", NULL);
        /* A comment up to the end, refused or not: AddressSanitizer watches that nothing behind it
         * is read. */
        for (size_t n = 0; n < 64; n++) {
                char slashes[64 + 1] = {};
                _cleanup_free_ char *text = NULL;

                memset(slashes, '/', n);
                assert_true(asprintf(&text, "{}%s", slashes) > 0);
                qemu_options_done(&options);
                qemu_options_parse(text, "type", &options);
        }
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                assert_int_equal(qemu_options_parse(bad[i], "type", &options), -EINVAL);
}

static void test_append(_unused_ void **state) {
        static const struct {
                const char *text, *key, *value, *expected;
                QemuValueType type;
        } cases[] = {
                {"virtio,netdev=n", "mac", "52:54", "virtio,netdev=n,mac=52:54", QEMU_STRING},
                {"virtio,netdev=n", "x", "a,b", "virtio,netdev=n,x=a,,b", QEMU_STRING},
                {"virtio,netdev=n,", "mac", "52:54", "virtio,netdev=n,mac=52:54", QEMU_STRING},
                {"virtio,a=1,,", "mac", "52:54", "virtio,a=1,,,mac=52:54", QEMU_STRING},
                {"virtio,a=1,,,", "mac", "52:54", "virtio,a=1,,,mac=52:54", QEMU_STRING},
                {"virtio,a=1,,2", "vectors", "6", "virtio,a=1,,2,vectors=6", QEMU_NUMBER},
                {"{\"driver\": \"v\"}", "mac", "52:54", "{\"driver\":\"v\",\"mac\":\"52:54\"}",
                 QEMU_STRING},
                {"{\"driver\": \"v/w\"}", "vectors", "6", "{\"driver\":\"v/w\",\"vectors\":6}",
                 QEMU_NUMBER},
                {"{\"a\": {\"b\": [1, 2.5, null]}}", "mq", "on",
                 "{\"a\":{\"b\":[1,2.5,null]},\"mq\":true}", QEMU_BOOL},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *text = qemu_options_append(cases[i].text, cases[i].key,
                                                                cases[i].value, cases[i].type);

                assert_non_null(text);
                assert_string_equal(text, cases[i].expected);
        }
}

static void test_macs(_unused_ void **state) {
        static const char *const cases[][2] = {
                {"52:54:00:AA:bb:0c", "52:54:00:aa:bb:0c"},
                {"52-54-00-AA-BB-0C", "52:54:00:aa:bb:0c"},
                {"52:54-0:a:b:c", "52:54:00:0a:0b:0c"},
                {"52:54:00:aa:bb", "52:54:00:aa:bb"},
                {"52:54:00:aa:bb:cc:", "52:54:00:aa:bb:cc:"},
                {"52:54:00:aa:bb:ccc", "52:54:00:aa:bb:ccc"},
                {"learn", "learn"},
                {"", ""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *mac = qemu_mac_normalize(cases[i][0]);

                assert_string_equal(mac, cases[i][1]);
        }
}

typedef struct Sections {
        char text[512];
        size_t used;
        int fail; /* what to return */
} Sections;

static int note_section(const char *group, const char *file, QemuOptions *options, void *userdata) {
        Sections *sections = userdata;

        sections->used += (size_t)snprintf(sections->text + sections->used,
                                           sizeof(sections->text) - sections->used, "%s:", group);
        for (size_t i = 0; i < options->n_items; i++)
                sections->used += (size_t)snprintf(
                        sections->text + sections->used, sizeof(sections->text) - sections->used,
                        "%s=%s;", options->items[i].key, options->items[i].value);
        qemu_options_done(options);
        return sections->fail;
}

static void test_config(_unused_ void **state) {
        static const char file[] = "# [memory]\nlost = \"1\"\n[device \"nic0\"]\n  driver = "
                                   "\"virtio-net-pci\"\n\n"
                                   "\tmac=\"52:54:00:00:00:01\"\r\n nothing\n key = "
                                   "unquoted\n[memory]\n  size = \"1G\"\n"
                                   "[ accel ]\n[\n[x \"half]\nend = \"\"";
        _cleanup_temp_dir_ TempDir dir;
        _cleanup_free_ char *path = NULL, *missing = NULL;
        Sections sections = {};
        bool fired = true;

        temp_dir_make(&dir);
        temp_dir_write(&dir, "vm.cfg", file, strlen(file));
        assert_true(asprintf(&path, "%s/vm.cfg", dir.path) > 0 &&
                    asprintf(&missing, "%s/no", dir.path) > 0);
        assert_int_equal(qemu_config_read(path, note_section, &sections), 0);
        assert_string_equal(
                sections.text,
                "device:id=nic0;driver=virtio-net-pci;mac=52:54:00:00:00:01;memory:size=1G;"
                "accel::x:end=;");
        sections = (Sections){.fail = -EIO};
        assert_int_equal(qemu_config_read(path, note_section, &sections), -EIO);
        assert_int_equal(qemu_config_read(missing, note_section, &sections), -ENOENT);
        /* What can be read once only stays QEMU's. */
        assert_int_equal(qemu_config_read("/dev/null", note_section, &sections), -EINVAL);
        assert_int_equal(qemu_config_read(dir.path, note_section, &sections), -EINVAL);
        for (unsigned n = 1; fired; n++) {
                int r;

                sections = (Sections){};
                fault_arm(n, ENOMEM);
                r = qemu_config_read(path, note_section, &sections);
                fired = fault_disarm();
                assert_int_equal(r, fired ? -ENOMEM : 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain_options), cmocka_unit_test(test_json_options),
                cmocka_unit_test(test_append),        cmocka_unit_test(test_macs),
                cmocka_unit_test(test_config),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
