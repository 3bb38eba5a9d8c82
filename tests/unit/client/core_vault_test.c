/* SPDX-License-Identifier: MPL-2.0 */
/* What cores store and send each other: write lists, the vault in memory, its keys, lines, mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "client/core/line_row.h"
#include "client/core/mail.h"
#include "client/core/vault_memory.h"
#include "client/core/vault_rows.h"

static bytes_t text(const char *string)
{
    return (bytes_t){(const uint8_t *)string, strlen(string)};
}

static void put(vault_t *vault, const char *key, const char *value)
{
    writes_t writes = {0};
    writes_put(&writes, text(key), text(value));
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
}

static bool join_keys(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    buffer_append(context, key.data, key.size);
    buffer_append(context, ",", 1);
    return true;
}

static void assert_range(vault_t *vault, const char *prefix, const char *start, bool reverse,
                         const char *expected)
{
    buffer_t keys = {0};
    assert_int_equal(vault_range(vault, text(prefix), text(start), reverse, join_keys, &keys),
                     STATUS_OK);
    assert_int_equal(keys.size, strlen(expected));
    if (keys.size)
        assert_memory_equal(keys.data, expected, keys.size);
    buffer_free(&keys);
}

static void test_later_writes_win(void **state)
{
    (void)state;
    vault_t *vault = vault_memory_new();
    writes_t writes = {0};
    writes_put(&writes, text("a1"), text("one"));
    writes_put(&writes, text("a2"), text("two"));
    writes_delete_prefix(&writes, text("a"));
    writes_put(&writes, text("a2"), text("three"));
    writes_put(&writes, text("b"), text(""));
    writes_delete(&writes, text("none"));
    assert_int_equal(writes.count, 6);
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    buffer_t value = {0};
    assert_int_equal(vault_get(vault, text("a1"), &value), STATUS_NOT_FOUND);
    assert_int_equal(vault_get(vault, text("a2"), &value), STATUS_OK);
    assert_int_equal(value.size, 5);
    buffer_clear(&value);
    assert_int_equal(vault_get(vault, text("b"), &value), STATUS_OK);
    assert_int_equal(value.size, 0);
    buffer_free(&value);
    assert_int_equal(vault_memory_count(vault), 2);
    vault_destroy(&vault);
}

static void test_ranges(void **state)
{
    (void)state;
    vault_t *vault = vault_memory_new();
    static const char *const keys[] = {"a", "b1", "b2", "b3", "c"};
    for (size_t i = 0; i < 5; i++)
        put(vault, keys[i], "x");
    assert_range(vault, "b", "", false, "b1,b2,b3,");
    assert_range(vault, "b", "", true, "b3,b2,b1,");
    assert_range(vault, "b", "b2", false, "b2,b3,");
    assert_range(vault, "b", "b2", true, "b2,b1,");
    assert_range(vault, "b", "b2x", true, "b2,b1,");
    assert_range(vault, "b", "z", true, "b3,b2,b1,");
    assert_range(vault, "b", "a", true, "");
    assert_range(vault, "d", "", false, "");
    assert_range(vault, "", "", false, "a,b1,b2,b3,c,");
    vault_destroy(&vault);
}

static void test_failed_apply_changes_nothing(void **state)
{
    (void)state;
    vault_t *vault = vault_memory_new();
    put(vault, "a", "1");
    vault_memory_fail_apply(vault, 0);
    writes_t writes = {0};
    writes_delete(&writes, text("a"));
    assert_int_equal(vault_apply(vault, &writes), STATUS_IO_ERROR);
    assert_int_equal(vault_memory_count(vault), 1);
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    assert_int_equal(vault_memory_count(vault), 0);
    writes_wipe(&writes);
    vault_destroy(&vault);
}

static void test_format_is_checked(void **state)
{
    (void)state;
    vault_t *vault = vault_memory_new();
    bool is_new;
    assert_int_equal(vault_check_format(vault, VAULT_OF_MEMBER, &is_new), STATUS_OK);
    assert_true(is_new);
    writes_t writes = {0};
    vault_write_format(&writes, VAULT_OF_MEMBER);
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    assert_int_equal(vault_check_format(vault, VAULT_OF_MEMBER, &is_new), STATUS_OK);
    assert_false(is_new);
    assert_int_equal(vault_check_format(vault, VAULT_OF_ADMIN, &is_new), STATUS_DAMAGED_FILE);
    static const uint8_t newer[] = {'m', 0, 0, 0, 2};
    row_key_t key = row_key(ROW_FORMAT);
    writes_put(&writes, row_key_view(&key), (bytes_t){newer, sizeof newer});
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
    assert_int_equal(vault_check_format(vault, VAULT_OF_MEMBER, &is_new), STATUS_NEWER_FORMAT);
    vault_destroy(&vault);
}

static void test_lines_survive_and_truncation_is_noticed(void **state)
{
    (void)state;
    local_line_record_t line = {.kind = LINE_MESSAGE,
                                .epoch = 3,
                                .sequence = 9,
                                .time_ms = 1,
                                .mine = 1,
                                .generation = 4,
                                .number = 5,
                                .sent_time_ms = 6,
                                .text = text_of("hello"),
                                .notice = text_of(""),
                                .reason = text_of("why")};
    assert_int_equal(name_parse(&line.sender, "ada"), STATUS_OK);
    buffer_t row = {0};
    line_row_write(&line, &row);
    local_line_record_t read = {0};
    assert_int_equal(line_row_read(&read, buffer_view(&row)), STATUS_OK);
    assert_int_equal(read.sequence, 9);
    assert_string_equal(read.sender.text, "ada");
    assert_int_equal(read.text.size, 5);
    assert_memory_equal(read.text.data, "hello", 5);
    assert_int_equal(read.who.text[0], 0);
    for (size_t size = 0; size < row.size; size++)
        assert_int_equal(line_row_read(&read, (bytes_t){row.data, size}), STATUS_DAMAGED_FILE);
    buffer_u8(&row, 0);
    assert_int_equal(line_row_read(&read, buffer_view(&row)), STATUS_DAMAGED_FILE);
    row.data[0] = 3;
    assert_int_equal(line_row_read(&read, buffer_view(&row)), STATUS_NEWER_FORMAT);
    buffer_free(&row);
}

static void test_mail_survives_and_rubbish_is_refused(void **state)
{
    (void)state;
    mail_t mail = {.kind = MAIL_CREATE, .group = {1, 2}, .number = 77, .bytes = text("request")};
    mail.state.last_joins_ms = 5;
    mail.trace = (trace_context_t){.trace_id = {1}, .span_id = {2}, .flags = 1};
    assert_int_equal(name_parse(&mail.name, "book.club"), STATUS_OK);
    buffer_t bytes = {0};
    mail_write(&mail, &bytes);
    mail_t read;
    assert_int_equal(mail_read(&read, buffer_view(&bytes)), STATUS_OK);
    assert_int_equal(read.kind, MAIL_CREATE);
    assert_int_equal(read.number, 77);
    assert_int_equal(read.state.last_joins_ms, 5);
    assert_memory_equal(&read.trace, &mail.trace, sizeof mail.trace);
    assert_string_equal(read.name.text, "book.club");
    assert_int_equal(read.bytes.size, 7);
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_not_equal(mail_read(&read, (bytes_t){bytes.data, size}), STATUS_OK);
    bytes.data[0] = 99;
    assert_int_equal(mail_read(&read, buffer_view(&bytes)), STATUS_MALFORMED);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_writes_win),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_failed_apply_changes_nothing),
        cmocka_unit_test(test_format_is_checked),
        cmocka_unit_test(test_lines_survive_and_truncation_is_noticed),
        cmocka_unit_test(test_mail_survives_and_rubbish_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
