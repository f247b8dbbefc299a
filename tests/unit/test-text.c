/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "common/text.h"
#include "test.h"

static const struct {
        const char *text;
        bool printable;
        const char *mended;
} samples[] = {
        {"", true, ""},
        {"lab", true, "lab"},
        {"Büro \xe2\x82\xac \xf0\x9f\x98\x80", true, "Büro \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf", true, "\xf4\x8f\xbf\xbf"}, /* U+10FFFF */
        {"\xef\xbf\xbd", true, "\xef\xbf\xbd"},
        {"a\nb", false, "a?b"},
        {"a\tb", false, "a?b"},
        {"\x1b[31m", false, "?[31m"},
        {"\x7f", false, "?"},
        {"\xc2\x9b", false, "??"},           /* U+009B, CSI of 8-bit terminals */
        {"\xc0\xaf", false, "??"},           /* overlong '/' */
        {"\xe0\x80\xaf", false, "???"},      /* overlong */
        {"\xf0\x80\x80\xaf", false, "????"}, /* overlong */
        {"\xed\xa0\x80", false, "???"},      /* surrogate */
        {"\xf4\x90\x80\x80", false, "????"}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80\x80", false, "?????"},
        {"\xff", false, "?"},
        {"\x80", false, "?"},
        {"\xc3", false, "?"}, /* cut off */
        {"\xe2\x82", false, "??"},
        {"\xe2\x82x", false, "??x"},
        {"\xc3"
         "A",
         false, "?A"},
};

/* UTF-8 of a code point above U+007F. */
static size_t encode(uint32_t code, char ret[static 5]) {
        size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

        memset(ret, 0, 5);
        for (size_t i = length; i-- > 1; code >>= 6)
                ret[i] = (char)(0x80 | (code & 0x3f));
        ret[0] = (char)((0xf00 >> length & 0xf0) | code);
        return length;
}

/* What is not seen and changes what is: nothing of it reaches a terminal. */
static void test_format_characters(_unused_ void **state) {
        static const uint32_t refused[] = {
                0x80,    0x85,    0x9f,                     /* C1 */
                0xad,                                       /* soft hyphen */
                0x61c,   0x200e,  0x200f,                   /* marks of direction */
                0x202a,  0x202b,  0x202c,  0x202d,  0x202e, /* embeddings and overrides */
                0x2066,  0x2067,  0x2068,  0x2069,          /* isolates */
                0x2028,  0x2029,                            /* line and paragraph separator */
                0x200b,  0x200c,  0x200d,  0x2060,  0xfeff,  0x180e, /* of no width */
                0x2061,  0x2064,  0x206a,  0x206f,  0xfff9,  0xfffb,  0x600,   0x605,
                0x6dd,   0x70f,   0x890,   0x891,   0x8e2,   0x110bd, 0x110cd, 0x13430,
                0x1343f, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0001, 0xe0020, 0xe007f};
        static const uint32_t taken[] = {0xa0,    0xac,    0xae,    0x5ff,  0x606,  0x61b,  0x61d,
                                         0x627,   0x180d,  0x200a,  0x2010, 0x2027, 0x202f, 0x205f,
                                         0x2070,  0xfefe,  0xff00,  0xfffd, 0x5d0,  0x6de,  0x110bc,
                                         0x1342f, 0x1d172, 0x1f600, 0xe0100};
        char text[5];

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
                size_t length = encode(refused[i], text);

                assert_false(text_is_printable_utf8(text, length));
                text_make_printable(text);
                assert_memory_equal(text, "????", length);
        }
        for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
                assert_true(text_is_printable_utf8(text, encode(taken[i], text)));
}

static void test_printable_utf8(_unused_ void **state) {
        for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
                char copy[32];

                assert_int_equal(text_is_printable_utf8(samples[i].text, strlen(samples[i].text)),
                                 samples[i].printable);
                put_text(copy, sizeof(copy), samples[i].text);
                text_make_printable(copy);
                assert_string_equal(copy, samples[i].mended);
                assert_true(text_is_printable_utf8(copy, strlen(copy)));
        }
        assert_false(text_is_printable_utf8("a\0b", 3));
        /* Only what it was told to look at. */
        assert_true(text_is_printable_utf8("ab\n", 2));
        assert_false(text_is_printable_utf8("\xe2\x82\xac", 2));
}

static void test_printable_ascii(_unused_ void **state) {
        assert_true(text_is_printable_ascii(""));
        assert_true(text_is_printable_ascii(" ~!"));
        assert_false(text_is_printable_ascii("\x1f"));
        assert_false(text_is_printable_ascii("\x7f"));
        assert_false(text_is_printable_ascii("\xc3\xa4"));
        assert_false(text_is_printable_ascii("a\n"));
}

static void check_shortened(const char *text, size_t max, const char *expected) {
        char copy[32];

        put_text(copy, sizeof(copy), text);
        text_shorten(copy, max);
        assert_string_equal(copy, expected);
        assert_true(strlen(copy) <= max);
}

static void test_shorten(_unused_ void **state) {
        check_shortened("abcdefgh", 8, "abcde...");
        check_shortened("abcdefgh", 3, "...");
        check_shortened("abc", 16, "abc...");
        check_shortened("", 3, "...");
        /* Not in the middle of a character. */
        check_shortened("ab\xe2\x82\xac"
                        "cdefgh",
                        8, "ab\xe2\x82\xac...");
        check_shortened("ab\xe2\x82\xac"
                        "cdefgh",
                        7, "ab...");
        check_shortened("ab\xe2\x82\xac"
                        "cdefgh",
                        6, "ab...");
        check_shortened("\x80\x80\x80\x80\x80", 4, "...");
}

static void test_number(_unused_ void **state) {
        static const char *const wrong[] = {"",    " 1", "1 ",  "+1",  "-1", "01", "00",
                                            "0x1", "1a", "1.0", "1e3", "a",  "\n", "१"};
        uint32_t n = 77;

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                assert_int_equal(text_parse_u32(wrong[i], 0, UINT32_MAX, &n), -EINVAL);
        assert_int_equal(text_parse_u32("0", 1, 10, &n), -ERANGE);
        assert_int_equal(text_parse_u32("11", 1, 10, &n), -ERANGE);
        assert_int_equal(text_parse_u32("4294967296", 0, UINT32_MAX, &n), -ERANGE);
        assert_int_equal(text_parse_u32("18446744073709551616", 0, UINT32_MAX, &n), -ERANGE);
        assert_int_equal(text_parse_u32("99999999999999999999999999999999", 0, 9, &n), -ERANGE);
        assert_int_equal(text_parse_u32("99999999999999999999999999999999x", 0, 9, &n), -EINVAL);
        assert_int_equal(n, 77);
        assert_int_equal(text_parse_u32("0", 0, 10, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(text_parse_u32("10", 10, 10, &n), 0);
        assert_int_equal(n, 10);
        assert_int_equal(text_parse_u32("4294967295", 0, UINT32_MAX, &n), 0);
        assert_int_equal(n, UINT32_MAX);
}

static void test_long_number(_unused_ void **state) {
        uint64_t n = 77;

        assert_int_equal(text_parse_u64("18446744073709551616", 0, UINT64_MAX, &n), -ERANGE);
        assert_int_equal(text_parse_u64("184467440737095516150", 0, UINT64_MAX, &n), -ERANGE);
        /* Twice past the end and back: still too large. */
        assert_int_equal(text_parse_u64("36893488147419103233", 0, UINT64_MAX, &n), -ERANGE);
        assert_int_equal(text_parse_u64("36893488147419103233x", 0, UINT64_MAX, &n), -EINVAL);
        assert_int_equal(n, 77);
        assert_int_equal(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &n), 0);
        assert_true(n == UINT64_MAX);
}

static void test_hex_digit(_unused_ void **state) {
        static const char digits[] = "0123456789abcdefABCDEF";

        for (int c = -128; c < 256; c++) {
                const char *at = c > 0 && c < 128 ? strchr(digits, c) : NULL;
                int value = !at ? -1 : (int)(at - digits) - (at - digits >= 16 ? 6 : 0);

                assert_int_equal(text_hex_digit((char)c), value);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_printable_utf8),  cmocka_unit_test(test_format_characters),
                cmocka_unit_test(test_printable_ascii), cmocka_unit_test(test_shorten),
                cmocka_unit_test(test_number),          cmocka_unit_test(test_long_number),
                cmocka_unit_test(test_hex_digit),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
