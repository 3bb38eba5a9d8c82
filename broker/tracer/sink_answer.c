/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/sink_answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* 64-bit integers travel as strings, but not everybody knows. */
static uint64_t number_of(const json_t *value)
{
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static void copy_printable(char out[static SINK_MESSAGE_BYTES], const char *text)
{
    size_t size = 0;
    for (; text && text[size] && size < SINK_MESSAGE_BYTES - 1; size++)
        out[size] = text[size] >= ' ' && text[size] < 127 ? text[size] : '?';
    out[size] = '\0';
}

void sink_answer_read(sink_answer_t *out, bytes_t body)
{
    *out = (sink_answer_t){.is_json = body.size == 0};
    if (body.size == 0)
        return;
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, NULL);
    const json_t *partial = json_object_get(answer, "partialSuccess");
    out->is_json = json_is_object(answer);
    out->rejected_spans = number_of(json_object_get(partial, "rejectedSpans"));
    copy_printable(out->message,
                   json_string_value(partial ? json_object_get(partial, "errorMessage")
                                             : json_object_get(answer, "message")));
    json_decref(answer);
}
