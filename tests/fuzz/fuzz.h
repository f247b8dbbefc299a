/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the fuzz targets share. A target checks more than "it did not crash": what the function
 * promises in its header is asserted for every input.
 */

#include <assert.h>
#include <string.h>

#include "common/refusal.h"
#include "common/text.h"
#include "common/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a string of its own length on the heap, where a read past its end is seen. A NUL in
 * it ends it early. */
static inline char *fuzz_string(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1);

        assert(text);
        memcpy(text, data, size);
        text[size] = '\0';
        return text;
}

/* A refusal that may be sent over D-Bus and shown on a terminal. */
static inline void fuzz_check_refusal(const Refusal *refusal, int r) {
        size_t length = strnlen(refusal->text, sizeof(refusal->text));

        assert(r > 0 && r < RAWNET_ERROR_COUNT && refusal->error == (RawnetError)r);
        assert(length > 0 && length < sizeof(refusal->text));
        assert(text_is_printable_utf8(refusal->text, length));
        assert(strncmp(refusal->text, "network ", 8) == 0);
}
