/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guard-case.h"

#include <unistd.h>

#include "common/text.h"

#define RETURNED_REDIRECT 7u /* TC_ACT_REDIRECT */

GuardRun guard_real, guard_probe;

static const struct {
        const char *name, *bytes;
} words[] = {
        {"own", "525400123456"},   {"gw", "0200000000fe"},    {"other", "020000000001"},
        {"all", "ffffffffffff"},   {"group", "01005e000001"}, {"bridges", "0180c2000000"},
        {"above", "0180c2000010"}, {"cdp", "01000ccccccc"},   {"pvst", "01000ccccccd"},
        {"snap", "aaaa03000000"},
};

static const char *bytes_of(const char *word, size_t size) {
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strlen(words[i].name) == size && memcmp(words[i].name, word, size) == 0)
                        return words[i].bytes;
        return NULL;
}

static void put_hex(GuardFrame *frame, const char *hex, size_t size) {
        assert_int_equal(size % 2, 0);
        for (size_t i = 0; i < size; i += 2) {
                const int high = text_hex_digit(hex[i]), low = text_hex_digit(hex[i + 1]);

                assert_true(high >= 0 && low >= 0);
                frame->bytes[frame->size++] = (uint8_t)(high << 4 | low);
        }
}

GuardFrame guard_case_frame(const char *text, size_t size) {
        GuardFrame frame = {};

        for (const char *word = text + strspn(text, " "); *word;) {
                const size_t length = strcspn(word, " ");
                const char *bytes = bytes_of(word, length);

                if (bytes)
                        put_hex(&frame, bytes, strlen(bytes));
                else if (*word == 'z')
                        for (unsigned n = 0, i = 1; i < length; i++, frame.size += n)
                                frame.size -= n, n = n * 10 + (unsigned)(word[i] - '0');
                else
                        put_hex(&frame, word, length);
                word += length + strspn(word + length, " ");
        }
        frame.size = size > 0 ? size : MAX_OF(frame.size, 60u);
        return frame;
}

void guard_case_rules(GuardRun *run, const Case *c) {
        static const uint8_t own[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
        GuardEntry entry = {
                .longest = c->longest > 0 ? c->longest : LONGEST,
                .flags = (c->flags & SPOOF) ? c->flags & ~SPOOF : c->flags | GUARD_ANTI_SPOOF,
                .to_index = GUARD_PORT | GUARD_RUN_NUMBER,
        };

        entry.ordinary = entry.flags & GUARD_LOCKED ? 0 : entry.longest;
        memcpy(entry.mac, own, sizeof(own));
        *run->entry = entry;
}

static void check_passed(const Case *c, const GuardFrame *before, const GuardFrame *after) {
        const size_t tag = c->untagged ? 4 : 0;

        if (after->size != before->size - tag || memcmp(after->bytes, before->bytes, 12) != 0 ||
            memcmp(after->bytes + 12, before->bytes + 12 + tag, after->size - 12) != 0)
                fail_msg("%s: the frame is not as it was", c->name);
}

void guard_case_check(const char *program, const Case *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const Case *c = &cases[i];
                GuardFrame frame = guard_case_frame(c->frame, c->size);
                GuardVerdict verdict;

                frame.gso_size = c->gso_size;
                guard_case_rules(&guard_real, c);
                assert_int_equal(guard_run(&guard_real, program, &frame, &verdict), 0);
                if (verdict.reason != c->reason)
                        fail_msg("%s: reason %d, not %d", c->name, verdict.reason, c->reason);
                assert_int_equal(verdict.returned,
                                 c->reason == PASS ? RETURNED_REDIRECT : TC_ACT_SHOT);
                if (c->reason == PASS)
                        check_passed(c, &frame, &verdict.after);
        }
}

int guard_case_load(_unused_ void **state) {
        if (guard_run_like_helper() < 0 || guard_run_open(&guard_real, GUARD_REAL) < 0 ||
            guard_run_open(&guard_probe, GUARD_PROBE) < 0)
                return -1;
        return 0;
}

int guard_case_unload(_unused_ void **state) {
        guard_run_close(&guard_real);
        guard_run_close(&guard_probe);
        return 0;
}
