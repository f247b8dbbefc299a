/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where output goes: a terminal with a width and perhaps with colours, or a pipe or file, which
 * gets data and nothing else.
 */

#include "common/util.h"

typedef enum Tone {
        TONE_PLAIN,
        TONE_HEADING,
        TONE_DIM,
        TONE_WARN,
        TONE_BAD
} Tone;

typedef struct Screen {
        bool terminal;
        bool colour;            /* only on a terminal, never with NO_COLOR (https://no-color.org) */
        bool legend;            /* headings, and hints beside the data */
        unsigned width, height; /* columns and lines of the terminal; 0: no limit */
} Screen;

/* Looks at fd. legend: false where the user asked for none. */
void screen_look(int fd, bool legend, Screen *ret);

/* Columns that a text takes on a terminal: two for a wide character, none for one that combines.
 * text is UTF-8, whatever the locale is. */
size_t screen_text_width(const char *text);

/* Bytes of text that fit into width columns, never a part of a character. */
size_t screen_text_fit(const char *text, size_t width);

/* The escape sequences before and after a text of that tone; "" where there is no colour. */
const char *screen_tone(const Screen *screen, Tone tone);
const char *screen_tone_end(const Screen *screen, Tone tone);
