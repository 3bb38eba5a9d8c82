/* SPDX-License-Identifier: MPL-2.0 */
/* Hostile and ordinary texts on their way to a terminal. */
#include "client/ui/safe_text.h"

#include "client/ui/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

static const safe_text_options_t block = {.lines = true, .indent = 2};

static void check(const char *text, size_t size, safe_text_options_t options, const char *wanted)
{
    char *safe = safe_text_new(text, size, options);
    assert_string_equal(safe, wanted);
    free(safe);
}

#define LINE(text, wanted)  check(text, sizeof text - 1, (safe_text_options_t){0}, wanted)
#define BLOCK(text, wanted) check(text, sizeof text - 1, block, wanted)
#define ASCII(text, wanted)                                                                        \
    check(text, sizeof text - 1, (safe_text_options_t){.ascii = true}, wanted)

static void test_ordinary_text_is_kept(void **state)
{
    (void)state;
    LINE("", "");
    LINE("hello, world", "hello, world");
    LINE("Grüße, 日本語, עברית, 😀", "Grüße, 日本語, עברית, 😀");
    LINE("e\u0301", "e\u0301");
    LINE("क्षि", "क्षि");
    LINE("❤\uFE0F 👩\u200D👩\u200D👧 👍🏽\u200D♂",
         "❤\uFE0F 👩\u200D👩\u200D👧 👍🏽\u200D♂");
    LINE("می\u200Cخواهم", "می\u200Cخواهم");
}

static void test_controls(void **state)
{
    (void)state;
    LINE("\033[31mred", "‹U+001B›[31mred");
    LINE("a\0b", "a‹U+0000›b");
    LINE("a\nb\tc\rd\be\x7F", "a‹U+000A›b‹U+0009›c‹U+000D›d‹U+0008›e‹U+007F›");
    LINE("\xC2\x9B"
         "31m",
         "‹U+009B›31m");
}

static void test_what_reorders_or_hides(void **state)
{
    (void)state;
    LINE("a\u202Eb\u2066c\u200Fd\u061C", "a‹U+202E›b‹U+2066›c‹U+200F›d‹U+061C›");
    LINE("a\u200Bb\u200Dc\u200Cd\uFEFFe\u00ADf\u2060",
         "a‹U+200B›b‹U+200D›c‹U+200C›d‹U+FEFF›e‹U+00AD›f‹U+2060›");
    LINE("a\u2028b\u2029", "a‹U+2028›b‹U+2029›");
    LINE("\U000E0041\U000E007F", "‹U+E0041›‹U+E007F›");
    LINE("\uE000\uFFFF\U0010FFFF\u0378", "‹U+E000›‹U+FFFF›‹U+10FFFF›‹U+0378›");
    LINE("\u3164\u034F\u115F", "‹U+3164›‹U+034F›‹U+115F›");
    LINE("a\uFE0F\u2764\uFE0F\uFE0F", "a‹U+FE0F›\u2764\uFE0F‹U+FE0F›");
    LINE("😀\u200D\u200D😀", "😀‹U+200D›‹U+200D›😀");
}

static void test_ill_formed_utf8(void **state)
{
    (void)state;
    LINE("a\xFF"
         "b",
         "a\uFFFDb");
    LINE("\xC0\xAF", "\uFFFD\uFFFD");           /* overlong */
    LINE("\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"); /* surrogate */
    LINE("\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD");
    LINE("\xF0\x9F\x98", "\uFFFD");
    LINE("\xE2\x82"
         "A\xE2",
         "\uFFFDA\uFFFD");
    /* A broken sequence must not swallow the escape behind it. */
    LINE("\xE2\033[2J", "\uFFFD‹U+001B›[2J");
}

static void test_marks(void **state)
{
    (void)state;
    LINE("a\u0301\u0301\u0301\u0301\u0301\u0301\u0301z", "a\u0301\u0301\u0301\u0301\uFFFDz");
    LINE("\u0301x", "\u25CC\u0301x");
    LINE("a \u0301", "a \u25CC\u0301");
    LINE("\033\u0301", "‹U+001B›\u25CC\u0301");
    BLOCK("a\n\u0301", "a\n  \u25CC\u0301");
}

static void test_lines(void **state)
{
    (void)state;
    BLOCK("one\ntwo\r\nthree\r\n\n", "one\n  two\n  three");
    BLOCK("a\tb\n\tc", "a   b\n      c");
    BLOCK("a\rb", "a‹U+000D›b");
    BLOCK("\n\n", "");
    BLOCK("a\v\fb", "a‹U+000B›‹U+000C›b");
}

static void test_ascii(void **state)
{
    (void)state;
    ASCII("caf\u00E9 \033 \u202E\xFF", "caf<U+00E9> <U+001B> <U+202E><U+FFFD>");
}

static void test_length_is_bounded(void **state)
{
    (void)state;
    size_t size = 64 * 1024;
    char *bytes = malloc(size);
    memset(bytes, '\033', size);
    char *safe = safe_text_new(bytes, size, (safe_text_options_t){0});
    assert_true(strlen(safe) <= SAFE_TEXT_MAX_BYTES);
    assert_string_equal(safe + strlen(safe) - 3, "…");
    free(safe);
    memset(bytes, 'x', size);
    safe = safe_text_new(bytes, 16 * 1024, block);
    assert_int_equal(strlen(safe), 16 * 1024);
    free(safe);
    free(bytes);
}

/* Whatever comes in, what goes out is well-formed, holds nothing that acts, and stays the same when
 * made safe again. */
static void test_random_bytes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        char bytes[64];
        size_t size = randombytes_uniform(sizeof bytes);
        for (size_t i = 0; i < size;) { /* half raw bytes, half characters */
            uint32_t character = randombytes_uniform(0x3100);
            if (round % 2 || size - i < UTF8_MAX_BYTES)
                bytes[i++] = (char)randombytes_uniform(256);
            else
                i += utf8_put(bytes + i, character);
        }
        char *safe = safe_text_new(bytes, size, (safe_text_options_t){0});
        size_t length = strlen(safe);
        for (size_t at = 0; at < length;) {
            uint32_t character;
            at += utf8_next(safe + at, length - at, &character);
            assert_true(utf8_is_printable(character) || character == 0x200C ||
                        character == 0x200D || (character & ~1u) == 0xFE0E);
        }
        char *again = safe_text_line(safe);
        assert_string_equal(again, safe);
        free(again);
        free(safe);
    }
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(safe_text_width(""), 0);
    assert_int_equal(safe_text_width("caf\u00E9"), 4);
    assert_int_equal(safe_text_width("e\u0301"), 1);
    assert_int_equal(safe_text_width("日本"), 4);
    assert_int_equal(safe_text_width("😀"), 2);
    assert_int_equal(safe_text_width("‹U+001B›"), 8);
}

static void check_cut(const char *text, size_t columns, bool ascii, const char *wanted)
{
    char *cut = safe_text_truncate(text, columns, ascii);
    assert_string_equal(cut, wanted);
    assert_true(safe_text_width(cut) <= columns);
    free(cut);
}

static void test_truncate(void **state)
{
    (void)state;
    check_cut("hello", 5, false, "hello");
    check_cut("hello", 4, false, "hel…");
    check_cut("hello", 4, true, "h...");
    check_cut("hello", 2, true, "..");
    check_cut("hello", 1, false, "…");
    check_cut("hello", 0, false, "");
    check_cut("日本語", 4, false, "日…");
    check_cut("日本語", 6, false, "日本語");
    check_cut("ae\u0301\u0302x", 2, false, "a…");
    check_cut("ae\u0301\u0302xy", 3, false, "ae\u0301\u0302…");
    check_cut("e\u0301", 1, false, "e\u0301");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_text_is_kept),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_what_reorders_or_hides),
        cmocka_unit_test(test_ill_formed_utf8),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_length_is_bounded),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_truncate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
