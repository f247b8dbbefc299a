/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl log: becomes journalctl(1) with the matches for rawnetd's events. journalctl knows how
 * to read times, to page and to say that entries of others are hidden; here is only what to look
 * for. An entry counts by _SYSTEMD_UNIT=, which journald itself writes: everybody may log the
 * fields RAWNET_*.
 */

#include <string.h>

#include "client/client.h"
#include "client/parse.h"
#include "common/mac.h"
#include "common/names.h"
#include "common/text.h"

/* Those of common/names.h. */
static const char *const events[] = {
        RAWNET_EVENT_OPENED,  RAWNET_EVENT_REFUSED, RAWNET_EVENT_ENDED,
        RAWNET_EVENT_REVOKED, RAWNET_EVENT_FOUND,   RAWNET_EVENT_KERNEL_REFUSED,
        RAWNET_EVENT_DROPPED, RAWNET_EVENT_LEARNED, RAWNET_EVENT_ADDRESS_REFUSED,
};

/* Two alternatives, each with the unit, all events and what is looked for; the options. */
#define WORDS_MAX (2 * (ARRAY_SIZE(events) + 2) + 8)

typedef struct Words {
        char *word[WORDS_MAX + 1]; /* owned, NULL behind the last */
        size_t n;
        bool failed; /* no memory */
} Words;

static void words_done(Words *words) {
        while (words->n > 0)
                free(words->word[--words->n]);
}

_printf_(2, 3) static void add(Words *words, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = words->n < WORDS_MAX ? vasprintf(&words->word[words->n], format, ap) : -1;
        va_end(ap);
        if (r < 0) {
                words->failed = true;
                words->word[words->n] = NULL;
        } else
                words->n++;
}

/* journalctl(1): matches of one field are alternatives, those of different fields must all hold. */
static void add_events(Words *words) {
        add(words, "_SYSTEMD_UNIT=rawnetd.service");
        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
                add(words, "MESSAGE_ID=%s", events[i]);
}

/* An ID and an address are told by their form. Any other text may be a network or a name. */
static void add_subject(Words *words, const char *subject) {
        char text[MAC_TEXT_SIZE];
        MacAddress mac;
        uint32_t id;

        add_events(words);
        if (!subject)
                return;
        if (lease_id_parse(subject, &id) == 0)
                add(words, "RAWNET_LEASE=" RAWNET_PORT_NAME_FORMAT, id);
        else if (mac_parse(subject, &mac) == 0)
                add(words, "RAWNET_MAC=%s", mac_format(&mac, text));
        else {
                add(words, "RAWNET_NETWORK=%s", subject);
                add(words, "+");
                add_events(words);
                add(words, "RAWNET_NAME=%s", subject);
        }
}

int verb_log(int argc, char **argv) {
        static const struct option options[] = {{"since", required_argument, NULL, 's'},
                                                {"until", required_argument, NULL, 'u'},
                                                {"json", no_argument, NULL, 'j'},
                                                {}};
        _cleanup_(words_done) Words words = {};
        const char *subject;
        int c;

        add(&words, "journalctl");
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0)
                switch (c) {
                case 's':
                        add(&words, "--since=%s", optarg);
                        break;
                case 'u':
                        add(&words, "--until=%s", optarg);
                        break;
                case 'j':
                        add(&words, "--output=json");
                        break;
                default:
                        return say_bad_option(c, argv);
                }
        if (argc - optind > 1) {
                log_error("log: one network, ID, name or MAC address (rawnetctl log lab)");
                return EXIT_USAGE;
        }
        subject = argv[optind];
        if (subject && (!*subject || !text_is_printable_ascii(subject))) {
                log_error("log: no network or lease has such a name; give a network, an ID, a name "
                          "or a MAC address");
                return EXIT_USAGE;
        }
        add_subject(&words, subject);
        if (words.failed) {
                log_error("log: out of memory, or an option that is given too often");
                return EXIT_FAILURE;
        }
        return run_program(words.word);
}
