/* SPDX-License-Identifier: MPL-2.0 */
/* What the live page is told: bounded, however much happens; and the events as they go over the
 * wire. */
#include "broker/http/activity.h"
#include "broker/http/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const activity_times_t no_times;

static char *tick(activity_t *activity)
{
    buffer_t out = {0};
    activity_write(activity, 7, &no_times, &out);
    buffer_u8(&out, 0);
    return (char *)out.data;
}

static trace_record_t record(trace_step_t step, verb_t verb, const char *user, const char *group)
{
    trace_record_t out = {.step = step, .verb = verb, .count = 1, .sequence = 5};
    snprintf(out.user.text, sizeof out.user.text, "%s", user);
    snprintf(out.group.text, sizeof out.group.text, "%s", group);
    return out;
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) {
        count++;
    }
    return count;
}

static void assert_part(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("%s is not in %s", part, text);
    }
}

static void test_one_message(void **state)
{
    activity_t *activity = activity_new();
    trace_record_t last;
    const trace_record_t records[] = {
        record(TRACE_RECEIVED, VERB_send, "ada", "tea"),
        record(TRACE_ACCEPTED, VERB_send, "ada", "tea"),
        record(TRACE_APPENDED, VERB_send, "ada", "tea"),
        record(TRACE_STORED, VERB_none, "", ""),
        record(TRACE_PUSHED, VERB_none, "bob", "tea"),
        record(TRACE_PUSHED, VERB_none, "cid", "tea"),
        record(TRACE_RECEIVED, VERB_poll_messages, "cid", ""),
        record(TRACE_CURSOR_MOVED, VERB_none, "cid", "tea"),
    };
    (void)state;
    assert_false(activity_last_message(activity, &last));
    activity_take(activity, records, sizeof records / sizeof *records, 3);
    assert_true(activity_last_message(activity, &last));
    assert_string_equal(last.user.text, "ada");
    assert_false(activity_last_message(activity, &last));
    char *json = tick(activity);
    assert_part(json, "{\"time_ms\":7,\"lost\":3,");
    assert_part(json, "\"requests\":2,\"refused\":0,\"appended\":1,\"pushed\":2,");
    assert_part(json, "[{\"name\":\"tea\",\"sent\":1,\"pushed\":2,\"fetched\":0}]");
    assert_part(json,
                "\"sends\":[{\"user\":\"ada\",\"group\":\"tea\",\"sequence\":5,\"how\":\"send\"}]");
    assert_part(json, "\"user\":\"cid\",\"group\":\"tea\",\"sequence\":5,\"how\":\"pushed\"}]");
    /* Pushes of the same events are one step; polls and cursors are none. */
    assert_int_equal(count_of(json, "\"step\":"), 5);
    assert_part(json, "\"times\":2}]}");
    free(json);
    json = tick(activity); /* the next one starts anew */
    assert_part(json, "\"requests\":0,");
    assert_part(json, "\"groups\":[],");
    assert_part(json, "\"sends\":[],\"deliveries\":[],\"steps\":[]}");
    free(json);
    activity_destroy(&activity);
}

static void test_much_is_bounded(void **state)
{
    activity_t *activity = activity_new();
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char group[32], user[32];
        snprintf(group, sizeof group, "g%u", i % 100);
        snprintf(user, sizeof user, "u%u", i);
        trace_record_t sent = record(TRACE_APPENDED, VERB_send, user, group);
        trace_record_t pushed = record(TRACE_PUSHED, VERB_none, user, group);
        sent.sequence = i;
        pushed.sequence = i;
        pushed.count = 10;
        activity_take(activity, &sent, 1, 0);
        activity_take(activity, &pushed, 1, 0);
    }
    char *json = tick(activity);
    assert_int_equal(count_of(json, "\"sent\":200"), ACTIVITY_GROUPS);
    assert_part(json, "\"others\":{\"name\":\"\",\"sent\":7200,\"pushed\":72000,\"fetched\":0}");
    assert_part(json, "\"appended\":20000,\"pushed\":200000,");
    assert_int_equal(count_of(json, "\"how\":\"send\""), ACTIVITY_SENDS);
    assert_int_equal(count_of(json, "\"how\":\"pushed\""), ACTIVITY_PUSHES);
    assert_int_equal(count_of(json, "\"step\":"), ACTIVITY_STEPS);
    assert_part(json, "\"user\":\"u19999\""); /* among the last steps */
    assert_true(strlen(json) < 32768);
    free(json);
    activity_destroy(&activity);
}

static void test_hostile_names_and_unknown_steps(void **state)
{
    activity_t *activity = activity_new();
    (void)state;
    trace_record_t sent =
        record(TRACE_APPENDED, VERB_send, "\"><img src=x onerror=a>", "\n\ndata: x");
    activity_take(activity, &sent, 1, 0);
    sent.step = TRACE_STEP_COUNT;
    activity_take(activity, &sent, 1, 0);
    char *json = tick(activity);
    assert_null(strchr(json, '<'));
    assert_null(strchr(json, '\n'));
    assert_part(json, "\\u0022\\u003e\\u003cimg src=x onerror=a\\u003e");
    assert_int_equal(count_of(json, "\"step\":"), 1);
    free(json);
    activity_destroy(&activity);
}

/* --- The feed --------------------------------------------------------------------------------- */

static bool read_all(const feed_t *feed, feed_reader_t *reader, size_t step, char *out)
{
    size_t got, total = 0;
    do {
        if (!feed_read(feed, reader, out + total, step, &got)) {
            return false;
        }
        total += got;
    } while (got > 0);
    out[total] = '\0';
    return true;
}

static void put(feed_t *feed, const char *text)
{
    feed_put(feed, "tick", (bytes_t){(const uint8_t *)text, strlen(text)});
}

static void test_the_feed_in_any_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step < 80; step++) {
        feed_t feed = {0};
        feed_reader_t reader;
        buffer_t first = {0};
        char out[256];
        put(&feed, "before");
        buffer_append(&first, "hello\n\n", 7);
        feed_reader_begin(&reader, &feed, first);
        put(&feed, "{1}");
        put(&feed, "{2}");
        assert_true(read_all(&feed, &reader, step, out));
        assert_string_equal(out, "hello\n\nevent: tick\ndata: {1}\n\nevent: tick\ndata: {2}\n\n");
        put(&feed, "{3}");
        assert_true(read_all(&feed, &reader, step, out));
        assert_string_equal(out, "event: tick\ndata: {3}\n\n");
        feed_reader_end(&reader);
        feed_free(&feed);
    }
}

static void test_who_is_too_slow_is_told(void **state)
{
    feed_t feed = {0};
    feed_reader_t reader;
    char out[64 * FEED_KEPT];
    (void)state;
    feed_reader_begin(&reader, &feed, (buffer_t){0});
    for (size_t i = 0; i < FEED_KEPT; i++) {
        put(&feed, "x");
    }
    assert_true(read_all(&feed, &reader, 1000, out));
    assert_int_equal(count_of(out, "data: x\n\n"), FEED_KEPT);
    for (size_t i = 0; i <= FEED_KEPT; i++) {
        put(&feed, "x");
    }
    assert_false(read_all(&feed, &reader, 1000, out));
    feed_reader_end(&reader);
    feed_free(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_message),
        cmocka_unit_test(test_much_is_bounded),
        cmocka_unit_test(test_hostile_names_and_unknown_steps),
        cmocka_unit_test(test_the_feed_in_any_pieces),
        cmocka_unit_test(test_who_is_too_slow_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
