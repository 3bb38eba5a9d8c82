/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/span.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void json_add(buffer_t *out, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        abort(); /* all that comes here is short: names, numbers, words of our own */
    buffer_append(out, text, (size_t)size);
}

void span_wipe(span_t *self)
{
    buffer_free(&self->attributes);
    buffer_free(&self->events);
    buffer_free(&self->links);
    *self = (span_t){0};
}

static const char *comma_in(const buffer_t *list)
{
    return list->size > 0 ? "," : "";
}

void span_text(span_t *self, const char *key, const char *value)
{
    json_add(&self->attributes, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}",
             comma_in(&self->attributes), key, value);
}

void span_number(span_t *self, const char *key, uint64_t value)
{
    json_add(&self->attributes, "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRIu64 "\"}}",
             comma_in(&self->attributes), key, value);
}

static void add_id(buffer_t *out, const char *key, const uint8_t *id, size_t size)
{
    char hex[2 * TRACE_ID_BYTES + 1];
    json_add(out, "\"%s\":\"%s\"", key, sodium_bin2hex(hex, sizeof hex, id, size));
}

static void add_context(buffer_t *out, const span_context_t *context)
{
    add_id(out, "traceId", context->trace_id, TRACE_ID_BYTES);
    json_add(out, ",");
    add_id(out, "spanId", context->span_id, SPAN_ID_BYTES);
}

void span_link(span_t *self, const span_context_t *to, const char *message_id)
{
    if (self->link_count == SPAN_LINKS_MAX) {
        self->links_left_out++;
        return;
    }
    self->link_count++;
    json_add(&self->links, "%s{", comma_in(&self->links));
    add_context(&self->links, to);
    if (message_id[0])
        json_add(&self->links,
                 ",\"attributes\":[{\"key\":\"messaging.message.id\",\"value\":{\"stringValue\":"
                 "\"%s\"}}]",
                 message_id);
    json_add(&self->links, "}");
}

void span_event(span_t *self, uint64_t time_us, const char *name, const char *group,
                uint64_t sequence)
{
    buffer_t *out = &self->events;
    if (self->event_count == SPAN_EVENTS_MAX) {
        self->events_left_out++;
        return;
    }
    self->event_count++;
    json_add(out, "%s{\"timeUnixNano\":\"%" PRIu64 "000\",\"name\":\"%s\"", comma_in(out), time_us,
             name);
    if (group[0])
        json_add(out,
                 ",\"attributes\":[{\"key\":\"messaging.destination.name\",\"value\":"
                 "{\"stringValue\":\"%s\"}},{\"key\":\"messaging.conclave.sequence\",\"value\":"
                 "{\"intValue\":\"%" PRIu64 "\"}}]",
                 group, sequence);
    json_add(out, "}");
}

static void add_list(buffer_t *out, const char *key, const buffer_t *items)
{
    if (items->size == 0)
        return;
    json_add(out, ",\"%s\":[", key);
    buffer_append(out, items->data, items->size);
    json_add(out, "]");
}

static void add_count(buffer_t *out, const char *key, uint32_t count)
{
    if (count > 0)
        json_add(out, ",\"%s\":%" PRIu32, key, count);
}

void span_write(const span_t *self, buffer_t *out)
{
    uint64_t end_us = self->end_us > self->start_us ? self->end_us : self->start_us;
    json_add(out, "{");
    add_context(out, &self->context);
    if (!sodium_is_zero(self->parent_id, SPAN_ID_BYTES)) {
        json_add(out, ",");
        add_id(out, "parentSpanId", self->parent_id, SPAN_ID_BYTES);
    }
    json_add(out,
             ",\"name\":\"%s%s\",\"kind\":%d,\"startTimeUnixNano\":\"%" PRIu64
             "000\",\"endTimeUnixNano\":\"%" PRIu64 "000\"",
             self->operation, self->has_destination ? " {group}" : "", (int)self->kind,
             self->start_us, end_us);
    add_list(out, "attributes", &self->attributes);
    add_list(out, "events", &self->events);
    add_count(out, "droppedEventsCount", self->events_left_out);
    add_list(out, "links", &self->links);
    add_count(out, "droppedLinksCount", self->links_left_out);
    if (self->error)
        json_add(out, ",\"status\":{\"code\":2,\"message\":\"%s\"}", self->error);
    json_add(out, "}");
}
