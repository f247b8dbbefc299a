/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rawnetctl's commands: name, arguments and explanation of each, defined once. --help, the
 * completions of the shells and tests/lint-options use this table.
 */

#include "common/util.h"

typedef struct VerbOption {
        const char *name; /* without the dashes */
        /* NULL: takes none; "[BOOL]": may follow behind =. Words in small letters, with | between
         * them, stand for themselves; complete.c knows the others. */
        const char *value;
        const char *help;
} VerbOption;

typedef struct Verb {
        const char *name;
        int (*run)(int argc, char **argv); /* gets argv from the name on, returns the exit status */
        const char *summary;               /* a few words, for the list of commands */
        const char *synopsis;              /* what follows the name; a line for each form */
        /* The arguments for completion, with blanks between them, each as an option's value; "CMD"
         * is a command line of its own, so that nothing behind it is rawnetctl's. NULL: none. */
        const char *arguments;
        const char *text;          /* paragraphs, lines of 79 columns at most */
        const char *example;       /* lines to paste */
        const VerbOption *options; /* NULL, or up to one without a name */
} Verb;

extern const Verb verbs[];
extern const size_t n_verbs;

/* NULL: there is none of that name. */
const Verb *verb_find(const char *name);
/* The verb that a wrong name may have meant (network, lists), or NULL. */
const Verb *verb_guess(const char *name);
