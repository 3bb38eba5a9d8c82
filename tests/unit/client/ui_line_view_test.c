/* SPDX-License-Identifier: MPL-2.0 */
/* Lines, groups and members as text and as JSON, hostile ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/ui/line_view.h"
#include "client/ui/list_view.h"

static const format_t plain = {.colours = FORMAT_COLOURS_NONE};

static text_t text(const char *bytes)
{
    return (text_t){bytes, strlen(bytes)};
}

static local_line_record_t message(const char *words)
{
    local_line_record_t line = {.kind = LINE_MESSAGE, .epoch = 2, .sequence = 3, .time_ms = 1000};
    strcpy(line.group_name.text, "tea");
    strcpy(line.sender.text, "alice");
    line.text = text(words);
    return line;
}

static local_line_record_t notice(const char *kind, const char *who, const char *reason)
{
    local_line_record_t line = {.kind = LINE_NOTICE, .epoch = 2, .sequence = 3, .time_ms = 1000};
    strcpy(line.group_name.text, "tea");
    strcpy(line.who.text, who);
    line.notice = text(kind);
    line.reason = text(reason);
    return line;
}

static void shows(local_line_record_t line, const char *part, const char *absent)
{
    char *shown = line_view_text(&plain, &line, false);
    assert_non_null(strstr(shown, part));
    if (absent)
        assert_null(strstr(shown, absent));
    assert_null(strchr(shown, '\033'));
    free(shown);
}

static void test_text_is_made_safe(void **state)
{
    (void)state;
    shows(message("hi"), "alice: hi", NULL);
    shows(message("a\033[2Jb"), "U+001B", "\033");
    shows(message("one\ntwo"), "\n        two", NULL);
    local_line_record_t empty = message("");
    empty.text = (text_t){0};
    shows(empty, "alice: ", NULL);
}

static void test_notices(void **state)
{
    (void)state;
    shows(notice("joined", "bob", "admitted by alice"), "bob joined (admitted by alice)", NULL);
    shows(notice("joined", "alice", "opened the group"), "— alice opened the group", "(");
    shows(notice("left", "bob", "left; a new key is due"), "bob left (a new key is due)", "left;");
    shows(notice("left", "bob", "left"), "bob left", "(");
    shows(notice("rekeyed", "alice", "new key without bob"), "new key without bob (by alice)",
          NULL);
    shows(notice("fork", "alice", "two commits"), "!! two commits", NULL);
    shows(notice("gap", "", ""), "!! messages are missing", NULL);
    shows(notice("of-a-later-version", "bob", "x\033y"), "of-a-later-version", "\033");
}

static void test_json_of_a_message(void **state)
{
    (void)state;
    local_line_record_t line = message("say \"x\"\n\033");
    line.generation = 7;
    line.number = 8;
    line.sent_time_ms = 999;
    char *json = line_view_json(&line);
    assert_string_equal(json, "{\"type\":\"message\",\"group\":\"tea\",\"epoch\":2,\"seq\":3,"
                              "\"sender\":\"alice\",\"generation\":7,\"number\":8,\"time\":1000,"
                              "\"sent_time\":999,\"text\":\"say \\\"x\\\"\\n\\u001b\"}");
    free(json);
}

static void test_json_of_a_traced_message(void **state)
{
    (void)state;
    static const char traceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    local_line_record_t line = message("hi");
    line.traceparent = (text_t){traceparent, sizeof traceparent - 1};
    char *json = line_view_json(&line);
    assert_non_null(strstr(json, "\"text\":\"hi\",\"traceparent\":\"00-4bf92f3577b34da6a3ce929d"
                                 "0e0e4736-00f067aa0ba902b7-01\"}"));
    free(json);
    shows(line, "alice: hi", "4bf92f"); /* programs read it, people needn't */
}

static void test_json_of_a_notice(void **state)
{
    (void)state;
    local_line_record_t line = notice("joined", "bob", "admitted by alice");
    char *json = line_view_json(&line);
    assert_string_equal(json,
                        "{\"type\":\"notice\",\"group\":\"tea\",\"epoch\":2,\"seq\":3,"
                        "\"kind\":\"joined\",\"who\":\"bob\",\"reason\":\"admitted by alice\","
                        "\"time\":1000}");
    free(json);
}

static void test_groups(void **state)
{
    (void)state;
    local_group_info_record_t group = {
        .state = LOCAL_GROUP_ACTIVE, .epoch = 7, .members = 12, .unread = 3};
    strcpy(group.name.text, "tea");
    group.words = text("one two three");
    char *line = list_view_group(&plain, &group);
    assert_non_null(strstr(line, "epoch 7"));
    assert_non_null(strstr(line, "3 unread"));
    assert_non_null(strstr(line, "open"));
    free(line);
    group.state = LOCAL_GROUP_LEFT;
    line = list_view_group(&plain, &group);
    assert_non_null(strstr(line, "history only"));
    free(line);
    group.state = 99; /* of a later version */
    line = list_view_group(&plain, &group);
    free(line);
    assert_string_equal(list_view_state(99), "unknown");
}

static void test_members(void **state)
{
    (void)state;
    local_member_info_record_t member = {.role = 1, .left = 1};
    strcpy(member.name.text, "alice");
    member.words = text("a b c\033");
    char *line = list_view_member(&plain, &member);
    assert_non_null(strstr(line, "admin"));
    assert_non_null(strstr(line, "left"));
    assert_null(strchr(line, '\033'));
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_made_safe), cmocka_unit_test(test_notices),
        cmocka_unit_test(test_json_of_a_message), cmocka_unit_test(test_json_of_a_traced_message),
        cmocka_unit_test(test_json_of_a_notice),  cmocka_unit_test(test_groups),
        cmocka_unit_test(test_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
