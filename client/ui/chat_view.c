/* SPDX-License-Identifier: MPL-2.0 */
/* What is seen in the chat: lines, notices, banners, the prompt. */
#include "client/ui/chat.h"

#include "client/ui/json.h"
#include "client/ui/line_view.h"
#include "client/ui/text_buffer.h"
#include "proto/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PEOPLE_MAX 4096

void chat_print(chat_t *self, char *line)
{
    line_editor_print_above(self->editor, line);
    free(line);
}

static void say_json(chat_t *self, const char *type, const char *text)
{
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", type);
    json_add_text(&json, "text", text);
    chat_print(self, json_take(&json));
}

void chat_say(chat_t *self, format_style_t style, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    if (self->invocation->globals.json)
        say_json(self, "info", text);
    else
        chat_print(self, format_styled(&self->invocation->out_format, style, text));
    free(text);
}

void chat_banner(chat_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    if (self->invocation->globals.json)
        say_json(self, "banner", text);
    else
        chat_print(self, format_banner(&self->invocation->out_format, text));
    free(text);
}

void chat_refused(chat_t *self, status_t status, text_t detail, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    if (detail.size)
        chat_say(self, FORMAT_BAD, "%s (%s): %.*s", text, status_name(status), (int)detail.size,
                 detail.data);
    else
        chat_say(self, FORMAT_BAD, "%s (%s): %s", text, status_name(status), status_text(status));
    free(text);
}

void chat_show_prompt(chat_t *self)
{
    if (!self->is_interactive)
        return;
    const char *name = self->group.text;
    text_buffer_t text = {0};
    text_buffer_add_text(&text, name);
    if (self->is_offline)
        text_buffer_add_text(&text, *name ? " (offline)" : "(offline)");
    else if (self->is_rekey_due)
        text_buffer_add_text(&text, " (waiting for a new key)");
    char *prompt = format_prompt(&self->invocation->out_format, text.size ? text.bytes : NULL);
    line_editor_set_prompt(self->editor, prompt);
    free(prompt);
    text_buffer_wipe(&text);
}

void chat_know_person(chat_t *self, const name_t *name)
{
    if (!name->text[0] || self->person_count == PEOPLE_MAX)
        return;
    for (size_t i = 0; i < self->person_count; i++)
        if (name_equal(&self->people[i], name))
            return;
    self->people = mem_realloc(self->people, self->person_count + 1, sizeof *self->people);
    self->people[self->person_count++] = *name;
}

void chat_print_line(chat_t *self, const local_line_record_t *line)
{
    const format_t *format = &self->invocation->out_format;
    if (self->invocation->globals.json) {
        chat_print(self, line_view_json(line));
        return;
    }
    if (line->time_ms && !format_same_day(self->last_time_ms, line->time_ms))
        chat_print(self, format_day(format, line->time_ms));
    if (line->time_ms)
        self->last_time_ms = line->time_ms;
    chat_know_person(self, line->kind == LINE_MESSAGE ? &line->sender : &line->who);
    chat_print(self, line_view_text(format, line, false));
}

chat_group_t *chat_group(chat_t *self, const name_t *name)
{
    chat_group_t *found = NULL;
    for (size_t i = 0; i < self->group_count; i++)
        if (name_equal(&self->groups[i].name, name) && (!found || found->state >= LOCAL_GROUP_LEFT))
            found = &self->groups[i];
    return found;
}

/* Lines of the current group; those that were printed when it was entered come again and are
 * skipped. */
static status_t take_lines(chat_t *self, const local_line_push_t *push)
{
    size_t count = 0;
    local_line_id_record_t *ids = mem_zalloc(push->lines.count, sizeof *ids);
    bool may_change_keys = false;
    for (size_t i = 0; i < push->lines.count; i++) {
        const local_line_record_t *line = &push->lines.items[i];
        if (!name_equal(&line->group_name, &self->group))
            continue;
        if (push->late || line->sequence > self->shown_until)
            chat_print_line(self, line);
        may_change_keys |= line->kind != LINE_MESSAGE;
        memcpy(ids[count].group, line->group, GROUP_ID_BYTES);
        ids[count++].sequence = line->sequence;
    }
    local_shown_request_t request = {.lines = {ids, count}};
    status_t status = STATUS_OK;
    if (count)
        status = chat_ask(self, ASK_SHOWN, LOCAL_VERB_shown, &request, NULL);
    free(ids);
    if (status == STATUS_OK && may_change_keys)
        status = chat_refresh(self);
    return status;
}

static void take_link(chat_t *self, const local_link_push_t *link)
{
    if (!link->reachable) {
        if (!self->offline_ms)
            self->offline_ms = access_now() + OFFLINE_PATIENCE_MS;
        return;
    }
    self->offline_ms = 0;
    if (self->is_offline) {
        self->is_offline = false;
        chat_say(self, FORMAT_GOOD, "online again");
        chat_show_prompt(self);
    }
}

void chat_offline_step(chat_t *self, uint64_t now)
{
    if (!self->offline_ms || self->is_offline || now < self->offline_ms)
        return;
    const char *reason = access_link_reason(&self->access);
    self->is_offline = true;
    chat_banner(self, "offline%s%s; what you write is kept and sent later", reason ? ": " : "",
                reason ? reason : "");
    chat_show_prompt(self);
}

status_t chat_take_push(chat_t *self, const local_message_t *push)
{
    if (push->verb == LOCAL_VERB_line)
        return take_lines(self, &push->body.line_push);
    if (push->verb == LOCAL_VERB_link)
        take_link(self, &push->body.link_push);
    return STATUS_OK;
}
