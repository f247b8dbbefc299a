/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * rawnetctl top: live rates of all leases. On a terminal one picture that is drawn anew, with keys;
 * elsewhere, and with --count and --json, one table after the other.
 */

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "client/client.h"
#include "client/full-screen.h"
#include "client/parse.h"
#include "client/rate-poll.h"
#include "client/top-view.h"
#include "common/clock.h"
#include "common/text.h"

#define SECOND UINT64_C(1000000) /* µs */
#define INTERVAL_MIN (SECOND / 10)
#define INTERVAL_MAX (3600 * SECOND)

typedef struct Top {
        sd_event *event;
        sd_event_source *tick;
        RateTable table;
        RatePoll *poll;
        TopView view;
        Screen screen;
        FullScreen full;
        bool json, interactive;
        uint64_t interval, next; /* µs; of the next tick, CLOCK_MONOTONIC */
        uint32_t count;          /* tables to print; 0: no end */
        unsigned n_rounds, n_tables;
        bool late;       /* a round was due while the last one was still running */
        bool warned;     /* it was said that tables come late */
        Refusal trouble; /* of the last round */
        /* The error that ended the loop, reported once the terminal is restored. */
        int failure, signal;
        Refusal refusal;
} Top;

/* The signals that end the program, those of job control, and a new size of the terminal. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};

static void fail(Top *top, int r, const Refusal *refusal) {
        top->failure = r;
        if (refusal)
                top->refusal = *refusal;
        sd_event_exit(top->event, EXIT_FAILURE);
}

static void draw(Top *top) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r = out ? top_view_picture(&top->view, &top->screen,
                                       top->trouble.error ? &top->trouble : NULL, out)
                    : -ENOMEM;

        if (out && fclose(out) != 0 && r >= 0)
                r = -ENOMEM;
        if (r >= 0)
                r = full_screen_draw(text, top->screen.height, top->screen.width);
        if (r < 0)
                fail(top, r, NULL);
}

static void print_table(Top *top) {
        int r;

        if (top->screen.legend && !top->json && top->n_tables > 0)
                putchar('\n');
        r = top->json ? top_view_json(&top->view, stdout)
                      : top_view_table(&top->view, &top->screen, stdout);
        top->n_tables++;
        if (r < 0)
                fail(top, r, NULL);
        else if (fflush(stdout) != 0) /* main() says why */
                sd_event_exit(top->event, EXIT_FAILURE);
        else if (top->n_tables == top->count)
                sd_event_exit(top->event, EXIT_SUCCESS);
}

/* Tables show all leases. Where they come later than the user asked for, a line says why. */
static void warn_slow(Top *top) {
        uint64_t usec = top->table.n * SECOND / RATE_POLL_CALLS_PER_SECOND;

        if (top->interactive || top->warned || usec <= top->interval)
                return;
        top->warned = true;
        log_warning("top: a table of %zu leases takes %" PRIu64
                    " s or more; at most %u leases are read in a second",
                    top->table.n, usec / SECOND + 1, RATE_POLL_CALLS_PER_SECOND);
}

static void begin_round(Top *top) {
        int r;

        warn_slow(top);
        r = rate_poll_start(top->poll, top->view.per_round);
        if (r < 0)
                fail(top, r, NULL);
}

static void on_round_done(void *userdata, const Refusal *refusal) {
        Top *top = userdata;

        top->n_rounds++;
        top->trouble = refusal ? *refusal : (Refusal){};
        if (top->interactive)
                draw(top);
        else if (refusal)
                log_warning("%s", refusal->text);
        if (!top->interactive && top->n_rounds > 1)
                print_table(top);
        if (!top->late)
                return;
        top->late = false;
        begin_round(top);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);
        Top *top = userdata;
        int r;

        top->next += top->interval;
        if (top->next < now)
                top->next = now + top->interval;
        r = sd_event_source_set_time(source, top->next);
        if (r < 0)
                return r;
        top->late = rate_poll_is_running(top->poll);
        if (!top->late)
                begin_round(top);
        else if (top->interactive)
                draw(top);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void press(Top *top, int key) {
        size_t page = top_view_rows(&top->view, &top->screen);
        size_t last = top->table.n - MIN_OF(page, top->table.n);
        TopView *view = &top->view;

        for (unsigned i = 0; i < RATE_ORDER_COUNT; i++)
                if (key == *rate_order_to_string((RateOrder)i)) {
                        view->order = (RateOrder)i;
                        view->first = 0;
                }
        switch (key) {
        case 'q':
                sd_event_exit(top->event, EXIT_SUCCESS);
                break;
        case KEY_UP:
                view->first -= MIN_OF(view->first, (size_t)1);
                break;
        case KEY_DOWN:
                view->first = MIN_OF(view->first + 1, last);
                break;
        case KEY_PAGE_UP:
                view->first -= MIN_OF(view->first, page);
                break;
        case KEY_PAGE_DOWN:
                view->first = MIN_OF(view->first + page, last);
                break;
        }
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Top *top = userdata;
        char bytes[256];
        ssize_t n = read(fd, bytes, sizeof(bytes));
        size_t used;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n <= 0) /* the terminal has gone */
                return sd_event_exit(top->event, EXIT_SUCCESS);
        for (size_t at = 0; at < (size_t)n; at += used)
                press(top, full_screen_key(bytes + at, (size_t)n - at, &used));
        draw(top);
        return 0;
}

/* The reader has gone: rawnetctl ends now, and not at the next table. */
static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Top *top = userdata;

        return sd_event_exit(top->event, EXIT_SUCCESS);
}

/* Stops as if SIGTSTP were not caught, and restores the screen when the user continues the program.
 */
static int suspend(Top *top) {
        sigset_t set;

        full_screen_leave(&top->full);
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        raise(SIGTSTP);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        return full_screen_enter(&top->full);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Top *top = userdata;
        int r = 0;

        switch (si->ssi_signo) {
        case SIGTSTP:
                r = suspend(top);
                break;
        case SIGCONT:
                r = full_screen_enter(&top->full);
                break;
        case SIGWINCH:
                break;
        default:
                top->signal = (int)si->ssi_signo;
                return sd_event_exit(top->event, EXIT_FAILURE);
        }
        if (r < 0) {
                fail(top, r, NULL);
                return 0;
        }
        screen_look(STDOUT_FILENO, true, &top->screen);
        draw(top);
        return 0;
}

static int start_output(Top *top) {
        /* EPOLLERR and EPOLLHUP need not be asked for. A file has neither: EPERM. */
        int r = sd_event_add_io(top->event, NULL, STDOUT_FILENO, 0, on_output, top);

        return r == -EPERM ? 0 : r;
}

static void signal_set(sigset_t *ret) {
        sigemptyset(ret);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                sigaddset(ret, signals[i]);
}

static int start_full_screen(Top *top) {
        sigset_t set;
        int r;

        signal_set(&set);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        r = sd_event_add_io(top->event, NULL, STDIN_FILENO, EPOLLIN, on_input, top);
        for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
                r = sd_event_add_signal(top->event, NULL, signals[i], on_signal, top);
        if (r >= 0)
                r = full_screen_enter(&top->full);
        if (r >= 0)
                draw(top);
        return r;
}

static void on_lease(void *userdata, WatchEvent event, const LeaseObject *lease,
                     const char *reason) {
        bool over = event == WATCH_ENDED || event == WATCH_REMOVED ||
                    strcmp(lease->state, "ended") == 0;
        Top *top = userdata;
        RatedLease *known = rate_table_find(&top->table, lease->id);
        int r = 0;

        if (over)
                rate_table_remove(&top->table, lease->id);
        else if (!known || known->since != lease->since)
                r = rate_table_add(&top->table, lease->id, lease->since);
        if (r < 0)
                fail(top, r, NULL);
}

static void on_listed(void *userdata) {
        Top *top = userdata;
        int r;

        top->next = clock_usec(CLOCK_MONOTONIC) + top->interval;
        r = top->interactive ? start_full_screen(top) : start_output(top);
        if (r >= 0)
                r = sd_event_add_time(top->event, &top->tick, CLOCK_MONOTONIC, top->next, 1,
                                      on_tick, top);
        if (r < 0)
                fail(top, r, NULL);
        else
                begin_round(top);
}

static void on_failed(void *userdata, int r, const Refusal *refusal) {
        fail(userdata, r, refusal);
}

/* Returns the exit status, or ends the program by the signal that it got. */
static int loop(Top *top, sd_bus *bus) {
        int r = sd_event_loop(top->event);

        full_screen_leave(&top->full);
        sd_bus_detach_event(bus);
        if (r < 0)
                return say_failure(r, NULL);
        if (top->failure != 0)
                return say_failure(top->failure, &top->refusal);
        if (top->signal != 0) {
                sigset_t set;

                signal_set(&set);
                raise(top->signal);
                (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        }
        return r;
}

static int run(Top *top) {
        static const WatchHandler handler = {
                .lease = on_lease, .listed = on_listed, .failed = on_failed};
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_(watch_freep) Watch *watch = NULL;
        Refusal refusal = {};
        int r;

        r = bus_connect_to(top->event, &bus, &refusal);
        if (r == 0)
                r = rate_poll_new(bus, top->event, &top->table, on_round_done, top, &top->poll);
        if (r == 0)
                r = watch_start(bus, &handler, top, &watch, &refusal);
        if (r != 0)
                return say_failure(r, &refusal);
        top->view.watch = watch;
        return loop(top, bus);
}

static bool take_option(Top *top, int c, const char *value) {
        switch (c) {
        case 'j':
                top->json = true;
                return true;
        case 's':
                if (rate_order_from_string(value, &top->view.order) >= 0)
                        return true;
                log_error("top: --sort is total, received, sent, frames, dropped or name, not '%s'",
                          value);
                return false;
        case 'i':
                if (parse_seconds(value, INTERVAL_MIN, INTERVAL_MAX, &top->interval) >= 0)
                        return true;
                log_error("top: --interval is a number of seconds from 0.1 to 3600, not '%s'",
                          value);
                return false;
        default:
                if (text_parse_u32(value, 1, UINT32_MAX, &top->count) >= 0)
                        return true;
                log_error("top: --count is a number of tables from 1 up, not '%s'", value);
                return false;
        }
}

/* 0 or EXIT_USAGE. */
static int parse(int argc, char **argv, Top *top) {
        static const struct option options[] = {{"sort", required_argument, NULL, 's'},
                                                {"interval", required_argument, NULL, 'i'},
                                                {"count", required_argument, NULL, 'n'},
                                                {"json", no_argument, NULL, 'j'},
                                                {}};
        int c;

        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                if (c == '?' || c == ':')
                        return say_bad_option(c, argv);
                if (!take_option(top, c, optarg))
                        return EXIT_USAGE;
        }
        if (optind < argc) {
                log_error("top: too many arguments (see 'rawnetctl help top')");
                return EXIT_USAGE;
        }
        return 0;
}

int verb_top(int argc, char **argv) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Top top = {.interval = SECOND};
        int r;

        r = parse(argc, argv, &top);
        if (r != 0)
                return r;
        r = sd_event_new(&event);
        if (r < 0)
                return say_failure(r, NULL);
        top.event = event;
        top.view.table = &top.table;
        top.interactive = !top.json && top.count == 0 && full_screen_is_possible();
        /* On a terminal only what one second allows, so that a round is over before the next. */
        top.view.per_round = top.interactive ? (size_t)(RATE_POLL_CALLS_PER_SECOND *
                                                        MIN_OF(top.interval, SECOND) / SECOND)
                                             : SIZE_MAX;
        screen_look(STDOUT_FILENO, true, &top.screen);
        r = run(&top);
        sd_event_source_disable_unref(top.tick);
        rate_poll_free(top.poll);
        rate_table_done(&top.table);
        top_view_done(&top.view);
        return r;
}
