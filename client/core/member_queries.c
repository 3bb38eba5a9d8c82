/* SPDX-License-Identifier: MPL-2.0 */
/* What screens ask about groups, people and the state of things. */
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "client/core/roster_pages.h"
#include "client/keys/words.h"
#include "proto/memory.h"

static void describe_group(member_core_t *self, group_t *group, local_group_info_record_t *out,
                           char words[static WORDS_TEXT_BYTES])
{
    *out = (local_group_info_record_t){
        .name = group->name, .state = group->phase, .unread = group->unread};
    memcpy(out->group, group->id, GROUP_ID_BYTES);
    words[0] = '\0';
    if (group_is_current(group)) {
        out->epoch = group_state_epoch(group->keys);
        out->members = group->known_count;
        out->admin = group_is_admin(self, group);
        out->rekey_due_since_ms = group_rekey_due_since(group);
        words_of_group(words, group->id, group_state_transcript(group->keys), WORDS_GLANCE);
    }
    out->words = text_of(words);
}

void member_groups(member_core_t *self, uint64_t screen, uint64_t request)
{
    local_group_info_record_t *infos = mem_zalloc(self->group_count, sizeof *infos);
    char(*words)[WORDS_TEXT_BYTES] = mem_zalloc(self->group_count, sizeof *words);
    local_groups_reply_t reply = {.groups = {infos, 0}};
    for (size_t i = 0; i < self->group_count && reply.groups.count < GROUPS_PER_USER_MAX; i++) {
        describe_group(self, self->groups[i], &infos[reply.groups.count],
                       words[reply.groups.count]);
        reply.groups.count++;
    }
    member_reply(self, screen, request, LOCAL_VERB_groups, STATUS_OK, &reply);
    free(infos);
    free(words);
}

void member_whoami(member_core_t *self, uint64_t screen, uint64_t request)
{
    char words[WORDS_TEXT_BYTES];
    words_of_key(words, identity_key(self->identity), WORDS_VERIFY);
    local_whoami_reply_t reply = {.name = *identity_name(self->identity),
                                  .words = text_of(words),
                                  .broker = text_of(self->config.broker_url)};
    memcpy(reply.identity_key, identity_key(self->identity), KEY_BYTES);
    member_reply(self, screen, request, LOCAL_VERB_whoami, STATUS_OK, &reply);
}

void member_status(member_core_t *self, uint64_t screen, uint64_t request)
{
    local_status_reply_t reply = {.reachable = session_is_ready(&self->session),
                                  .broker = text_of(self->config.broker_url),
                                  .reason = text_of(self->session.reason),
                                  .holder_pid = self->config.pid,
                                  .holder = text_of(self->config.holder),
                                  .groups = self->group_count,
                                  .member_session = session_is_ready(&self->session),
                                  .admin_session = self->admin.ready,
                                  .last_pass_messages_ms = self->messages.last_wall_ms,
                                  .last_pass_keys_ms = self->keys.last_wall_ms,
                                  .last_pass_joins_ms = self->admin.last_joins_ms,
                                  .last_pass_leaves_ms = self->admin.last_leaves_ms,
                                  .waiting_joins = self->admin.waiting_joins,
                                  .waiting_leaves = self->admin.waiting_leaves};
    for (size_t i = 0; i < self->group_count; i++) {
        const group_t *group = self->groups[i];
        for (size_t k = 0; k < group->outbox_count; k++)
            reply.outbox += !group->outbox[k].is_acked;
        reply.waiting_messages += group->waiting_count;
        reply.waiting_keys += group->phase == GROUP_JOINING || group->phase == GROUP_WELCOMED;
    }
    member_reply(self, screen, request, LOCAL_VERB_status, STATUS_OK, &reply);
}

static void ask_page(member_core_t *self, const group_t *group, uint64_t subject,
                     uint64_t first_leaf)
{
    roster_request_t request = {.first_leaf = first_leaf, .count = ROSTER_PAGE_MAX};
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    session_call(&self->session, self->now, VERB_roster, group->id, subject, &request,
                 self->effects);
}

static void describe_member(member_core_t *self, group_t *group, const roster_member_t *entry,
                            local_member_info_record_t *out, char words[static WORDS_TEXT_BYTES])
{
    const known_member_t *known = group_known(group, entry->leaf);
    *out = (local_member_info_record_t){.name = entry->name,
                                        .leaf = entry->leaf,
                                        .epoch_added = entry->epoch_added,
                                        .role = entry->role,
                                        .left = known && known->has_left,
                                        .ignored = member_is_ignored(self, &entry->name)};
    memcpy(out->identity_key, entry->identity_key, KEY_BYTES);
    words_of_pair(words, identity_key(self->identity), entry->identity_key);
    out->words = text_of(words);
}

static void reply_members(member_core_t *self, group_t *group, const ask_t *ask)
{
    local_member_info_record_t *infos = mem_zalloc(ROSTER_PAGE_MAX, sizeof *infos);
    char(*words)[WORDS_TEXT_BYTES] = mem_zalloc(ROSTER_PAGE_MAX, sizeof *words);
    local_members_reply_t reply = {
        .epoch = group->pages->epoch, .next_leaf = UINT32_MAX, .members = {infos, 0}};
    const roster_pages_t *pages = group->pages;
    for (size_t i = 0; i < pages->count; i++) {
        if (pages->members[i].leaf < ask->stage)
            continue;
        if (reply.members.count == ROSTER_PAGE_MAX) {
            reply.next_leaf = pages->members[i].leaf;
            break;
        }
        describe_member(self, group, &pages->members[i], &infos[reply.members.count],
                        words[reply.members.count]);
        reply.members.count++;
    }
    member_reply(self, ask->screen, ask->request, LOCAL_VERB_members, STATUS_OK, &reply);
    free(infos);
    free(words);
}

/* The whole roster is fetched and checked against the root, once an epoch; pages for screens come
 * from there. */
void member_members(member_core_t *self, uint64_t screen, uint64_t request,
                    const local_members_request_t *body)
{
    group_t *group = member_group_named(self, &body->name);
    if (!group || !group_is_current(group)) {
        member_refuse(self, screen, request, LOCAL_VERB_members,
                      group ? STATUS_NOT_MEMBER : STATUS_UNKNOWN_GROUP, NULL);
        return;
    }
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_members);
    memcpy(ask->group, group->id, GROUP_ID_BYTES);
    ask->stage = body->first_leaf;
    if (group->pages && roster_pages_are_complete(group->pages, group->keys)) {
        reply_members(self, group, ask);
        member_ask_done(self, ask);
        return;
    }
    if (group->pages && group->pages->is_running)
        return;
    roster_pages_destroy(&group->pages);
    group->pages = roster_pages_new();
    ask_page(self, group, 0, 0);
}

void member_roster_work(member_core_t *self, group_t *group)
{
    if (!group_is_current(group) || group->has_roster || group->roster_failed || group->pages)
        return;
    if (tree_leaf_count(group_state_depth(group->keys)) > ROSTER_PAGE_MAX)
        return;
    group->pages = roster_pages_new();
    ask_page(self, group, 0, 0);
}

static void learn(member_core_t *self, group_t *group)
{
    for (size_t i = 0; i < group->pages->count; i++) {
        const roster_member_t *entry = &group->pages->members[i];
        if (group_known(group, entry->leaf))
            continue;
        member_know(self, group, entry, entry->epoch_added > group_state_epoch_added(group->keys));
        member_resolve(self, group, entry);
    }
    group->has_roster = true;
    group->is_dirty = true;
}

void member_roster_answered(member_core_t *self, const call_t *call, status_t status,
                            const message_t *reply)
{
    group_t *group = member_group(self, call->group);
    if (!group || !group->pages)
        return;
    uint64_t next = UINT32_MAX;
    if (!status && group_is_current(group))
        status = roster_pages_add(group->pages, &reply->body.roster_reply, group->keys, &next);
    else if (!status)
        status = STATUS_NOT_MEMBER;
    if (status == STATUS_STALE_EPOCH && group->pages->restarts < 8) {
        roster_pages_restart(group->pages);
        member_polls_now(self);
        next = 0;
        status = STATUS_OK;
    }
    if (status) {
        group->roster_failed = true;
        roster_pages_destroy(&group->pages);
        member_refuse_asks(self, LOCAL_VERB_members, call->group, status, status_text(status));
        return;
    }
    if (next != UINT32_MAX) {
        ask_page(self, group, 0, next);
        return;
    }
    learn(self, group);
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_members, group->id))) {
        reply_members(self, group, ask);
        member_ask_done(self, ask);
    }
}

void member_pending(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name)
{
    group_t *group = member_group_named(self, name);
    if (!group || !group_is_admin(self, group)) {
        status_t status = group ? STATUS_NOT_ADMIN : STATUS_UNKNOWN_GROUP;
        member_refuse(self, screen, request, LOCAL_VERB_pending, status, NULL);
        return;
    }
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_pending);
    mail_t mail = {.kind = MAIL_PENDING, .name = *name, .number = ask->subject};
    memcpy(mail.group, group->id, GROUP_ID_BYTES);
    mail_send(&mail, self->effects);
}

void member_pending_answered(member_core_t *self, const mail_t *mail)
{
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_pending, NULL))) {
        if (ask->subject == mail->number)
            break;
        at++;
    }
    if (!ask)
        return;
    local_pending_info_record_t infos[256];
    char(*words)[WORDS_TEXT_BYTES] = mem_zalloc(256, sizeof *words);
    local_pending_reply_t reply = {.pending = {infos, 0}};
    reader_t in = reader_of(mail->bytes.data, mail->bytes.size);
    mail_waiting_t entry;
    while (reply.pending.count < 256 && mail_waiting_read(&entry, &in)) {
        char *text = words[reply.pending.count];
        words_of_pair(text, identity_key(self->identity), entry.identity_key);
        infos[reply.pending.count++] = (local_pending_info_record_t){.name = entry.name,
                                                                     .task = entry.task,
                                                                     .since_ms = entry.since_ms,
                                                                     .words = text_of(text)};
    }
    member_reply(self, ask->screen, ask->request, LOCAL_VERB_pending, mail->status, &reply);
    member_ask_done(self, ask);
    free(words);
}
