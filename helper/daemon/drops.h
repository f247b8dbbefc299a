/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guard's programs report the first frame of each guest and reason that they drop, in a ring
 * buffer (guard-program.h). This is published to rawnetd, which writes the journal. While no rawnetd
 * listens, reports stay in the buffer: it holds more than two thousand, and when it is full the
 * programs leave further ones out.
 */

#include "helper/daemon/news.h"
#include "helper/guard-program.h"

typedef struct Drops {
        const News *news;
        const GuardProgram *program;
        GuardWatch watch;
        sd_event_source *source; /* NULL: there is no guard */
} Drops;

/* The struct stays where it is until drops_stop(). Nothing is read before drops_listen(). 0 or
 * -errno. */
int drops_start(Drops *drops, sd_event *event, const GuardProgram *program, const News *news);
/* Reads reports while a rawnetd is subscribed. */
void drops_listen(Drops *drops, bool listens);
void drops_stop(Drops *drops);
