/* SPDX-License-Identifier: MPL-2.0 */
/* What a typed line means in the chat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "client/ui/chat_input.h"

static void means(const char *line, chat_input_kind_t kind, const char *argument)
{
    chat_input_t input = chat_input_parse(line);
    assert_int_equal(input.kind, kind);
    if (argument)
        assert_string_equal(input.argument, argument);
    else
        assert_null(input.argument);
    chat_input_wipe(&input);
    assert_null(input.argument);
}

static void test_texts(void **state)
{
    (void)state;
    means("hello", CHAT_TEXT, "hello");
    means("  hello /quit", CHAT_TEXT, "  hello /quit");
    means("//etc/passwd", CHAT_TEXT, "/etc/passwd");
    means("///", CHAT_TEXT, "//");
    means("", CHAT_NOTHING, NULL);
    means(" \t ", CHAT_NOTHING, NULL);
    means("\xff\x1b[2J", CHAT_TEXT, "\xff\x1b[2J"); /* made safe where it is shown */
}

static void test_commands(void **state)
{
    (void)state;
    means("/help", CHAT_HELP, NULL);
    means("/quit  ", CHAT_QUIT, NULL);
    means("/join tea", CHAT_JOIN, "tea");
    means("/join \t tea ", CHAT_JOIN, "tea");
    means("/switch", CHAT_SWITCH, NULL);
    means("/switch tea", CHAT_SWITCH, "tea");
    means("/leave", CHAT_LEAVE, NULL);
}

static void test_mistakes(void **state)
{
    (void)state;
    means("/join", CHAT_BAD, NULL);
    means("/join a b", CHAT_BAD, "a");
    means("/quit now", CHAT_BAD, "now");
    means("/", CHAT_UNKNOWN, "");
    means("/ join tea", CHAT_UNKNOWN, "");
    chat_input_t input = chat_input_parse("/jion tea");
    assert_int_equal(input.kind, CHAT_UNKNOWN);
    assert_string_equal(input.nearest, "join");
    chat_input_wipe(&input);
}

static void test_every_row_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < chat_row_count; i++) {
        char line[64] = "/";
        strncat(line, chat_rows[i].name, 30);
        if (chat_rows[i].words_min)
            strncat(line, " word", 8);
        chat_input_t input = chat_input_parse(line);
        assert_ptr_equal(input.row, &chat_rows[i]);
        assert_int_equal(input.kind, chat_rows[i].kind);
        chat_input_wipe(&input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_every_row_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
