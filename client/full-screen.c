/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Control sequences are those of ECMA-48, and xterm's private modes 7 (wrap lines), 25 (cursor) and
 * 1049 (alternate screen), which every terminal of today and the kernel's console take or ignore.
 */

#include "client/full-screen.h"

#include <poll.h>
#include <string.h>

#include "client/screen.h"

#define ENTER "\033[?1049h\033[?7l\033[?25l"
#define LEAVE "\033[?25h\033[?7h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"

bool full_screen_is_possible(void) {
        const char *term = getenv("TERM");

        return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
               strcmp(term, "dumb") != 0;
}

static int write_all(const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(STDOUT_FILENO, data, size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        data += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

int full_screen_enter(FullScreen *screen) {
        struct termios modes;

        if (!screen->entered && tcgetattr(STDIN_FILENO, &screen->before) < 0)
                return -errno;
        modes = screen->before;
        modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        modes.c_iflag &=
                ~(tcflag_t)IXON; /* Ctrl-S would stop the output, and with it the program */
        modes.c_cc[VMIN] = 1;
        modes.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSANOW, &modes) < 0)
                return -errno;
        screen->entered = true;
        return write_all(ENTER, strlen(ENTER));
}

void full_screen_leave(FullScreen *screen) {
        if (!screen->entered)
                return;
        screen->entered = false;
        (void)write_all(LEAVE, strlen(LEAVE));
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

/* Writes the part of a line of size bytes that fits, and all sequences, because the tone of the
 * line has to end. */
static void print_line(FILE *out, const char *line, size_t size, size_t width) {
        while (size > 0) {
                bool sequence = *line == '\033';
                const char *end = memchr(line + 1, sequence ? 'm' : '\033', size - 1);
                size_t n = end ? (size_t)(end - line) + sequence : size;
                _cleanup_free_ char *part = strndup(line, n);
                size_t fits = sequence ? n : part ? screen_text_fit(part, width) : 0;

                fwrite(line, 1, fits, out);
                if (!sequence && part) {
                        part[fits] = '\0';
                        width = fits < n ? 0 : width - screen_text_width(part);
                }
                line += n;
                size -= n;
        }
}

int full_screen_draw(const char *text, unsigned n_lines, unsigned width) {
        struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
        _cleanup_free_ char *picture = NULL;
        size_t size = 0;
        FILE *out;

        if (poll(&output, 1, 0) <= 0)
                return 0;
        out = open_memstream(&picture, &size);
        if (!out)
                return -errno;
        fputs(HOME, out);
        for (unsigned i = 0; i < n_lines; i++) {
                size_t length = strcspn(text, "\n");

                /* Clears first: after a line of the full width the cursor is on its last character.
                 * A newline at the end would scroll the picture. */
                fputs(CLEAR_LINE, out);
                print_line(out, text, length, width);
                fputs(i + 1 < n_lines ? "\r\n" : "", out);
                text += length + (text[length] == '\n');
        }
        if (fclose(out) != 0)
                return -errno;
        return write_all(picture, size);
}

/* ECMA-48, 5.4: a control sequence is ESC [, parameters and intermediate bytes, and one byte from @
 * to ~. */
int full_screen_key(const char *bytes, size_t n, size_t *ret_used) {
        static const struct {
                const char *sequence;
                int key;
        } keys[] = {
                {"\033[A", KEY_UP},
                {"\033[B", KEY_DOWN},
                {"\033[5~", KEY_PAGE_UP},
                {"\033[6~", KEY_PAGE_DOWN},
        };
        size_t used = 2;

        *ret_used = 1;
        if (bytes[0] != '\033')
                return (unsigned char)bytes[0];
        if (n < 2 || bytes[1] != '[')
                return 0;
        while (used < n && (bytes[used] < '@' || bytes[used] > '~'))
                used++;
        *ret_used = MIN_OF(used + 1, n);
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (strlen(keys[i].sequence) == *ret_used &&
                    memcmp(bytes, keys[i].sequence, *ret_used) == 0)
                        return keys[i].key;
        return 0;
}
