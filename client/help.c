/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/help.h"

#include <string.h>

#include "client/client.h"

#define LINE_WIDTH 79u
#define HELP_COLUMN 25u /* the column at which an option's explanation begins */

void help_print(FILE *out) {
        fputs("rawnetctl COMMAND [ARGUMENT...]\n"
              "\n"
              "Ports on LANs and VLANs for programs of unprivileged users.\n"
              "\n",
              out);
        for (size_t i = 0; i < n_verbs; i++)
                fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
        fputs("\n"
              "  --help     show this\n"
              "  --version  show the version\n"
              "\n"
              "rawnetctl(1) has the manual.\n",
              out);
}

/* text from column on, words that do not fit on the next line. */
static void print_wrapped(FILE *out, const char *text, size_t column) {
        size_t at = column;

        while (*text) {
                size_t word = strcspn(text, " ");

                if (at > column && at + 1 + word > LINE_WIDTH) {
                        fprintf(out, "\n%*s", (int)column, "");
                        at = column;
                } else if (at > column) {
                        fputc(' ', out);
                        at++;
                }
                fwrite(text, 1, word, out);
                at += word;
                text += word + (text[word] == ' ');
        }
        fputc('\n', out);
}

static void print_option(FILE *out, const VerbOption *option) {
        const char *value = option->value ? option->value : "";
        int n;

        if (*value == '[')
                n = fprintf(out, "  --%s[=%s", option->name, value + 1);
        else
                n = fprintf(out, "  --%s%s%s", option->name, *value ? " " : "", value);
        if (n < 0)
                return;
        if ((size_t)n + 1 >= HELP_COLUMN)
                fprintf(out, "\n%*s", (int)HELP_COLUMN, "");
        else
                fprintf(out, "%*s", (int)HELP_COLUMN - n, "");
        print_wrapped(out, option->help, HELP_COLUMN);
}

/* Writes each line of text with a prefix. */
static void print_lines(FILE *out, const char *before, const char *text) {
        for (const char *line = text; *line;) {
                size_t length = strcspn(line, "\n");

                fprintf(out, "%s%.*s\n", before, (int)length, line);
                line += length + (line[length] == '\n');
        }
}

void help_print_verb(FILE *out, const Verb *verb) {
        _cleanup_free_ char *command = NULL;

        if (asprintf(&command, "rawnetctl %s ", verb->name) < 0)
                command = NULL; /* undefined after an error, printf(3) */
        if (*verb->synopsis)
                print_lines(out, command ? command : "", verb->synopsis);
        else
                fprintf(out, "rawnetctl %s\n", verb->name);
        fprintf(out, "\n%s\n\n", verb->text);
        for (const VerbOption *option = verb->options; option && option->name; option++)
                print_option(out, option);
        fprintf(out, "%sExample:\n\n", verb->options ? "\n" : "");
        print_lines(out, "  ", verb->example);
}

int say_no_verb(const char *name) {
        const Verb *verb = verb_guess(name);

        if (verb)
                log_error("there is no command '%s'; did you mean %s?", name, verb->name);
        else
                log_error("there is no command '%s'; 'rawnetctl help' lists them", name);
        return EXIT_USAGE;
}

static bool is_help(const char *argument) {
        return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

bool help_is_wanted(const Verb *verb, int argc, char **argv) {
        bool command_follows = verb->arguments && strstr(verb->arguments, "CMD");

        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
                if (is_help(argv[i]))
                        return true;
                if (command_follows && argv[i][0] != '-')
                        break;
        }
        return false;
}

int verb_help(int argc, char **argv) {
        const Verb *verb;

        if (argc > 2) {
                log_error("help: too many arguments (rawnetctl help COMMAND)");
                return EXIT_USAGE;
        }
        if (argc < 2) {
                help_print(stdout);
                return EXIT_SUCCESS;
        }
        verb = verb_find(argv[1]);
        if (!verb)
                return say_no_verb(argv[1]);
        help_print_verb(stdout, verb);
        return EXIT_SUCCESS;
}
