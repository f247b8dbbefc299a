/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A terminal that shows one picture, on the alternate screen, and gives single keys. Every way out
 * of the program must leave the screen that it entered.
 */

#include <termios.h>

#include "common/util.h"

typedef struct FullScreen {
        bool entered;
        struct termios before;
} FullScreen;

/* Keys that are no characters. */
enum {
        KEY_UP = 256,
        KEY_DOWN,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
};

/* Are standard input and output terminals, and of a kind that has a cursor (TERM)? */
bool full_screen_is_possible(void);

/* Sets the modes again where the terminal may have others: after SIGCONT. 0 or -errno. */
int full_screen_enter(FullScreen *screen);
void full_screen_leave(FullScreen *screen);

/* Shows the first n_lines lines of text, which each end in a newline, and empty ones below; of a
 * line what fits into width columns. text may have the sequences of screen_tone(). A terminal that
 * takes nothing at the moment keeps what it shows: to wait for it would be to hear no signal. 0 or
 * -errno. */
int full_screen_draw(const char *text, unsigned n_lines, unsigned width);

/* The next key of n > 0 bytes that were read: a character, one of those above, or 0 for a sequence
 * that means nothing here. Takes *ret_used bytes. */
int full_screen_key(const char *bytes, size_t n, size_t *ret_used);
