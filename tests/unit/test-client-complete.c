/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The table of commands, their help, and what the completions of the shells offer.
 */

#include "client/complete.h"
#include "client/help.h"

#include "test.h"

static const Objects objects = {
        .networks = (NetworkObject[]){{.name = (char *)"lab", .description = (char *)"The lab"},
                                      {.name = (char *)"lan", .description = (char *)""}},
        .n_networks = 2,
        .leases = (LeaseObject[]){{.id = 0x7fff0001,
                                   .kind = (char *)"tap",
                                   .network = (char *)"lab",
                                   .name = (char *)"web"},
                                  {.id = 0x7fff0002,
                                   .kind = (char *)"tap",
                                   .network = (char *)"lab",
                                   .name = (char *)"two words"}},
        .n_leases = 2,
};

/* words: what is typed, with blanks between; the answer's first words, with blanks between. */
static void assert_offered(const char *line, const char *expected) {
        _cleanup_free_ char *copy = strdup(line), *text = NULL;
        char *words[16], answer[1024] = "";
        size_t n = 0, size = 0;
        FILE *out = open_memstream(&text, &size);

        assert_true(copy && out);
        for (char *at = copy; at; n++) {
                assert_true(n < ARRAY_SIZE(words));
                words[n] = strsep(&at, " ");
        }
        complete_print(out, &objects, n, words);
        fclose(out);
        for (char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
                snprintf(answer + strlen(answer), sizeof(answer) - strlen(answer), "%s%.*s",
                         *answer ? " " : "", (int)strcspn(at, "\t\n"), at);
        if (strcmp(answer, expected) != 0)
                fail_msg("'%s' gave '%s', not '%s'", line, answer, expected);
}

static void test_commands(_unused_ void **state) {
        assert_offered("st", "stat");
        assert_offered("--", "--help --version");
        assert_offered("help net", "networks");
        assert_offered("nothing lab", "");
        assert_offered("nothing", "");
}

/* Every option of every command, and none behind --. */
static void test_options(_unused_ void **state) {
        assert_offered("list -", "--json --no-legend");
        assert_offered("stat --a", "--all");
        assert_offered(
                "run -",
                "--kind --mac --name --address --rate --queues --vhost --vnet-hdr --port --interface --dhcp --tap --");
        assert_offered("close -", "");
        assert_offered("stat -- -", "");
        for (size_t i = 0; i < n_verbs; i++)
                for (const VerbOption *option = verbs[i].options; option && option->name;
                     option++) {
                        char line[128], word[64];

                        snprintf(word, sizeof(word), "--%s", option->name);
                        snprintf(line, sizeof(line), "%s %s", verbs[i].name, word);
                        assert_offered(line, word);
                }
}

static void test_values(_unused_ void **state) {
        assert_offered("run --kind ", "tap packet veth");
        assert_offered("run --kind p", "packet");
        assert_offered("run --kind=p", "--kind=packet");
        assert_offered("run --mac ", "learn");
        assert_offered("run --vnet-hdr ", "yes no");
        assert_offered("run --vhost=", "--vhost=yes --vhost=no");
        assert_offered("run --vhost l", "lab lan");
        assert_offered("run --name ", "");
        assert_offered("run --dhcp l", "lab lan");
        assert_offered("run --tap tap0 l", "lab lan");
        assert_offered("run --kind v", "veth");
        assert_offered("run --port a", "");
        assert_offered("run --port a=la", "a=lab a=lan");
        assert_offered("run --port=a=lan", "--port=a=lan");
        assert_offered("run --nothing=", "");
        assert_offered("run --=", "");
        assert_offered("run -=", "");
        assert_offered("vhost --socket /", ":files");
        assert_offered("vhost --allow-user r", ":users");
        assert_offered("plug --qmp ", ":files");
        assert_offered("plug --id ", "");
}

static void test_arguments(_unused_ void **state) {
        assert_offered("check ", "lab lan");
        assert_offered("check --json lan", "lan");
        assert_offered("check lab ", "");
        assert_offered("host ", "up down");
        assert_offered("host up ", "lab lan");
        assert_offered("vhost --socket /x --name y la", "lab lan");
        assert_offered("plug --qmp /x ", "lab lan");
        assert_offered("list ", "");
}

/* IDs; names once something is typed, but none that a shell has to quote. */
static void test_leases(_unused_ void **state) {
        assert_offered("stat ", "rn7fff0001 rn7fff0002");
        assert_offered("stat --all w", "web");
        assert_offered("close t", "");
        assert_offered("unplug --qmp /x rn", "");
}

/* The command of run and qemu is another's. */
static void test_other_commands(_unused_ void **state) {
        assert_offered("run lab -- ls -", ":command 3");
        assert_offered("run lab -- l", ":command 3");
        assert_offered("run lab l", ":command 2");
        assert_offered("run --name x lab -- ", ":command 5");
        assert_offered("run --port a=lab -- env -", ":command 4");
        assert_offered("run --port a=lab l", ":command 3");
        assert_offered("qemu --dry-run qemu-system-x86_64 -", ":command 2");
        assert_offered("qemu -- q", ":command 2");
        assert_offered("qemu -", "--dry-run --");
}

/* Whole, at most 79 columns wide, with an example of that command. */
static void test_help(_unused_ void **state) {
        for (size_t i = 0; i <= n_verbs; i++) {
                _cleanup_free_ char *text = NULL;
                size_t size = 0;
                FILE *out = open_memstream(&text, &size);

                assert_true(out);
                if (i < n_verbs)
                        help_print_verb(out, &verbs[i]);
                else
                        help_print(out);
                fclose(out);
                for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
                        if (strcspn(at, "\n") > 79)
                                fail_msg("too long: %.*s", (int)strcspn(at, "\n"), at);
                for (size_t k = 0; i == n_verbs && k < n_verbs; k++)
                        assert_non_null(strstr(text, verbs[k].summary));
                if (i < n_verbs) {
                        char start[64];

                        snprintf(start, sizeof(start), "rawnetctl %s", verbs[i].name);
                        assert_int_equal(strncmp(text, start, strlen(start)), 0);
                        assert_non_null(strstr(strstr(text, "Example:"), start));
                }
        }
}

static bool wants_help(const char *line) {
        _cleanup_free_ char *copy = strdup(line);
        char *words[16];
        int n = 0;

        assert_true(copy);
        for (char *at = copy; at; n++)
                words[n] = strsep(&at, " ");
        return help_is_wanted(verb_find(words[0]), n, words);
}

static void test_help_is_wanted(_unused_ void **state) {
        assert_true(wants_help("list --help"));
        assert_true(wants_help("list --json -h"));
        assert_true(wants_help("stat web --help"));
        assert_true(wants_help("run --vhost --help"));
        assert_false(wants_help("run lab --help"));
        assert_false(wants_help("run lab -- ls --help"));
        assert_false(wants_help("qemu qemu-system-x86_64 -h"));
        assert_false(wants_help("stat -- --help"));
        assert_false(wants_help("list"));
        assert_string_equal(verb_guess("network")->name, "networks");
        assert_string_equal(verb_guess("lists")->name, "list");
        assert_null(verb_guess("li"));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands), cmocka_unit_test(test_options),
                cmocka_unit_test(test_values),   cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_leases),   cmocka_unit_test(test_other_commands),
                cmocka_unit_test(test_help),     cmocka_unit_test(test_help_is_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
