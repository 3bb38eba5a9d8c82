/* SPDX-License-Identifier: MPL-2.0 */
/* Parsing of the command line, the table of commands, exit codes and complaints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "client/ui/command_line.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/exit_code.h"
#include "proto/bytes.h"

#define WORDS_MAX 8

/* A call of the program; words are copied, since argv is not const. */
typedef struct {
    invocation_t invocation;
    char *argv[WORDS_MAX + 2];
    int argc;
} call_t;

static status_t parse(call_t *self, const char *const *words)
{
    memset(self, 0, sizeof *self);
    self->argv[self->argc++] = strdup("conclave");
    for (; *words; words++)
        self->argv[self->argc++] = strdup(*words);
    return command_line_parse(&self->invocation, self->argc, self->argv);
}

static void end(call_t *self)
{
    invocation_wipe(&self->invocation);
    for (int i = 0; i < self->argc; i++)
        free(self->argv[i]);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_options_stand_anywhere(void **state)
{
    (void)state;
    call_t call;
    assert_int_equal(
        parse(&call, WORDS("--json", "send", "--home", "/h", "tea", "a", "--no-queue")), 0);
    assert_string_equal(call.invocation.command->name, "send");
    assert_true(call.invocation.globals.json);
    assert_true(call.invocation.options.no_queue);
    assert_string_equal(call.invocation.globals.home, "/h");
    assert_int_equal(call.invocation.word_count, 2);
    end(&call);
    assert_int_equal(parse(&call, WORDS("send", "tea", "--", "--json", "x")), 0);
    assert_false(call.invocation.globals.json);
    assert_int_equal(call.invocation.word_count, 3);
    assert_string_equal(call.invocation.words[1], "--json");
    end(&call);
}

static void test_no_command_is_chat(void **state)
{
    (void)state;
    call_t call;
    assert_int_equal(parse(&call, WORDS("--quiet")), 0);
    assert_string_equal(call.invocation.command->name, "chat");
    assert_int_equal(call.invocation.word_count, 0);
    end(&call);
}

static void test_defaults(void **state)
{
    (void)state;
    call_t call;
    assert_int_equal(parse(&call, WORDS("listen")), 0);
    assert_true(call.invocation.options.count == COMMAND_UNSET);
    assert_true(call.invocation.options.wait_ms == COMMAND_UNSET);
    assert_int_equal(call.invocation.options.last, COMMAND_LAST_DEFAULT);
    assert_int_equal(call.invocation.globals.timeout_ms, 30000);
    end(&call);
    assert_int_equal(parse(&call, WORDS("listen", "--count", "0", "--wait", "1.5")), 0);
    assert_int_equal(call.invocation.options.count, 0);
    assert_int_equal(call.invocation.options.wait_ms, 1500);
    end(&call);
}

static void refused(const char *const *words, status_t expected, const char *part)
{
    call_t call;
    assert_int_equal(parse(&call, words), expected);
    char *line = complaint_line(&call.invocation, expected);
    assert_non_null(strstr(line, part));
    assert_non_null(strstr(line, status_name(expected)));
    free(line);
    end(&call);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    refused(WORDS("sned", "x"), STATUS_USAGE, "did you mean send?");
    refused(WORDS("zzzzzz"), STATUS_USAGE, "conclave help");
    refused(WORDS("create"), STATUS_USAGE, "usage: conclave create GROUP");
    refused(WORDS("create", "a", "b"), STATUS_USAGE, "usage: conclave create GROUP");
    refused(WORDS("create", "Tea"), STATUS_BAD_NAME, "Tea");
    refused(WORDS("listen", "tea", "no way"), STATUS_BAD_NAME, "no way");
    refused(WORDS("create", "--wait", "1", "x"), STATUS_USAGE,
            "--wait"); /* another command's option */
}

static void test_every_row_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_count; i++) {
        const command_row_t *row = &command_table[i];
        assert_ptr_equal(command_find(row->name), row);
        assert_non_null(row->run);
        assert_true(row->words_min <= row->words_max);
        assert_true(strlen(row->summary) > 0 && strlen(row->summary) < 60);
        char *help = command_line_help(row);
        assert_non_null(strstr(help, row->summary));
        for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
            assert_true(strcspn(line, "\n") <= 100);
        free(help);
    }
    assert_null(command_find("conclave"));
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        status_t status;
        int code;
    } cases[] = {
        {STATUS_OK, 0},
        {STATUS_USAGE, 2},
        {STATUS_BAD_NAME, 2},
        {STATUS_NAME_TAKEN, 3},
        {STATUS_LAST_ADMIN, 3},
        {STATUS_NOT_MEMBER, 3},
        {STATUS_RATE_LIMITED, 3},
        {STATUS_UNREACHABLE, 4},
        {STATUS_TIMED_OUT, 4},
        {STATUS_WRONG_PASSWORD, 5},
        {STATUS_DAMAGED_FILE, 6},
        {STATUS_UNSAFE_PERMISSIONS, 6},
        {STATUS_NO_IDENTITY, 6},
        {STATUS_HOME_IN_USE, 7},
        {STATUS_KEY_CHANGED, 8},
        {STATUS_FORK, 8},
        {STATUS_WRONG_BROKER, 8},
        {STATUS_BAD_SIGNATURE, 8},
        {STATUS_INTERRUPTED, 130},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(exit_code_of(cases[i].status), cases[i].code);
}

static void test_a_status_of_the_wire_is_never_success(void **state)
{
    (void)state;
    static const status_t all[] = {
#define STATUS(name, code, text) STATUS_##name,
#include "proto/status.def"
#undef STATUS
    };
    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++)
        assert_int_not_equal(exit_code_of(all[i]), 0);
}

static void test_a_complaint_has_its_form(void **state)
{
    (void)state;
    invocation_t self = {0};
    complain(&self, STATUS_UNREACHABLE, "%s was not sent", "it");
    complain_cause(&self, "the cable is cut");
    complain_cause(&self, "");
    char *line = complaint_line(&self, STATUS_UNREACHABLE);
    assert_int_equal(strncmp(line, "it was not sent (UNREACHABLE): the cable is cut; ", 49), 0);
    free(line);
    complaint_forget(&self);
    assert_int_equal(self.what.size, 0);
    invocation_wipe(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_no_command_is_chat),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_a_status_of_the_wire_is_never_success),
        cmocka_unit_test(test_a_complaint_has_its_form),
    };
    unsetenv("CONCLAVE_HOME");
    unsetenv("CONCLAVE_BROKER");
    unsetenv("CONCLAVE_PASSWORD_FILE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
