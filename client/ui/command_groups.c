/* SPDX-License-Identifier: MPL-2.0 */
/* `create`, `join` and `leave`: coming into groups and out of them. */
#include "client/ui/access.h"
#include "client/ui/action_trace.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/output.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

/* What is shown of an open group, everywhere. */
#define OPEN_GROUP_HINT                                                                            \
    "Anybody who knows the group's name may be in: compare words (conclave members %s)."

/* The pass that every command completes, also after a refusal; `status` stays what it is then. */
static status_t pass_anyway(access_t *access, status_t status, const char *what)
{
    if (status == STATUS_OK)
        return access_pass(access, what);
    if (status < STATUS_FIRST_LOCAL)
        access_pass_quietly(access);
    return status;
}

static status_t say_done(invocation_t *self, const char *type, const char *group,
                         const trace_context_t *trace, const char *sentence)
{
    if (!self->globals.json)
        return output_say(self, FORMAT_PLAIN, false, "%s", sentence);
    json_t json;
    json_init(&json);
    json_add_text(&json, "type", type);
    json_add_text(&json, "group", group);
    action_trace_add(trace, &json);
    return output_json(self, &json);
}

status_t command_create(invocation_t *self)
{
    access_t access = {0};
    local_create_request_t request = {.hold_ms = HOLD_DEFAULT_MS};
    text_buffer_t what = {0};
    text_buffer_add_format(&what, "%s was not created", self->words[0]);
    status_t status = name_parse(&request.name, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "create", false);
    if (status == STATUS_OK) {
        status = access_call(&access, LOCAL_VERB_create, &request, what.bytes);
        status = pass_anyway(&access, status, "created, but what else waits was not fetched");
    }
    text_buffer_wipe(&what);
    access_close(&access, NULL);
    if (status == STATUS_OK) {
        text_buffer_add_format(&what, "You are the admin of %s. " OPEN_GROUP_HINT,
                               request.name.text, request.name.text);
        status = say_done(self, "created", request.name.text, &access.trace, what.bytes);
        text_buffer_wipe(&what);
    }
    return status;
}

status_t command_leave(invocation_t *self)
{
    access_t access = {0};
    local_leave_request_t request = {0};
    text_buffer_t what = {0};
    text_buffer_add_format(&what, "you are still in %s", self->words[0]);
    status_t status = name_parse(&request.name, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "leave", false);
    if (status == STATUS_OK) {
        status = access_call(&access, LOCAL_VERB_leave, &request, what.bytes);
        status = pass_anyway(&access, status, "left, but what else waits was not fetched");
    }
    text_buffer_wipe(&what);
    access_close(&access, NULL);
    if (status == STATUS_OK) {
        text_buffer_add_format(&what, "You have left %s; what you read stays in its history here.",
                               request.name.text);
        status = say_done(self, "left", request.name.text, &access.trace, what.bytes);
        text_buffer_wipe(&what);
    }
    return status;
}

typedef struct {
    invocation_t *invocation;
    access_t access;
    name_t group, me;
    name_t admin; /* who admitted, or is asked to */
    char *admin_words;
    bool is_in;
    bool is_changed; /* a key that this device remembers has changed: not to be trusted */
} joining_t;

static bool text_is(text_t text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* "joined" with who = me means in. */
static void watch_lines(void *context, const local_message_t *push)
{
    joining_t *self = context;
    if (push->kind != MESSAGE_PUSH || push->verb != LOCAL_VERB_line)
        return;
    for (size_t i = 0; i < push->body.line_push.lines.count; i++) {
        const local_line_record_t *line = &push->body.line_push.lines.items[i];
        if (line->kind != LINE_NOTICE || !name_equal(&line->group_name, &self->group))
            continue;
        self->is_changed |= text_is(line->notice, "key-changed") && !self->is_in;
        if (!name_equal(&line->who, &self->me) || !text_is(line->notice, "joined"))
            continue;
        self->is_in = true;
        static const char by[] = "admitted by ";
        size_t size = sizeof by - 1;
        name_t admin;
        if (line->reason.size > size && memcmp(line->reason.data, by, size) == 0 &&
            name_set(&admin, line->reason.data + size, line->reason.size - size) == STATUS_OK)
            self->admin = admin;
    }
}

static status_t who_am_i(joining_t *self)
{
    status_t status =
        access_call(&self->access, LOCAL_VERB_whoami, NULL, "it is not known who you are");
    if (status == STATUS_OK)
        self->me = self->access.message.body.whoami_reply.name;
    return status;
}

/* Whether the vault says that the group is usable: the notice may have come before we looked. */
static status_t look(joining_t *self)
{
    status_t status =
        access_call(&self->access, LOCAL_VERB_groups, NULL, "the groups can't be listed");
    if (status != STATUS_OK)
        return status;
    const local_groups_reply_t *reply = &self->access.message.body.groups_reply;
    for (size_t i = 0; i < reply->groups.count; i++)
        if (name_equal(&reply->groups.items[i].name, &self->group) &&
            reply->groups.items[i].state == LOCAL_GROUP_ACTIVE)
            self->is_in = true;
    return STATUS_OK;
}

static status_t ask_to_join(joining_t *self)
{
    local_join_request_t request = {.name = self->group};
    text_buffer_t what = {0};
    text_buffer_add_format(&what, "joining %s was not asked for", self->group.text);
    status_t status = access_call(&self->access, LOCAL_VERB_join, &request, what.bytes);
    text_buffer_wipe(&what);
    if (status == STATUS_ALREADY_MEMBER) {
        /* Says the broker, or says this device, while it fetches the keys. Only the keys count. */
        char *cause = complaint_save(self->invocation);
        bool is_waiting = self->invocation->options.wait_ms != COMMAND_UNSET;
        status_t looked = look(self);
        if (looked != STATUS_OK || self->is_in || is_waiting)
            status = looked;
        else
            complain(self->invocation, status, "you can't read %s from here", self->group.text);
        complain_cause(self->invocation, cause);
        free(cause);
        return status;
    }
    if (status != STATUS_OK)
        return status;
    const local_join_reply_t *reply = &self->access.message.body.join_reply;
    self->admin = reply->admin;
    self->admin_words = mem_zalloc(reply->admin_words.size + 1, 1);
    if (reply->admin_words.size)
        memcpy(self->admin_words, reply->admin_words.data, reply->admin_words.size);
    return STATUS_OK;
}

static status_t await_admission(joining_t *self)
{
    uint64_t now = access_now();
    uint64_t wait_ms = self->invocation->options.wait_ms;
    uint64_t until_ms = wait_ms > UINT64_MAX - now ? UINT64_MAX : now + wait_ms;
    status_t status = look(self);
    while (status == STATUS_OK && !self->is_in && !self->is_changed) {
        status = access_receive(&self->access, until_ms);
        if (status == STATUS_OK)
            watch_lines(self, &self->access.message);
    }
    if (status == STATUS_OK && !self->is_in)
        return complain(self->invocation, STATUS_KEY_CHANGED, "you did not join %s",
                        self->group.text);
    if (status == STATUS_TIMED_OUT) {
        complain(self->invocation, status, "nobody has let you into %s yet", self->group.text);
        complain_cause(self->invocation, access_link_reason(&self->access));
        complain_advice(self->invocation, "the request stays; an admin's client serves it");
    }
    return status;
}

/* The words that name the admin's key as the group's roster proves it, instead of what the broker
 * told. */
static status_t verify_words(joining_t *self)
{
    local_members_request_t request = {.name = self->group};
    status_t status =
        access_call(&self->access, LOCAL_VERB_members, &request, "the members can't be listed");
    if (status != STATUS_OK)
        return status;
    const local_members_reply_t *reply = &self->access.message.body.members_reply;
    free(self->admin_words);
    self->admin_words = NULL;
    for (size_t i = 0; i < reply->members.count; i++) {
        const local_member_info_record_t *member = &reply->members.items[i];
        if (!name_equal(&member->name, &self->admin) || !member->words.size)
            continue;
        self->admin_words = mem_zalloc(member->words.size + 1, 1);
        memcpy(self->admin_words, member->words.data, member->words.size);
    }
    return STATUS_OK;
}

static status_t join(joining_t *self)
{
    local_subscribe_request_t all = {0};
    status_t status = who_am_i(self);
    if (status == STATUS_OK) /* an earlier request may have been served meanwhile */
        status = access_pass(&self->access, "the broker was not asked");
    if (status == STATUS_OK)
        status = access_call(&self->access, LOCAL_VERB_subscribe, &all, "lines can't be followed");
    if (status == STATUS_OK)
        status = look(self);
    if (status == STATUS_OK && !self->is_in)
        status = pass_anyway(&self->access, ask_to_join(self), "asked, but not looked again");
    if (status == STATUS_OK && self->invocation->options.wait_ms != COMMAND_UNSET)
        status = await_admission(self);
    if (status == STATUS_OK && self->is_in && self->admin.text[0])
        status = verify_words(self);
    return status;
}

static status_t say_joined(joining_t *self)
{
    invocation_t *invocation = self->invocation;
    bool has_words = self->admin_words && *self->admin_words;
    if (invocation->globals.json) {
        json_t json;
        json_init(&json);
        json_add_text(&json, "type", self->is_in ? "joined" : "requested");
        json_add_text(&json, "group", self->group.text);
        json_add_text(&json, "admin", self->admin.text[0] ? self->admin.text : NULL);
        json_add_text(&json, "words", has_words ? self->admin_words : NULL);
        action_trace_add(&self->access.trace, &json);
        return output_json(invocation, &json);
    }
    status_t status;
    const char *admin = self->admin.text[0] ? self->admin.text : "an admin";
    if (!self->is_in)
        status = output_say(invocation, FORMAT_PLAIN, false,
                            "You have asked to join %s; %s's client will let you in.",
                            self->group.text, admin);
    else if (has_words)
        status = output_say(invocation, FORMAT_PLAIN, false, "You are in %s, admitted by %s.",
                            self->group.text, admin);
    else
        status = output_say(invocation, FORMAT_PLAIN, false, "You are in %s.", self->group.text);
    if (status == STATUS_OK && has_words)
        status = output_say(invocation, FORMAT_BOLD, false,
                            "Compare these words with %s over another channel: %s", admin,
                            self->admin_words);
    if (status == STATUS_OK)
        status = output_say(invocation, FORMAT_DIM, false, OPEN_GROUP_HINT, self->group.text);
    return status;
}

status_t command_join(invocation_t *self)
{
    joining_t joining = {.invocation = self};
    joining.access.on_push = watch_lines;
    joining.access.context = &joining;
    status_t status = name_parse(&joining.group, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&joining.access, self, "join", false);
    if (status == STATUS_OK)
        status = join(&joining);
    access_close(&joining.access, NULL);
    if (status == STATUS_OK)
        status = say_joined(&joining);
    free(joining.admin_words);
    return status;
}
