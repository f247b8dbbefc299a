/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "client/complete.h"

#include <inttypes.h>
#include <string.h>

#include "client/client.h"
#include "client/parse.h"

#define PATIENCE_SECONDS 3u

/* The word to complete: candidates are printed with head in front, and have to begin with typed. */
typedef struct Current {
        FILE *out;
        const Objects *objects;
        const char *head, *typed;
        size_t head_length;
        size_t index; /* of the word */
} Current;

static void offer(const Current *current, const char *word, const char *explanation) {
        if (strncmp(word, current->typed, strlen(current->typed)) == 0)
                fprintf(current->out, "%.*s%s\t%s\n", (int)current->head_length, current->head,
                        word, explanation ? explanation : "");
}

static void offer_networks(const Current *current) {
        for (size_t i = 0; i < current->objects->n_networks; i++)
                offer(current, current->objects->networks[i].name,
                      current->objects->networks[i].description);
}

/* Names that a shell would have to quote are not offered. */
static bool is_plain(const char *name) {
        for (; *name; name++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
                            *name))
                        return false;
        return true;
}

/* Offers leases by their IDs, and by their names, too, once something is typed. */
static void offer_leases(const Current *current) {
        for (size_t i = 0; i < current->objects->n_leases; i++) {
                const LeaseObject *lease = &current->objects->leases[i];
                _cleanup_free_ char *explanation = NULL;
                char id[LEASE_ID_TEXT_SIZE];

                if (asprintf(&explanation, "%s %s on %s", lease->kind, lease->name,
                             lease->network) < 0)
                        explanation = NULL; /* undefined after an error, printf(3) */
                offer(current, lease_id_format(lease->id, id), explanation);
                if (*current->typed && *lease->name && *lease->name != '-' && is_plain(lease->name))
                        offer(current, lease->name, explanation);
        }
}

static void offer_verbs(const Current *current) {
        for (size_t i = 0; i < n_verbs; i++)
                offer(current, verbs[i].name, verbs[i].summary);
}

static void offer_value(const Current *current, const char *value);

/* NAME=NETWORK: only the part behind the = is completed. */
static void offer_named_network(const Current *current) {
        const char *equals = strchr(current->typed, '=');
        Current behind = *current;

        if (!equals)
                return;
        behind.head_length += (size_t)(equals + 1 - current->typed);
        behind.typed = equals + 1;
        offer_networks(&behind);
}

static void offer_alternative(const Current *current, const char *value) {
        if (strcmp(value, "NETWORK") == 0)
                offer_networks(current);
        else if (strcmp(value, "NAME=NETWORK") == 0)
                offer_named_network(current);
        else if (strcmp(value, "ID") == 0)
                offer_leases(current);
        else if (strcmp(value, "COMMAND") == 0)
                offer_verbs(current);
        else if (strcmp(value, "BOOL") == 0)
                offer_value(current, "yes|no");
        else if (strcmp(value, "PATH") == 0 || strcmp(value, "SOCKET") == 0)
                fputs(":files\n", current->out);
        else if (strcmp(value, "USER") == 0)
                fputs(":users\n", current->out);
        else if (strcmp(value, "CMD") == 0)
                fprintf(current->out, ":command %zu\n", current->index);
        else if (*value >= 'a' && *value <= 'z')
                offer(current, value, "");
}

/* value as VerbOption has it, without brackets. */
static void offer_value(const Current *current, const char *value) {
        while (*value) {
                size_t length = strcspn(value, "|");
                _cleanup_free_ char *one = strndup(value, length);

                if (one)
                        offer_alternative(current, one);
                value += length + (value[length] == '|');
        }
}

static const VerbOption *find_option(const Verb *verb, const char *name, size_t length) {
        for (const VerbOption *option = verb->options; option && option->name; option++)
                if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
                        return option;
        return NULL;
}

static void offer_options(const Current *current, const Verb *verb) {
        for (const VerbOption *option = verb->options; option && option->name; option++) {
                _cleanup_free_ char *word = NULL;

                if (asprintf(&word, "--%s", option->name) < 0)
                        return;
                offer(current, word, option->help);
        }
        if (verb->arguments && strstr(verb->arguments, "CMD"))
                offer(current, "--", "the command follows");
}

/* What the words before the current one say. */
typedef struct Line {
        const VerbOption *pending; /* takes the current word */
        size_t n_arguments;
        bool options_over; /* after -- */
        size_t command;    /* where a command line of its own begins, 0: it does not yet */
} Line;

/* The n-th of words with blanks between, NULL: there are not so many. */
static char *nth_word(const char *words, size_t n) {
        while (words && n-- > 0) {
                words = strchr(words, ' ');
                if (words)
                        words++;
        }
        return words ? strndup(words, strcspn(words, " ")) : NULL;
}

static bool is_command(const Verb *verb, size_t argument) {
        _cleanup_free_ char *word = nth_word(verb->arguments, argument);

        return word && strcmp(word, "CMD") == 0;
}

static void read_option(const Verb *verb, const char *word, Line *line) {
        size_t length = strcspn(word, "=");
        const VerbOption *option = find_option(verb, word, length);

        if (!option)
                return;
        /* run takes its networks from there, and the command is the first argument. */
        if (option->value && strcmp(option->value, "NAME=NETWORK") == 0)
                line->n_arguments = MAX_OF(line->n_arguments, 1u);
        if (option->value && *option->value != '[' && word[length] != '=')
                line->pending = option;
}

/* words[0] is the verb, words[n - 1] the current one. */
static void read_line(const Verb *verb, size_t n, char *const *words, Line *ret) {
        *ret = (Line){};
        for (size_t i = 1; i + 1 < n; i++) {
                const char *word = words[i];

                if (ret->pending) {
                        ret->pending = NULL;
                } else if (!ret->options_over && strcmp(word, "--") == 0) {
                        ret->options_over = true;
                } else if (!ret->options_over && strncmp(word, "--", 2) == 0) {
                        read_option(verb, word + 2, ret);
                } else if (is_command(verb, ret->n_arguments)) {
                        ret->command = i;
                        return;
                } else
                        ret->n_arguments++;
        }
}

static void complete_verb(Current *current, const Verb *verb, size_t n, char *const *words) {
        const char *equals = strchr(current->typed, '=');
        _cleanup_free_ char *argument = NULL;
        Line line;

        read_line(verb, n, words, &line);
        if (line.command > 0) {
                current->index = line.command;
                offer_value(current, "CMD");
                return;
        }
        if (line.pending) {
                offer_value(current, line.pending->value);
                return;
        }
        if (!line.options_over && current->typed[0] == '-' && equals) {
                const VerbOption *option = find_option(verb, current->typed + 2,
                                                       (size_t)(equals - current->typed) - 2);

                if (equals - current->typed <= 2 || !option || !option->value)
                        return;
                argument = strndup(option->value + (*option->value == '['),
                                   strcspn(option->value, "]"));
                if (argument && *option->value == '[')
                        argument[strcspn(argument, "]")] = '\0';
                current->head_length = (size_t)(equals + 1 - current->typed);
                current->typed = equals + 1;
                if (argument)
                        offer_value(current, argument);
                return;
        }
        if (!line.options_over && current->typed[0] == '-') {
                offer_options(current, verb);
                return;
        }
        argument = nth_word(verb->arguments, line.n_arguments);
        if (argument)
                offer_value(current, argument);
}

void complete_print(FILE *out, const Objects *objects, size_t n, char *const *words) {
        Current current = {.out = out, .objects = objects};
        const Verb *verb;

        if (n == 0)
                return;
        current.index = n - 1;
        current.head = current.typed = words[n - 1];
        if (n > 1) {
                verb = verb_find(words[0]);
                if (verb)
                        complete_verb(&current, verb, n, words);
                return;
        }
        offer_verbs(&current);
        offer(&current, "--help", "show the list of commands");
        offer(&current, "--version", "show the version");
}

int complete_words(FILE *out, int n, char **words) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(objects_done) Objects objects = {};
        Refusal refusal;

        alarm(PATIENCE_SECONDS); /* which ends the program */
        if (n > 1 && bus_connect(&bus, &refusal) == 0)
                (void)objects_read(bus, &objects, &refusal);
        complete_print(out, &objects, (size_t)n, words);
        return EXIT_SUCCESS;
}
