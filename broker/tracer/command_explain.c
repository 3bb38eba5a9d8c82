/* SPDX-License-Identifier: MPL-2.0 */
/* What became of one message. */
#include "broker/tracer/story.h"
#include "broker/tracer/tracer.h"

#include <errno.h>
#include <stdlib.h>

/* GROUP and SEQ of the command line; "#17" as it is shown elsewhere, too. */
static bool read_message_name(const tracer_options_t *options, name_t *group, uint64_t *sequence)
{
    const char *number = options->arguments[1];
    char *end;
    if (name_parse(group, options->arguments[0]) != STATUS_OK)
        return false;
    number += *number == '#';
    errno = 0;
    *sequence = strtoull(number, &end, 10);
    return *number >= '0' && *number <= '9' && *end == '\0' && errno == 0 && *sequence > 0;
}

static int ask_facts(connection_t *connection, story_t *story)
{
    const message_t *reply;
    const explain_request_t request = {.group = story->group, .sequence = story->sequence};
    status_t status = connection_ask(connection, VERB_explain, &request, &reply);
    if (status == STATUS_OK) {
        story_add_facts(story, &reply->body.explain_reply);
        return TRACER_DONE;
    }
    tracer_complain("%s #%llu: %s", story->group.text, (unsigned long long)story->sequence,
                    status == STATUS_NOT_FOUND ? "the group has no such message"
                    : status == STATUS_GONE    ? "deleted already: all had it, or it was too old"
                                               : tracer_cause(connection, status));
    return tracer_exit_for(status);
}

static bool add_steps(void *context, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    (void)dropped;
    for (size_t i = 0; i < count; i++)
        story_add_step(context, &steps[i]);
    return true;
}

/* What the broker remembers ends with a push that isn't full. */
static int add_past(connection_t *connection, story_t *story)
{
    step_source_t source;
    const message_t *reply;
    const trace_record_t *steps;
    size_t count = TRACED_MAX;
    uint64_t dropped;
    const trace_filter_t filter = {.group = story->group};
    status_t status = step_source_watch(&source, connection, &filter, true);
    while (status == STATUS_OK && count == TRACED_MAX) {
        status = step_source_next(&source, -1, &steps, &count, &dropped);
        if (status == STATUS_OK)
            add_steps(story, steps, count, dropped);
    }
    step_source_close(&source);
    /* It finds out by itself that we have gone, but later: there are only so many places. */
    if (status == STATUS_OK)
        status = connection_ask(connection, VERB_unwatch, NULL, &reply);
    if (status != STATUS_OK)
        tracer_complain("what the broker remembers: %s", tracer_cause(connection, status));
    return tracer_exit_for(status);
}

static int explain_live(const tracer_options_t *options, story_t *story)
{
    int code = TRACER_DONE;
    connection_t *connection = tracer_connect(options, &code);
    if (!connection)
        return code;
    code = ask_facts(connection, story);
    if (code == TRACER_DONE)
        code = add_past(connection, story);
    connection_close(&connection);
    return code;
}

static int explain_recorded(const tracer_options_t *options, story_t *story)
{
    tracer_options_t mine = *options;
    mine.filter = (trace_filter_t){.group = story->group};
    int code = tracer_for_each(&mine, add_steps, story);
    if (code == TRACER_DONE && !story_is_known(story)) {
        tracer_complain("the recording says nothing of it");
        code = TRACER_FAILED;
    }
    return code;
}

static void print_json(const story_t *story)
{
    buffer_t text = {0};
    json_t json = json_of(&text);
    story_write_json(story, &json);
    tracer_put_line(&text);
}

int command_explain(const tracer_options_t *options)
{
    story_t story;
    name_t group;
    uint64_t sequence;
    if (!read_message_name(options, &group, &sequence)) {
        tracer_complain("explain needs a group's name and a number, e.g. explain tea 17");
        return TRACER_USAGE;
    }
    story_begin(&story, &group, sequence);
    int code = options->from ? explain_recorded(options, &story) : explain_live(options, &story);
    if (code == TRACER_DONE) {
        if (options->is_json)
            print_json(&story);
        else
            story_print(&story, stdout, &options->style);
        code = tracer_flush() ? TRACER_DONE : TRACER_FAILED;
    }
    story_free(&story);
    return code;
}
