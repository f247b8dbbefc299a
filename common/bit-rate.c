/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/bit-rate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

static const struct {
        char letter;
        uint64_t times;
} suffixes[] = {{'G', 1000000000}, {'M', 1000000}, {'K', 1000}};

bool bit_rate_is_valid(uint64_t rate) {
        return rate >= BIT_RATE_MIN && rate <= BIT_RATE_MAX;
}

int bit_rate_parse(const char *text, uint64_t *ret) {
        char digits[BIT_RATE_TEXT_SIZE];
        size_t length = strlen(text);
        uint64_t times = 1, number;
        int r;

        for (size_t i = 0; length > 0 && i < ARRAY_SIZE(suffixes); i++)
                if (text[length - 1] == suffixes[i].letter) {
                        times = suffixes[i].times;
                        length--;
                        break;
                }
        if (length >= sizeof(digits))
                return -EINVAL;
        memcpy(digits, text, length);
        digits[length] = '\0';
        /* No product is larger than the largest rate. */
        r = text_parse_u64(digits, 0, BIT_RATE_MAX / times, &number);
        if (r < 0)
                return r;
        if (!bit_rate_is_valid(number * times))
                return -ERANGE;
        *ret = number * times;
        return 0;
}

const char *bit_rate_format(uint64_t rate, char buffer[static BIT_RATE_TEXT_SIZE]) {
        buffer[0] = '\0';
        for (size_t i = 0; rate != 0 && i < ARRAY_SIZE(suffixes); i++)
                if (rate % suffixes[i].times == 0) {
                        snprintf(buffer, BIT_RATE_TEXT_SIZE, "%" PRIu64 "%c",
                                 rate / suffixes[i].times, suffixes[i].letter);
                        return buffer;
                }
        if (rate != 0)
                snprintf(buffer, BIT_RATE_TEXT_SIZE, "%" PRIu64, rate);
        return buffer;
}
