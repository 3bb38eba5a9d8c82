/* SPDX-License-Identifier: MPL-2.0 */
/* What the user typed in the chat: texts, commands, completion. */
#include "client/ui/chat.h"

#include "client/ui/utf8.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

static status_t send_text(chat_t *self, const char *text)
{
    size_t size = strlen(text);
    if (!self->group.text[0]) {
        chat_say(self, FORMAT_WARNING, "In which group? /create GROUP, /join GROUP or /switch.");
        return STATUS_OK;
    }
    if (size > TEXT_MAX_BYTES) {
        chat_say(self, FORMAT_BAD, "Not sent: %zu bytes, and at most %d go into a message.", size,
                 TEXT_MAX_BYTES);
        return STATUS_OK;
    }
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t taken = utf8_next(text + at, size - at, &character);
        if (character == UTF8_REPLACEMENT &&
            !(taken == 3 && memcmp(text + at, "\xEF\xBF\xBD", 3) == 0)) {
            chat_say(self, FORMAT_BAD, "Not sent: that is not valid UTF-8.");
            return STATUS_OK;
        }
        at += taken;
    }
    local_send_request_t request = {.name = self->group, .text = {text, size}};
    status_t status = chat_ask(self, ASK_SEND, LOCAL_VERB_send, &request, &self->group);
    if (status == STATUS_OK && (self->is_offline || self->is_rekey_due))
        chat_say(self, FORMAT_DIM, "(waits) %s", text);
    return status;
}

static void say_help(chat_t *self)
{
    for (size_t i = 0; i < chat_row_count; i++) {
        const chat_row_t *row = &chat_rows[i];
        size_t width = strlen(row->name) + strlen(row->arguments);
        chat_say(self, FORMAT_PLAIN, "  /%s %s%*s%s", row->name, row->arguments,
                 width < 18 ? (int)(18 - width) : 1, "", row->help);
    }
    chat_say(self, FORMAT_PLAIN, "  //text              send a text that starts with a slash");
    chat_say(self, FORMAT_DIM,
             "Tab completes commands, groups and names; the arrows bring back "
             "what you typed.");
}

static status_t with_group(chat_t *self, chat_ask_kind_t kind, local_verb_t verb, const void *body)
{
    if (self->group.text[0])
        return chat_ask(self, kind, verb, body, &self->group);
    chat_say(self, FORMAT_WARNING,
             "No group is chosen: /switch GROUP, /join GROUP or /create "
             "GROUP.");
    return STATUS_OK;
}

static status_t show_history(chat_t *self, const char *count)
{
    uint64_t last = count ? strtoull(count, NULL, 10) : 50;
    local_history_request_t request = {.name = self->group,
                                       .last = last && last < 1000 ? last : 1000};
    self->last_time_ms = 0;
    return with_group(self, ASK_HISTORY, LOCAL_VERB_history, &request);
}

/* Without a name: the next group, or the only other one. */
static status_t switch_group(chat_t *self, const name_t *name)
{
    if (name->text[0])
        return chat_enter(self, name);
    size_t current = 0;
    for (size_t i = 0; i < self->group_count; i++)
        if (name_equal(&self->groups[i].name, &self->group))
            current = i;
    for (size_t step = 1; step <= self->group_count; step++) {
        const chat_group_t *group = &self->groups[(current + step) % self->group_count];
        if (group->state == LOCAL_GROUP_ACTIVE && !name_equal(&group->name, &self->group))
            return chat_enter(self, &group->name);
    }
    chat_say(self, FORMAT_DIM, "There is no other group; /groups lists yours.");
    return STATUS_OK;
}

static status_t about_group(chat_t *self, chat_input_kind_t kind, const name_t *name)
{
    local_create_request_t create = {.name = *name, .hold_ms = HOLD_DEFAULT_MS};
    local_join_request_t join = {.name = *name};
    local_leave_request_t leave = {.name = name->text[0] ? *name : self->group};
    local_ignore_request_t ignore = {.name = *name, .on = 1};
    switch (kind) {
    case CHAT_CREATE:
        return chat_ask(self, ASK_CREATE, LOCAL_VERB_create, &create, name);
    case CHAT_JOIN:
        return chat_ask(self, ASK_JOIN, LOCAL_VERB_join, &join, name);
    case CHAT_IGNORE:
        return chat_ask(self, ASK_IGNORE, LOCAL_VERB_ignore, &ignore, name);
    case CHAT_LEAVE:
        if (leave.name.text[0])
            return chat_ask(self, ASK_LEAVE, LOCAL_VERB_leave, &leave, &leave.name);
        return with_group(self, ASK_LEAVE, LOCAL_VERB_leave, &leave);
    default:
        return switch_group(self, name);
    }
}

static status_t named(chat_t *self, const chat_input_t *input)
{
    name_t name = {0};
    if (input->argument && name_parse(&name, input->argument) != STATUS_OK) {
        chat_say(self, FORMAT_BAD, "\"%s\": %s.", input->argument, status_text(STATUS_BAD_NAME));
        return STATUS_OK;
    }
    return about_group(self, input->kind, &name);
}

static status_t take_input(chat_t *self, const chat_input_t *input)
{
    local_members_request_t members = {.name = self->group};
    switch (input->kind) {
    case CHAT_NOTHING:
        return STATUS_OK;
    case CHAT_TEXT:
        return send_text(self, input->argument);
    case CHAT_HELP:
        say_help(self);
        return STATUS_OK;
    case CHAT_GROUPS:
        return chat_ask(self, ASK_LIST, LOCAL_VERB_groups, NULL, NULL);
    case CHAT_MEMBERS:
        return with_group(self, ASK_MEMBERS, LOCAL_VERB_members, &members);
    case CHAT_WHO:
        return with_group(self, ASK_WHO, LOCAL_VERB_members, &members);
    case CHAT_STATUS:
        return chat_ask(self, ASK_STATUS, LOCAL_VERB_status, NULL, NULL);
    case CHAT_HISTORY:
        return show_history(self, input->argument);
    case CHAT_QUIT:
        self->is_ending = true;
        return STATUS_OK;
    case CHAT_UNKNOWN:
        chat_say(self, FORMAT_WARNING, "There is no /%s; %s%s%s", input->argument,
                 input->nearest ? "did you mean /" : "/help lists what there is",
                 input->nearest ? input->nearest : "", input->nearest ? "?" : ".");
        return STATUS_OK;
    case CHAT_BAD:
        chat_say(self, FORMAT_WARNING, "Usage: /%s %s", input->row->name, input->row->arguments);
        return STATUS_OK;
    case CHAT_JOIN:
    case CHAT_LEAVE:
    case CHAT_CREATE:
    case CHAT_SWITCH:
    case CHAT_IGNORE:
        return named(self, input);
    }
    return STATUS_OK;
}

status_t chat_take_line(chat_t *self, const char *line)
{
    chat_input_t input = chat_input_parse(line);
    if (input.kind != CHAT_NOTHING)
        line_editor_remember(self->editor, line);
    /* What is typed does not stay on the screen: a text comes back as a line, a command is repeated
     * here. */
    if (self->is_interactive && input.kind != CHAT_TEXT && input.kind != CHAT_NOTHING)
        chat_say(self, FORMAT_DIM, "%s", line);
    status_t status = take_input(self, &input);
    chat_input_wipe(&input);
    return status;
}

static void offer_groups(chat_t *self, line_completion_t *completion)
{
    for (size_t i = 0; i < self->group_count; i++)
        line_completion_offer(completion, self->groups[i].name.text);
}

static void offer_people(chat_t *self, line_completion_t *completion)
{
    for (size_t i = 0; i < self->person_count; i++)
        line_completion_offer(completion, self->people[i].text);
}

void chat_complete(void *context, const char *left, size_t word_start,
                   line_completion_t *completion)
{
    chat_t *self = context;
    if (left[0] != '/' || left[1] == '/') {
        offer_people(self, completion);
        return;
    }
    if (word_start == 0) {
        for (size_t i = 0; i < chat_row_count; i++) {
            char name[32] = "/";
            strncat(name, chat_rows[i].name, sizeof name - 2);
            line_completion_offer(completion, name);
        }
        return;
    }
    size_t size = strcspn(left + 1, " ");
    for (size_t i = 0; i < chat_row_count; i++) {
        const chat_row_t *row = &chat_rows[i];
        if (strlen(row->name) != size || memcmp(row->name, left + 1, size) != 0 || !row->words_max)
            continue;
        if (row->takes_group)
            offer_groups(self, completion);
        else
            offer_people(self, completion);
    }
}
