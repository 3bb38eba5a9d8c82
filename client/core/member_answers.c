/* SPDX-License-Identifier: MPL-2.0 */
/* Replies to screens, and the requests whose answer has to wait. */
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

void member_reply(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb,
                  status_t status, const void *body)
{
    buffer_t frame = {0};
    local_write_reply(&frame, verb, request, status, body);
    frames_add(&self->effects->screens, screen, &frame);
}

void member_refuse(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb,
                   status_t status, const char *detail)
{
    text_t text = text_of(detail ? detail : status_text(status));
    union {
        local_pass_reply_t pass;
        local_create_reply_t create;
        local_join_reply_t join;
        local_leave_reply_t leave;
        local_send_reply_t send;
        local_members_reply_t members;
        local_pending_reply_t pending;
        local_unregister_reply_t unregister;
    } body = {0};
    memset(&body, 0, sizeof body);
    switch (verb) {
    case LOCAL_VERB_pass:
        body.pass.detail = text;
        break;
    case LOCAL_VERB_create:
        body.create.detail = text;
        break;
    case LOCAL_VERB_join:
        body.join.detail = text;
        break;
    case LOCAL_VERB_leave:
        body.leave.detail = text;
        break;
    case LOCAL_VERB_send:
        body.send.detail = text;
        break;
    case LOCAL_VERB_members:
        body.members.detail = text;
        break;
    case LOCAL_VERB_pending:
        body.pending.detail = text;
        break;
    case LOCAL_VERB_unregister:
        body.unregister.detail = text;
        break;
    default:
        member_reply(self, screen, request, verb, status, NULL);
        return;
    }
    member_reply(self, screen, request, verb, status, &body);
}

ask_t *member_ask(member_core_t *self, uint64_t screen, uint64_t request, local_verb_t verb)
{
    if (self->ask_count == self->ask_capacity) {
        self->ask_capacity = self->ask_capacity ? 2 * self->ask_capacity : 8;
        self->asks = mem_realloc(self->asks, self->ask_capacity, sizeof *self->asks);
    }
    ask_t *ask = &self->asks[self->ask_count++];
    *ask = (ask_t){.screen = screen, .request = request, .verb = verb, .trace = self->trace};
    ask->subject = ++self->next_subject;
    return ask;
}

ask_t *member_find_ask(member_core_t *self, size_t *at, local_verb_t verb, const uint8_t *group)
{
    for (; *at < self->ask_count; ++*at) {
        ask_t *ask = &self->asks[*at];
        if (ask->verb == verb && (!group || !memcmp(ask->group, group, GROUP_ID_BYTES)))
            return ask;
    }
    return NULL;
}

const trace_context_t *member_ask_trace(member_core_t *self, local_verb_t verb,
                                        const uint8_t *group)
{
    size_t at = 0;
    const ask_t *ask = member_find_ask(self, &at, verb, group);
    return ask ? &ask->trace : NULL;
}

void member_ask_done(member_core_t *self, ask_t *ask)
{
    size_t at = (size_t)(ask - self->asks);
    memmove(ask, ask + 1, (self->ask_count - at - 1) * sizeof *ask);
    self->ask_count--;
}

void member_refuse_asks(member_core_t *self, local_verb_t verb, const uint8_t *group,
                        status_t status, const char *detail)
{
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, verb, group))) {
        member_refuse(self, ask->screen, ask->request, verb, status, detail);
        member_ask_done(self, ask);
    }
}

void member_refuse_all_asks(member_core_t *self, status_t status, const char *detail)
{
    while (self->ask_count) {
        ask_t *ask = &self->asks[0];
        member_refuse(self, ask->screen, ask->request, ask->verb, status, detail);
        member_ask_done(self, ask);
    }
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        for (size_t k = 0; k < group->outbox_count; k++)
            member_outbox_excuse(self, &group->outbox[k], status, detail);
    }
}
