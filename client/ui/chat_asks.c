/* SPDX-License-Identifier: MPL-2.0 */
/* The chat's requests, and what their replies lead to. */
#include "client/ui/chat.h"

#include "client/ui/list_view.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT_LINES   12
#define LOAD_MAX        1000
#define DUE_PATIENCE_MS 1000 /* a new key that comes sooner is not worth a banner */
#define HELD_MS         3000 /* how long input waits for an answer at a terminal */

bool chat_ask_holds(chat_ask_kind_t kind)
{
    return kind == ASK_ENTER || kind == ASK_LOAD || kind == ASK_SUBSCRIBE || kind == ASK_CREATE ||
           kind == ASK_JOIN || kind == ASK_LEAVE || kind == ASK_WHOAMI || kind == ASK_LIST ||
           kind == ASK_MEMBERS || kind == ASK_WHO || kind == ASK_HISTORY || kind == ASK_STATUS;
}

status_t chat_ask(chat_t *self, chat_ask_kind_t kind, local_verb_t verb, const void *body,
                  const name_t *name)
{
    uint64_t id;
    status_t status = access_send(&self->access, verb, body, &id);
    if (status != STATUS_OK)
        return status;
    self->asks = mem_realloc(self->asks, self->ask_count + 1, sizeof *self->asks);
    chat_ask_t *ask = &self->asks[self->ask_count++];
    *ask = (chat_ask_t){.id = id, .kind = kind};
    if (name)
        ask->name = *name;
    self->sends += kind == ASK_SEND;
    if (chat_ask_holds(kind)) {
        self->holding++;
        self->held_ms = access_now() + HELD_MS;
    }
    return STATUS_OK;
}

status_t chat_refresh(chat_t *self)
{
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].kind == ASK_REFRESH)
            return STATUS_OK;
    return chat_ask(self, ASK_REFRESH, LOCAL_VERB_groups, NULL, NULL);
}

status_t chat_enter(chat_t *self, const name_t *group)
{
    return chat_ask(self, ASK_ENTER, LOCAL_VERB_groups, NULL, group);
}

static void set_rekey_due(chat_t *self, bool is_due)
{
    if (is_due && !self->due_ms)
        self->due_ms = access_now() + DUE_PATIENCE_MS;
    if (is_due)
        return;
    self->due_ms = 0;
    if (self->is_rekey_due) {
        self->is_rekey_due = false;
        chat_show_prompt(self);
    }
}

status_t chat_rekey_step(chat_t *self, uint64_t now)
{
    if (!self->due_ms || self->is_rekey_due || now < self->due_ms)
        return STATUS_OK;
    self->is_rekey_due = true;
    chat_show_prompt(self);
    local_members_request_t request = {.name = self->group};
    return chat_ask(self, ASK_ABSENT, LOCAL_VERB_members, &request, &self->group);
}

/* Keeps what was said about each group. */
static void keep_groups(chat_t *self, const local_groups_reply_t *reply)
{
    chat_group_t *groups = mem_zalloc(reply->groups.count, sizeof *groups);
    for (size_t i = 0; i < reply->groups.count; i++) {
        const local_group_info_record_t *info = &reply->groups.items[i];
        groups[i] = (chat_group_t){.name = info->name,
                                   .state = info->state,
                                   .unread = info->unread,
                                   .rekey_due = info->rekey_due_since_ms != 0};
        const chat_group_t *before = chat_group(self, &info->name);
        groups[i].said_unread = before ? before->said_unread : info->unread;
        if (info->unread < groups[i].said_unread)
            groups[i].said_unread = info->unread;
    }
    free(self->groups);
    self->groups = groups;
    self->group_count = reply->groups.count;
}

static void take_refresh(chat_t *self, const local_groups_reply_t *reply)
{
    keep_groups(self, reply);
    for (size_t i = 0; i < self->group_count; i++) {
        chat_group_t *group = &self->groups[i];
        if (name_equal(&group->name, &self->group) || group->unread <= group->said_unread)
            continue;
        group->said_unread = group->unread;
        chat_say(self, FORMAT_DIM, "#%s: %llu unread (/switch %s)", group->name.text,
                 (unsigned long long)group->unread, group->name.text);
    }
    const chat_group_t *current = chat_group(self, &self->group);
    set_rekey_due(self, current && current->rekey_due);
}

static void say_group(chat_t *self, const local_group_info_record_t *info)
{
    const format_t *format = &self->invocation->out_format;
    if (!self->invocation->globals.json)
        chat_print(self, list_view_group(format, info));
    if (info->state == LOCAL_GROUP_JOINING || info->state == LOCAL_GROUP_WELCOMED)
        chat_say(self, FORMAT_PLAIN,
                 "An admin's client of %s has to let you in; that can take a "
                 "moment.",
                 info->name.text);
    else if (info->state >= LOCAL_GROUP_LEFT)
        chat_say(self, FORMAT_WARNING, "You are not in %s any more: only its history is here.",
                 info->name.text);
    else if (!info->verified)
        chat_say(self, FORMAT_DIM,
                 "Anybody who knows the group's name may be in: compare words (/members).");
}

static status_t load(chat_t *self, uint64_t unread)
{
    uint64_t last = unread > LOAD_MAX - CONTEXT_LINES ? LOAD_MAX : unread + CONTEXT_LINES;
    local_history_request_t request = {.name = self->group, .last = last};
    return chat_ask(self, ASK_LOAD, LOCAL_VERB_history, &request, &self->group);
}

static status_t take_enter(chat_t *self, const name_t *wanted, const local_groups_reply_t *reply)
{
    const local_group_info_record_t *found = NULL;
    keep_groups(self, reply);
    for (size_t i = 0; i < reply->groups.count; i++)
        if (name_equal(&reply->groups.items[i].name, wanted) &&
            (!found || found->state >= LOCAL_GROUP_LEFT))
            found = &reply->groups.items[i];
    if (!found) {
        chat_say(self, FORMAT_WARNING,
                 "You are not in %s: /join %s asks to be let in, /create %s makes it.",
                 wanted->text, wanted->text, wanted->text);
        return STATUS_OK;
    }
    self->group = *wanted;
    self->shown_until = 0;
    self->last_time_ms = 0;
    self->is_rekey_due = false;
    self->due_ms = 0;
    say_group(self, found);
    chat_show_prompt(self);
    set_rekey_due(self, found->rekey_due_since_ms != 0);
    return load(self, found->unread);
}

static status_t subscribe(chat_t *self)
{
    local_group_name_record_t one = {.name = self->group};
    local_subscribe_request_t request = {.groups = {&one, 1}, .unshown = 1};
    return chat_ask(self, ASK_SUBSCRIBE, LOCAL_VERB_subscribe, &request, &self->group);
}

static status_t take_load(chat_t *self, const name_t *group, const local_message_t *reply)
{
    if (!name_equal(group, &self->group))
        return STATUS_OK; /* another one was entered meanwhile */
    const local_history_reply_t *history = &reply->body.history_reply;
    size_t count = reply->status == STATUS_OK ? history->lines.count : 0;
    local_line_id_record_t *ids = mem_zalloc(count, sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        const local_line_record_t *line = &history->lines.items[i];
        chat_print_line(self, line);
        self->shown_until = line->sequence;
        memcpy(ids[i].group, line->group, GROUP_ID_BYTES);
        ids[i].sequence = line->sequence;
    }
    status_t status = STATUS_OK;
    for (size_t at = 0; at < count && status == STATUS_OK; at += 512) {
        size_t size = count - at < 512 ? count - at : 512;
        local_shown_request_t request = {.lines = {ids + at, size}};
        status = chat_ask(self, ASK_SHOWN, LOCAL_VERB_shown, &request, NULL);
    }
    free(ids);
    return status == STATUS_OK ? subscribe(self) : status;
}

static void take_members(chat_t *self, const local_members_reply_t *reply)
{
    const format_t *format = &self->invocation->out_format;
    for (size_t i = 0; i < reply->members.count; i++) {
        const local_member_info_record_t *member = &reply->members.items[i];
        chat_know_person(self, &member->name);
        if (!self->invocation->globals.json) {
            chat_print(self, list_view_member(format, member));
            continue;
        }
        json_t json;
        list_view_member_json(&json, self->group.text, member);
        chat_print(self, json_take(&json));
    }
    chat_say(self, FORMAT_DIM,
             "The words are the same on both sides if nobody stands between you: "
             "compare them over another channel.");
}

/* One line: names, admins marked. */
static void take_who(chat_t *self, const local_members_reply_t *reply)
{
    text_buffer_t out = {0};
    for (size_t i = 0; i < reply->members.count; i++) {
        const local_member_info_record_t *member = &reply->members.items[i];
        chat_know_person(self, &member->name);
        text_buffer_add_format(&out, "%s%s%s", i ? ", " : "", member->name.text,
                               member->left   ? " (left)"
                               : member->role ? " (admin)"
                                              : "");
    }
    chat_say(self, FORMAT_PLAIN, "In %s: %s", self->group.text, out.size ? out.bytes : "nobody");
    text_buffer_wipe(&out);
}

static void take_absent(chat_t *self, const local_members_reply_t *reply)
{
    text_buffer_t who = {0};
    for (size_t i = 0; i < reply->members.count; i++)
        if (reply->members.items[i].left)
            text_buffer_add_format(&who, "%s%s", who.size ? ", " : "",
                                   reply->members.items[i].name.text);
    if (self->is_rekey_due)
        chat_banner(self, "waiting for a new key since %s left; your text is kept",
                    who.size ? who.bytes : "somebody");
    text_buffer_wipe(&who);
}

static void take_list(chat_t *self, const local_groups_reply_t *reply)
{
    keep_groups(self, reply);
    if (!reply->groups.count)
        chat_say(self, FORMAT_DIM, "No groups yet: /create GROUP or /join GROUP.");
    for (size_t i = 0; i < reply->groups.count; i++) {
        if (!self->invocation->globals.json) {
            chat_print(self,
                       list_view_group(&self->invocation->out_format, &reply->groups.items[i]));
            continue;
        }
        json_t json;
        list_view_group_json(&json, &reply->groups.items[i]);
        chat_print(self, json_take(&json));
    }
}

static status_t take_join(chat_t *self, const name_t *group, const local_join_reply_t *reply)
{
    const char *admin = reply->admin.text[0] ? reply->admin.text : "an admin";
    chat_say(self, FORMAT_PLAIN, "Asked to join %s; %s's client will let you in.", group->text,
             admin);
    if (reply->admin_words.size)
        chat_say(self, FORMAT_BOLD, "Compare these words with %s over another channel: %.*s", admin,
                 (int)reply->admin_words.size, reply->admin_words.data);
    return chat_enter(self, group);
}

static status_t take_leave(chat_t *self, const name_t *group)
{
    chat_say(self, FORMAT_PLAIN, "You have left %s; its history stays here.", group->text);
    if (name_equal(group, &self->group)) {
        self->group = (name_t){0};
        self->is_rekey_due = false;
        self->due_ms = 0;
        chat_show_prompt(self);
    }
    return chat_refresh(self);
}

static void take_status(chat_t *self, const local_status_reply_t *state)
{
    chat_say(self, FORMAT_PLAIN, "Broker %.*s: %s%s%.*s", (int)state->broker.size,
             state->broker.size ? state->broker.data : "",
             state->reachable ? "reachable" : "not reachable", state->reason.size ? ", " : "",
             (int)state->reason.size, state->reason.size ? state->reason.data : "");
    chat_say(self, FORMAT_PLAIN, "Outbox: %llu waiting. Home: held by process %llu.",
             (unsigned long long)state->outbox, (unsigned long long)state->holder_pid);
}

static void take_history(chat_t *self, const local_history_reply_t *reply)
{
    for (size_t i = 0; i < reply->lines.count; i++)
        chat_print_line(self, &reply->lines.items[i]);
}

static const char *failure_of(chat_ask_kind_t kind)
{
    switch (kind) {
    case ASK_SEND:
        return "not sent";
    case ASK_CREATE:
        return "not created";
    case ASK_JOIN:
        return "not asked to join";
    case ASK_LEAVE:
        return "not left";
    default:
        return "that can't be shown";
    }
}

static status_t take_ok(chat_t *self, const chat_ask_t *ask, const local_message_t *reply)
{
    switch (ask->kind) {
    case ASK_ENTER:
        return take_enter(self, &ask->name, &reply->body.groups_reply);
    case ASK_REFRESH:
        take_refresh(self, &reply->body.groups_reply);
        break;
    case ASK_LIST:
        take_list(self, &reply->body.groups_reply);
        break;
    case ASK_HISTORY:
        take_history(self, &reply->body.history_reply);
        break;
    case ASK_WHOAMI:
        self->me = reply->body.whoami_reply.name;
        break;
    case ASK_CREATE:
        return chat_enter(self, &ask->name);
    case ASK_JOIN:
        return take_join(self, &ask->name, &reply->body.join_reply);
    case ASK_LEAVE:
        return take_leave(self, &ask->name);
    case ASK_MEMBERS:
        take_members(self, &reply->body.members_reply);
        break;
    case ASK_WHO:
        take_who(self, &reply->body.members_reply);
        break;
    case ASK_ABSENT:
        take_absent(self, &reply->body.members_reply);
        break;
    case ASK_IGNORE:
        chat_say(self, FORMAT_PLAIN, "Nothing of %s is shown here any more.", ask->name.text);
        break;
    case ASK_STATUS:
        take_status(self, &reply->body.status_reply);
        break;
    case ASK_OUTBOX:
        if (reply->body.outbox_reply.waiting)
            chat_say(self, FORMAT_WARNING, "%llu of your texts wait; the next command sends them.",
                     (unsigned long long)reply->body.outbox_reply.waiting);
        self->is_over = true;
        break;
    case ASK_SEND:
    case ASK_SUBSCRIBE:
    case ASK_SHOWN:
    case ASK_LOAD:
        break;
    }
    return STATUS_OK;
}

status_t chat_take_reply(chat_t *self, const local_message_t *reply)
{
    size_t at = 0;
    while (at < self->ask_count && self->asks[at].id != reply->id)
        at++;
    if (at == self->ask_count)
        return STATUS_OK;
    chat_ask_t ask = self->asks[at];
    self->ask_count--;
    memmove(&self->asks[at], &self->asks[at + 1], (self->ask_count - at) * sizeof *self->asks);
    self->sends -= ask.kind == ASK_SEND;
    self->holding -= chat_ask_holds(ask.kind);
    if (ask.kind == ASK_LOAD)
        return take_load(self, &ask.name, reply);
    if (reply->status == STATUS_OK)
        return take_ok(self, &ask, reply);
    if (ask.kind == ASK_JOIN && reply->status == STATUS_ALREADY_MEMBER)
        return chat_enter(self, &ask.name);
    if (ask.kind == ASK_OUTBOX)
        self->is_over = true;
    if (ask.kind != ASK_ABSENT && ask.kind != ASK_REFRESH && ask.kind != ASK_SHOWN)
        chat_refused(self, reply->status, access_detail(reply), "%s: %s", ask.name.text,
                     failure_of(ask.kind));
    return STATUS_OK;
}
