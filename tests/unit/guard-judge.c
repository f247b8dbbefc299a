/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What the guard's programs decide about the frames on stdin, for tests/netns/test_guard_model.py.
 *
 *   guard-judge [--probe] [ADDRESS...]
 *
 * --probe: the programs of GUARD_PROBE (guard-run.h). ADDRESS...: the lock of leases with
 * GUARD_LOCKED.
 *
 * A question is a struct Question and a frame, its answer a struct Answer; in the byte order and
 * with the padding of this machine. Ends at the end of stdin.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard-run.h"

typedef struct Question {
        uint32_t size; /* of the frame that follows */
        uint32_t gso_size;
        uint32_t longest, flags, to_flags; /* of the lease's entry */
        uint8_t mac[6];
        uint8_t from_wire; /* which program: 0 from_guest, 1 from_wire */
        uint8_t zero;
} Question;

typedef struct Answer {
        uint16_t returned; /* what the program returned */
        int8_t reason;     /* which counter moved, or -1 */
        uint8_t change;    /* of the frame; CHANGED_… */
} Answer;

enum {
        CHANGED_NOT,
        CHANGED_TAG, /* a tag of four bytes behind the addresses is gone, and nothing else */
        CHANGED_ELSE
};

static uint8_t compare(const GuardFrame *before, const GuardFrame *after) {
        size_t tag = before->size - after->size;

        if (after->size > before->size || (tag != 0 && tag != 4) ||
            memcmp(before->bytes, after->bytes, 12) != 0 ||
            memcmp(before->bytes + 12 + tag, after->bytes + 12, after->size - 12) != 0)
                return CHANGED_ELSE;
        return tag == 4 ? CHANGED_TAG : CHANGED_NOT;
}

static void read_all(void *data, size_t size) {
        if (size > 0 && fread(data, size, 1, stdin) != 1)
                errx(1, "a question is not whole");
}

static Answer answer(GuardRun *run, const Question *question, const GuardFrame *frame) {
        GuardVerdict verdict;
        Answer a = {};
        int r;

        memset(run->entry, 0, sizeof(*run->entry));
        memcpy(run->entry->mac, question->mac, sizeof(question->mac));
        run->entry->flags = question->flags;
        run->entry->longest = question->longest;
        run->entry->ordinary = question->flags & GUARD_LOCKED ? 0 : question->longest;
        run->entry->to_index = GUARD_PORT | GUARD_RUN_NUMBER;
        run->entry->to_flags = question->to_flags;
        r = guard_run(run, question->from_wire ? "from_wire" : "from_guest", frame, &verdict);
        if (r < 0)
                errx(1, "a frame of %zu bytes: %s", frame->size, strerror(-r));
        a.returned = (uint16_t)verdict.returned;
        a.reason = (int8_t)verdict.reason;
        a.change = compare(frame, &verdict.after);
        return a;
}

int main(int argc, char **argv) {
        const bool probe = argc > 1 && strcmp(argv[1], "--probe") == 0;
        AddressList addresses = {};
        Refusal refusal;
        static GuardFrame frame;
        Question question;
        GuardRun run;
        int r;

        for (int i = probe ? 2 : 1; i < argc; i++)
                if (address_list_add(&addresses, argv[i], "lock", "of all", &refusal) != 0)
                        errx(2, "%s", refusal.text);
        r = guard_run_like_helper();
        if (r == 0)
                r = guard_run_open(&run, probe ? GUARD_PROBE : GUARD_REAL);
        if (r == 0)
                r = guard_run_lock(&run, &addresses);
        if (r < 0)
                errx(1, "the guard's programs: %s", strerror(-r));
        while (fread(&question, sizeof(question), 1, stdin) == 1) {
                Answer a;

                if (question.size > sizeof(frame.bytes))
                        errx(1, "a frame of %u bytes", question.size);
                frame.size = question.size;
                frame.gso_size = question.gso_size;
                read_all(frame.bytes, frame.size);
                a = answer(&run, &question, &frame);
                if (fwrite(&a, sizeof(a), 1, stdout) != 1)
                        err(1, "stdout");
        }
        guard_run_close(&run);
        return fflush(stdout) == 0 ? 0 : 1;
}
