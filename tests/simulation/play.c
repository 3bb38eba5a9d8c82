/* SPDX-License-Identifier: MPL-2.0 */
/* What people write, what their screens are told, and what leavers take along. */
#include "tests/simulation/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

name_t play_group_name(size_t group)
{
    name_t name = {0};
    snprintf(name.text, sizeof name.text, "g%zu", group);
    return name;
}

bool line_is_notice(const local_line_record_t *line, const char *kind)
{
    return line->kind == LINE_NOTICE && line->notice.size == strlen(kind) &&
           !memcmp(line->notice.data, kind, line->notice.size);
}

static typed_t *find(play_t *self, size_t client, uint64_t request)
{
    for (size_t i = self->text_count; i-- > 0;)
        if (self->texts[i].client == client && self->texts[i].request == request)
            return &self->texts[i];
    return NULL;
}

static void say(const world_t *world, size_t client, const local_message_t *message)
{
    const char *verb = local_verb_name(message->verb);
    printf("%8llu c%zu %s %llu %s\n", (unsigned long long)world->now_ms, client, verb ? verb : "?",
           (unsigned long long)message->id, status_name(message->status));
}

static void take_lines(play_t *self, world_t *world, size_t client, const local_line_push_t *push)
{
    local_line_id_record_t ids[256];
    local_shown_request_t shown = {.lines = {ids, 0}};
    for (size_t i = 0; i < push->lines.count; i++) {
        const local_line_record_t *line = &push->lines.items[i];
        memcpy(ids[i].group, line->group, GROUP_ID_BYTES);
        ids[i].sequence = line->sequence;
        shown.lines.count++;
        self->lines++;
        self->late_lines += push->late != 0;
        if (world->options.is_loud)
            printf("%8llu c%zu sees %s@%llu e%llu %.*s%.*s %s%s %.*s\n",
                   (unsigned long long)world->now_ms, client, line->group_name.text,
                   (unsigned long long)line->sequence, (unsigned long long)line->epoch,
                   (int)line->notice.size, line->notice.data ? line->notice.data : "",
                   (int)line->text.size, line->text.data ? line->text.data : "", line->sender.text,
                   line->who.text, (int)line->reason.size,
                   line->reason.data ? line->reason.data : "");
    }
    (void)world_request(world, client, LOCAL_VERB_shown, &shown);
}

void play_screen(void *context, world_t *world, size_t client, const local_message_t *message)
{
    play_t *self = context;
    if (message->kind == MESSAGE_PUSH && message->verb == LOCAL_VERB_line) {
        take_lines(self, world, client, &message->body.line_push);
        return;
    }
    if (world->options.is_loud && message->verb != LOCAL_VERB_shown)
        say(world, client, message);
    if (message->kind == MESSAGE_PUSH && message->verb == LOCAL_VERB_queued) {
        /* The request's id is known only after it returned: told by the latest text. */
        typed_t *text = find(self, client, message->body.queued_push.request_id);
        if (text && text->fate == TEXT_TYPED)
            text->fate = TEXT_QUEUED;
        return;
    }
    if (message->kind != MESSAGE_REPLY)
        return;
    self->refusals += message->status != STATUS_OK;
    if (message->verb == LOCAL_VERB_unregister && !message->status)
        world_bury(world, client);
    if (message->verb != LOCAL_VERB_send)
        return;
    typed_t *text = find(self, client, message->id);
    if (!text)
        return;
    text->fate = message->status ? TEXT_REFUSED : TEXT_ACKED;
    text->sequence = message->body.send_reply.sequence;
}

void play_send(play_t *self, size_t client, size_t group, bool is_final)
{
    if (self->text_count == self->text_capacity) {
        self->text_capacity = self->text_capacity ? 2 * self->text_capacity : 64;
        self->texts = mem_realloc(self->texts, self->text_capacity, sizeof *self->texts);
    }
    typed_t *text = &self->texts[self->text_count];
    *text = (typed_t){.client = client, .group = group, .is_final = is_final};
    snprintf(text->text, sizeof text->text, "text %zu of c%zu in g%zu", self->text_count, client,
             group);
    name_t name = play_group_name(group);
    core_t *core = self->world->nodes[client].cores[SIDE_MEMBER];
    const group_t *known = core ? member_group_named((member_core_t *)core, &name) : NULL;
    if (known)
        memcpy(text->id, known->id, GROUP_ID_BYTES);
    text->request = self->world->last_request + 1; /* the one it is about to get */
    self->text_count++;
    local_send_request_t request = {.name = play_group_name(group), .text = text_of(text->text)};
    if (!world_request(self->world, client, LOCAL_VERB_send, &request))
        self->texts[--self->text_count] = (typed_t){0};
}

void play_take_loot(play_t *self, size_t client, const name_t *name)
{
    node_t *node = &self->world->nodes[client];
    if (!node->cores[SIDE_MEMBER])
        return;
    const group_t *group = member_group_named((member_core_t *)node->cores[SIDE_MEMBER], name);
    if (!group || !group_is_current(group))
        return;
    self->loot = mem_realloc(self->loot, self->loot_count + 1, sizeof *self->loot);
    loot_t *loot = &self->loot[self->loot_count++];
    *loot = (loot_t){.client = client, .vault = vault_memory_copy(node->vaults[SIDE_MEMBER])};
    memcpy(loot->group, group->id, GROUP_ID_BYTES);
}

void play_free(play_t *self)
{
    for (size_t i = 0; i < self->loot_count; i++)
        vault_destroy(&self->loot[i].vault);
    free(self->loot);
    free(self->texts);
}
