/* SPDX-License-Identifier: MPL-2.0 */
#include "client/ui/action_trace.h"

#include <sodium.h>

void action_trace_make(trace_context_t *out)
{
    randombytes_buf(out->trace_id, sizeof out->trace_id);
    randombytes_buf(out->span_id, sizeof out->span_id);
    out->flags = TRACE_CONTEXT_SAMPLED;
}

void action_trace_add(const trace_context_t *self, json_t *json)
{
    char text[TRACE_CONTEXT_CHARS + 1];
    if (!trace_context_exists(self))
        return;
    trace_context_write(self, text);
    json_add_text(json, "traceparent", text);
}
