/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper/daemon/drops.h"

#include <string.h>

#include "common/log.h"
#include "helper/lock.h"

static void on_dropped(void *data, const GuardEvent *event) {
        const Drops *drops = data;
        AddressPrefix address = {};
        MacAddress source;
        GuardLock lock;

        memcpy(source.octet, event->source, sizeof(source.octet));
        if (event->reason == GUARD_FOREIGN_ADDRESS &&
            guard_program_read_lock(drops->program, event->id, &lock) == 0)
                lock_last(&lock, &address);
        news_dropped(drops->news, event->id, event->reason, &source, &address);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *data) {
        Drops *drops = data;
        int r = guard_watch_read(&drops->watch);

        if (r < 0) {
                log_warning("cannot read the guard's reports of dropped frames: %s", strerror(-r));
                drops_stop(drops);
        }
        return 0;
}

int drops_start(Drops *drops, sd_event *event, const GuardProgram *program, const News *news) {
        int fd, r;

        *drops = (Drops){
                .news = news, .program = program, .watch = {.dropped = on_dropped, .data = drops}};
        if (program->missing[0])
                return 0;
        r = guard_program_watch(program, &drops->watch, &fd);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &drops->source, fd, EPOLLIN, on_readable, drops);
        if (r >= 0)
                r = sd_event_source_set_enabled(drops->source, SD_EVENT_OFF);
        if (r < 0)
                drops_stop(drops);
        return MIN_OF(r, 0);
}

void drops_listen(Drops *drops, bool listens) {
        if (drops->source)
                (void)sd_event_source_set_enabled(drops->source,
                                                  listens ? SD_EVENT_ON : SD_EVENT_OFF);
}

void drops_stop(Drops *drops) {
        drops->source = sd_event_source_disable_unref(drops->source);
        guard_watch_close(&drops->watch);
}
