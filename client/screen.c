/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Finds out what the output goes to. */

#include "client/screen.h"

#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#define USUAL_WIDTH 80u /* for a terminal that does not report its size: a serial line */
#define USUAL_HEIGHT 24u

static bool terminal_has_colour(void) {
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        /* https://no-color.org: present and not empty. */
        return !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

void screen_look(int fd, bool legend, Screen *ret) {
        struct winsize size = {};

        *ret = (Screen){.terminal = isatty(fd)};
        if (!ret->terminal)
                return;
        ret->legend = legend;
        ret->colour = terminal_has_colour();
        if (ioctl(fd, TIOCGWINSZ, &size) < 0)
                size = (struct winsize){};
        ret->width = size.ws_col > 0 ? size.ws_col : USUAL_WIDTH;
        ret->height = size.ws_row > 0 ? size.ws_row : USUAL_HEIGHT;
}

/* wcwidth(3) and mbrtowc(3) go by the locale, but all texts here are UTF-8. glibc has this locale
 * built in. */
static locale_t utf8_locale(void) {
        static locale_t locale;

        if (!locale)
                locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        return locale;
}

/* Bytes of the character at text, which is not at its end, and the columns that it takes. */
static size_t next_character(const char *text, size_t *ret_width) {
        mbstate_t state = {};
        wchar_t c;
        size_t n = mbrtowc(&c, text, strlen(text), &state);
        int width;

        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
                *ret_width = 1;
                return 1;
        }
        width = wcwidth(c);
        *ret_width = width < 0 ? 1 : (size_t)width;
        return n;
}

/* As many bytes of text as fit into max columns, and how many columns they take. */
static size_t measure(const char *text, size_t max, size_t *ret_width) {
        locale_t utf8 = utf8_locale(), before = utf8 ? uselocale(utf8) : (locale_t)0;
        size_t n = 0, total = 0;

        while (text[n]) {
                size_t width, length = next_character(text + n, &width);

                if (width > max - total)
                        break;
                n += length;
                total += width;
        }
        if (utf8)
                uselocale(before);
        *ret_width = total;
        return n;
}

size_t screen_text_width(const char *text) {
        size_t width;

        (void)measure(text, SIZE_MAX, &width);
        return width;
}

size_t screen_text_fit(const char *text, size_t width) {
        size_t used;

        return measure(text, width, &used);
}

/* ECMA-48, 8.3.117 (SGR): 1 bold, 2 faint, 31 red, 33 yellow; the terminal's own palette. */
const char *screen_tone(const Screen *screen, Tone tone) {
        static const char *const sequences[] = {
                [TONE_PLAIN] = "",        [TONE_HEADING] = "\033[1m", [TONE_DIM] = "\033[2m",
                [TONE_WARN] = "\033[33m", [TONE_BAD] = "\033[31m",
        };

        return screen->colour ? sequences[tone] : "";
}

const char *screen_tone_end(const Screen *screen, Tone tone) {
        return screen->colour && tone != TONE_PLAIN ? "\033[0m" : "";
}
