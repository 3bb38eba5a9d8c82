/* SPDX-License-Identifier: MPL-2.0 */
/* The examples and the rules of W3C Trace Context, section 3.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "proto/trace_context.h"

#define EXAMPLE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static bool read_text(trace_context_t *out, const char *text)
{
    return trace_context_read(out, (text_t){text, strlen(text)});
}

static void what_is_read_is_written(void **state)
{
    (void)state;
    trace_context_t context;
    char text[TRACE_CONTEXT_CHARS + 1];
    assert_true(read_text(&context, EXAMPLE));
    assert_true(trace_context_exists(&context));
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.span_id[7], 0xb7);
    assert_int_equal(context.flags, TRACE_CONTEXT_SAMPLED);
    trace_context_write(&context, text);
    assert_string_equal(text, EXAMPLE);
}

static void a_later_version_is_read_as_far_as_it_is_known(void **state)
{
    (void)state;
    trace_context_t context;
    assert_true(read_text(&context, "cc"
                                    "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    assert_true(read_text(&context, "cc"
                                    "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what"));
    assert_false(read_text(&context, "cc"
                                     "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what"));
}

static void whatever_else_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e47g6-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "g0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    static const trace_context_t none;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trace_context_t context;
        memset(&context, 0xff, sizeof context);
        if (read_text(&context, bad[i]))
            fail_msg("accepted: %s", bad[i]);
        assert_memory_equal(&context, &none, sizeof none);
        assert_false(trace_context_exists(&context));
    }
}

static void the_binary_form_is_read_as_written(void **state)
{
    (void)state;
    trace_context_t context, again;
    char text[TRACE_CONTEXT_CHARS + 1];
    assert_true(read_text(&context, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    uint8_t bytes[TRACE_CONTEXT_BYTES + 1];
    trace_context_pack(&context, bytes);
    assert_true(trace_context_unpack(&again, (bytes_t){bytes, TRACE_CONTEXT_BYTES}));
    assert_memory_equal(&again, &context, sizeof context);
    text_t view = trace_context_text(&again, text);
    assert_int_equal(view.size, TRACE_CONTEXT_CHARS);
    assert_memory_equal(view.data + 3, "4bf92f35", 8);
    assert_false(trace_context_unpack(&again, (bytes_t){bytes, TRACE_CONTEXT_BYTES - 1}));
    assert_false(trace_context_unpack(&again, (bytes_t){bytes, TRACE_CONTEXT_BYTES + 1}));
    memset(bytes + TRACE_ID_BYTES, 0, SPAN_ID_BYTES);
    assert_false(trace_context_unpack(&again, (bytes_t){bytes, TRACE_CONTEXT_BYTES}));
    assert_false(trace_context_exists(&again));
    assert_int_equal(trace_context_text(&again, text).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written),
        cmocka_unit_test(a_later_version_is_read_as_far_as_it_is_known),
        cmocka_unit_test(whatever_else_is_refused),
        cmocka_unit_test(the_binary_form_is_read_as_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
