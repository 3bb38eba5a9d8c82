/* SPDX-License-Identifier: MPL-2.0 */
/* A readable line a step: the time, who, why, and what came of it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/message.h"
#include "tests/simulation/world.h"

void world_trace(world_t *self, const char *who, const char *format, ...)
{
    if (!self->options.is_traced)
        return;
    printf("%10.3f %-8s ", (double)self->now_ms / 1000, who);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void world_trace_cause(world_t *self, const char *format, ...)
{
    if (!self->options.is_traced)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->cause, sizeof self->cause, format, arguments);
    va_end(arguments);
}

/* "reply 7 join OK, push events" */
static void list_messages(char *out, size_t size, bytes_t frame)
{
    size_t used = 0;
    for (;;) {
        message_t message = {0};
        status_t status = message_read(&message, &frame, ~0u);
        if (status == STATUS_NOT_FOUND || used + 1 >= size)
            return;
        const char *verb = verb_name(message.verb);
        int length = snprintf(out + used, size - used, "%s%s %s%s%s", used ? ", " : "",
                              message.kind == MESSAGE_PUSH ? "push" : "reply", verb ? verb : "?",
                              message.kind == MESSAGE_REPLY ? " " : "",
                              message.kind == MESSAGE_REPLY ? status_name(message.status) : "");
        used += length > 0 ? (size_t)length : 0;
        message_wipe(&message);
    }
}

void world_trace_frame(world_t *self, bytes_t frame)
{
    if (!self->options.is_traced)
        return;
    char messages[100] = "";
    list_messages(messages, sizeof messages, frame);
    world_trace_cause(self, "gets %s", messages);
}

void world_trace_step(world_t *self, size_t client, unsigned side, const effects_t *effects)
{
    if (!self->options.is_traced)
        return;
    static const char *const links[] = {"", ", opens its link", ", closes its link"};
    char who[24], sent[160] = "";
    size_t used = 0;
    snprintf(who, sizeof who, "c%zu%s", client, side == SIDE_ADMIN ? "/admin" : "");
    for (size_t i = 0; i < effects->frames.count && used < sizeof sent - 1; i++) {
        bytes_t frame = buffer_view(&effects->frames.items[i].bytes);
        message_t message = {0};
        while (message_read(&message, &frame, 1u << MESSAGE_REQUEST) == STATUS_OK &&
               used < sizeof sent - 1) {
            int length =
                snprintf(sent + used, sizeof sent - used, ", sends %s", verb_name(message.verb));
            used += length > 0 ? (size_t)length : 0;
            message_wipe(&message);
        }
        message_wipe(&message);
    }
    world_trace(self, who, "%s%s%s%s%s", self->cause, effects->writes.count ? ", stores" : "",
                links[effects->link], sent, effects->mail.count ? ", mails its other side" : "");
}

void world_trace_broker(world_t *self, const trace_record_t *record)
{
    bool is_answer = record->step == TRACE_ACCEPTED || record->step == TRACE_REFUSED;
    if (is_answer)
        world_trace(self, "broker", "%s of %s%s%s: %s", verb_name(record->verb),
                    record->user.text[0] ? record->user.text : "somebody",
                    record->group.text[0] ? " in " : "", record->group.text,
                    status_name(status_from_code(record->status)));
    else if (record->step == TRACE_APPENDED)
        world_trace(self, "broker", "%s has event %llu", record->group.text,
                    (unsigned long long)record->sequence);
    else if (record->step == TRACE_STORE_FAILED)
        world_trace(self, "broker", "can't store: %s",
                    status_name(status_from_code(record->status)));
}
