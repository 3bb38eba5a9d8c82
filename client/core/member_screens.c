/* SPDX-License-Identifier: MPL-2.0 */
/* Screens: who is attached, what each wants to see, and which function answers which request. */
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

screen_state_t *member_screen(member_core_t *self, uint64_t screen, bool make)
{
    for (size_t i = 0; i < self->screen_count; i++)
        if (self->screens[i].id == screen)
            return &self->screens[i];
    if (!make)
        return NULL;
    if (self->screen_count == self->screen_capacity) {
        self->screen_capacity = self->screen_capacity ? 2 * self->screen_capacity : 8;
        self->screens = mem_realloc(self->screens, self->screen_capacity, sizeof *self->screens);
    }
    self->screens[self->screen_count] = (screen_state_t){.id = screen};
    return &self->screens[self->screen_count++];
}

bool screen_wants(const screen_state_t *screen, const group_t *group)
{
    if (!screen->is_subscribed)
        return false;
    if (screen->is_all)
        return true;
    for (size_t i = 0; i < screen->group_count; i++)
        if (name_equal(&screen->groups[i], &group->name))
            return true;
    return false;
}

void member_screen_gone(member_core_t *self, uint64_t screen)
{
    for (size_t i = 0; i < self->screen_count; i++) {
        if (self->screens[i].id != screen)
            continue;
        free(self->screens[i].groups);
        self->screens[i] = self->screens[--self->screen_count];
        break;
    }
    for (size_t i = self->ask_count; i-- > 0;)
        if (self->asks[i].screen == screen)
            member_ask_done(self, &self->asks[i]);
    for (size_t i = 0; i < self->group_count; i++)
        for (size_t k = 0; k < self->groups[i]->outbox_count; k++)
            if (self->groups[i]->outbox[k].screen == screen)
                self->groups[i]->outbox[k].request = 0;
}

void member_push_link(member_core_t *self, uint64_t screen, status_t cause, const char *reason)
{
    local_link_push_t push = {.reachable = !cause, .reason = text_of(reason)};
    buffer_t frame = {0};
    local_write_push(&frame, LOCAL_VERB_link, ++self->push_count, &push);
    frames_add(&self->effects->screens, screen, &frame);
}

static void ignore(member_core_t *self, uint64_t screen, uint64_t request,
                   const local_ignore_request_t *body)
{
    status_t status = name_size(&body->name) ? STATUS_OK : STATUS_BAD_NAME;
    if (!status)
        member_pin_ignore(self, &body->name, body->on != 0);
    member_reply(self, screen, request, LOCAL_VERB_ignore, status, NULL);
}

static bool needs_name(local_verb_t verb)
{
    return verb == LOCAL_VERB_create || verb == LOCAL_VERB_join || verb == LOCAL_VERB_leave ||
           verb == LOCAL_VERB_send || verb == LOCAL_VERB_members || verb == LOCAL_VERB_pending;
}

static bool needs_broker(local_verb_t verb)
{
    return verb == LOCAL_VERB_pass || verb == LOCAL_VERB_create || verb == LOCAL_VERB_join ||
           verb == LOCAL_VERB_leave || verb == LOCAL_VERB_members || verb == LOCAL_VERB_unregister;
}

static void answer(member_core_t *self, uint64_t screen, const local_message_t *message)
{
    uint64_t id = message->id;
    switch (message->verb) {
    case LOCAL_VERB_pass:
        member_pass(self, screen, id);
        break;
    case LOCAL_VERB_create:
        member_create(self, screen, id, &message->body.create_request);
        break;
    case LOCAL_VERB_join:
        member_join(self, screen, id, &message->body.join_request.name);
        break;
    case LOCAL_VERB_leave:
        member_leave(self, screen, id, &message->body.leave_request.name);
        break;
    case LOCAL_VERB_send:
        member_send(self, screen, id, &message->body.send_request);
        break;
    case LOCAL_VERB_outbox:
        member_outbox_count(self, screen, id, &message->body.outbox_request);
        break;
    case LOCAL_VERB_subscribe:
        member_subscribe(self, screen, id, &message->body.subscribe_request);
        break;
    case LOCAL_VERB_shown:
        member_shown(self, screen, id, &message->body.shown_request);
        break;
    case LOCAL_VERB_history:
        member_history(self, screen, id, &message->body.history_request);
        break;
    case LOCAL_VERB_groups:
        member_groups(self, screen, id);
        break;
    case LOCAL_VERB_whoami:
        member_whoami(self, screen, id);
        break;
    case LOCAL_VERB_members:
        member_members(self, screen, id, &message->body.members_request);
        break;
    case LOCAL_VERB_pending:
        member_pending(self, screen, id, &message->body.pending_request.name);
        break;
    case LOCAL_VERB_status:
        member_status(self, screen, id);
        break;
    case LOCAL_VERB_ignore:
        ignore(self, screen, id, &message->body.ignore_request);
        break;
    case LOCAL_VERB_unregister:
        member_unregister(self, screen, id);
        break;
    default:
        member_reply(self, screen, id, message->verb, STATUS_UNKNOWN_VERB, NULL);
    }
}

static void greet(member_core_t *self, uint64_t screen)
{
    if (member_screen(self, screen, false))
        return;
    member_screen(self, screen, true);
    if (self->session.cause)
        member_push_link(self, screen, self->session.cause, self->session.reason);
}

void member_request(member_core_t *self, uint64_t screen, bytes_t frame)
{
    local_message_t message = {0};
    status_t status = local_message_read(&message, frame, 1u << MESSAGE_REQUEST);
    greet(self, screen);
    const name_t *name = &message.body.leave_request.name; /* the first field of all that need it */
    if (status) {
        self->unreadable++;
        if (message.verb)
            member_reply(self, screen, message.id, message.verb, status, NULL);
    } else if (needs_name(message.verb) && !name_size(name)) {
        member_refuse(self, screen, message.id, message.verb, STATUS_BAD_NAME, NULL);
    } else if (self->ask_count >= ASKS_MAX) {
        member_refuse(self, screen, message.id, message.verb, STATUS_TOO_MANY, NULL);
    } else if (needs_broker(message.verb) && session_refusal(&self->session)) {
        member_refuse(self, screen, message.id, message.verb, session_refusal(&self->session),
                      self->session.reason);
    } else {
        self->trace = message.trace;
        answer(self, screen, &message);
        self->trace = (trace_context_t){0};
    }
    local_message_wipe(&message);
}
