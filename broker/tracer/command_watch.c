/* SPDX-License-Identifier: MPL-2.0 */
/* Steps as they happen, a line each. */
#include "broker/tracer/step_text.h"
#include "broker/tracer/tracer.h"

/* Every client asks for news every few seconds: what finds none would hide the rest from people. */
static bool is_idle_poll(const trace_record_t *step)
{
    bool is_poll = step->verb >= VERB_poll_messages && step->verb <= VERB_poll_leaves;
    return is_poll && (step->step == TRACE_RECEIVED || step->step == TRACE_ACCEPTED);
}

static void print_json(const trace_record_t *step)
{
    buffer_t text = {0};
    json_t json = json_of(&text);
    step_write_json(step, &json);
    tracer_put_line(&text);
}

static bool print_steps(void *context, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    const tracer_options_t *options = context;
    for (size_t i = 0; i < count; i++) {
        if (options->is_json) {
            print_json(&steps[i]);
        } else if (options->with_polls || !is_idle_poll(&steps[i])) {
            step_print(stdout, &options->style, &steps[i]);
        }
    }
    if (dropped > 0 && options->is_json)
        printf("{\"lost\":%llu}\n", (unsigned long long)dropped);
    else if (dropped > 0)
        printf("%s... %llu steps were lost here%s\n", style_ink(&options->style, INK_BAD),
               (unsigned long long)dropped, style_ink(&options->style, INK_PLAIN));
    return tracer_flush();
}

int command_watch(const tracer_options_t *options)
{
    tracer_options_t mine = *options;
    int code = tracer_for_each(options, print_steps, &mine);
    return ferror(stdout) ? TRACER_FAILED : code;
}
