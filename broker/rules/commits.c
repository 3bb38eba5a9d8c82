/* SPDX-License-Identifier: MPL-2.0 */
/* Commits: compare-and-swap on the epoch, and the creation of a group, which is its first commit.
 */
#include "broker/rules/cache.h"
#include "broker/rules/commit_plan.h"
#include "broker/rules/fanout.h"
#include "broker/rules/groups.h"
#include "broker/rules/handlers.h"
#include "broker/rules/hold.h"
#include "broker/rules/storage.h"
#include "proto/memory.h"
#include "proto/requests.h"
#include "proto/statement.h"

#include <sodium.h>
#include <string.h>

static void hash_commit(uint8_t out[static HASH_BYTES], bytes_t bytes)
{
    (void)crypto_generichash(out, HASH_BYTES, bytes.data, bytes.size, NULL, 0);
}

static void save_member(commit_plan_t *self, group_t *group, const plan_member_t *member)
{
    cache_set_membership(self->rules, group, &member->name, &member->after);
    if (!member->join_served)
        return;
    store_key_t join = key_of_group_name(KEY_JOIN, self->id, &member->name);
    store_key_t mark = key_of_name_group(KEY_ASKED, &member->name, self->id);
    erase(self->rules, &join);
    erase(self->rules, &mark);
}

static void save_removals(commit_plan_t *self, group_t *group, uint64_t sequence)
{
    for (size_t i = 0; i < self->commit->removal_count; i++) {
        plan_member_t *member = &self->removals[i];
        if (member->after.until_sequence == 0) {
            member->after.until_sequence = sequence;
            save_standing(self->rules, &member->name, self->id, false);
        }
        save_member(self, group, member);
        store_key_t cursor = key_of_group_name(KEY_CURSOR, self->id, &member->name);
        store_key_t leave = key_of_group(KEY_LEAVE, self->id);
        key_u32(&leave, member->leaf);
        erase(self->rules, &cursor);
        erase(self->rules, &leave);
    }
}

static void save_adds(commit_plan_t *self, group_t *group, uint64_t sequence)
{
    for (size_t i = 0; i < self->commit->add_count; i++) {
        plan_member_t *member = &self->adds[i];
        member->after.joined_sequence = sequence;
        save_member(self, group, member);
        save_cursor(self->rules, self->id, &member->name, sequence - 1);
        save_standing(self->rules, &member->name, self->id, true);
    }
}

static void save_welcomes(commit_plan_t *self, group_t *group, uint64_t sequence,
                          const welcome_record_t *welcomes)
{
    size_t count = self->commit->add_count + self->commit->refresh_count;
    for (size_t i = 0; i < count; i++) {
        waiting_welcome_t welcome = {.group_name = self->head.name, .sealed = welcomes[i].sealed};
        save_welcome(self->rules, &welcomes[i].recipient, self->id, sequence, &welcome);
        user_t *user = cache_find_user(self->rules, &welcomes[i].recipient);
        if (user)
            user->no_keys_wait = false;
        fanout_nudge_user(self->rules, &welcomes[i].recipient, group, TASK_KEYS);
    }
}

uint64_t commit_plan_carry_out(commit_plan_t *self, group_t *group,
                               const welcome_record_t *welcomes)
{
    const commit_t *commit = self->commit;
    commit_record_t record = {0};
    record.time_ms =
        fanout_append(self->rules, group, &self->head, EVENT_COMMIT, self->committer, self->bytes);
    record.sequence = self->head.sequence;
    hash_commit(record.hash, self->bytes);
    save_commit(self->rules, self->id, commit->epoch, &record);
    save_removals(self, group, record.sequence);
    save_adds(self, group, record.sequence);
    for (size_t i = 0; i < commit->refresh_count; i++)
        save_member(self, group, &self->refreshes[i]);
    for (size_t i = 0; i < self->role_count; i++)
        save_member(self, group, &self->roles[i]);
    save_welcomes(self, group, record.sequence, welcomes);
    self->head.epoch = commit->epoch + 1;
    self->head.depth = commit->depth;
    memcpy(self->head.transcript, self->transcript, HASH_BYTES);
    bool waits_for_others = self->head.rekey_due_since_ms != group->head.rekey_due_since_ms;
    group->head = self->head;
    if (waits_for_others)
        hold_begin(self->rules, group);
    cache_group_changed(self->rules, group);
    return record.time_ms;
}

/* A commit for an epoch that is over: the first answer if it is the one that ended it, else that
 * one. */
static status_t answer_stale(request_t *request, const group_t *group, uint64_t epoch,
                             bytes_t bytes)
{
    rules_t *rules = request->rules;
    commit_reply_t *reply = &request->reply.commit_reply;
    commit_record_t record;
    status_t status = load_commit(rules, group->id, epoch, &record);
    if (status == STATUS_NOT_FOUND)
        return STATUS_STALE_EPOCH; /* retention has passed it */
    if (status != STATUS_OK)
        return status;
    uint8_t hash[HASH_BYTES];
    hash_commit(hash, bytes);
    if (sodium_memcmp(hash, record.hash, HASH_BYTES) == 0) {
        reply->sequence = record.sequence;
        reply->time_ms = record.time_ms;
        return STATUS_OK;
    }
    event_t winner;
    status = load_event(rules, group->id, record.sequence, &winner);
    if (status == STATUS_OK) {
        reply->winner = winner.payload;
        request->reply_despite_refusal = true;
    }
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? STATUS_STALE_EPOCH : status;
}

static status_t accept_commit(request_t *request, group_t *group, const member_t *member,
                              const commit_t *commit)
{
    const commit_request_t *asked = &request->message->body.commit_request;
    const head_t *head = &group->head;
    if (memcmp(commit->group, group->id, GROUP_ID_BYTES) != 0)
        return STATUS_BAD_COMMIT;
    if (commit->epoch < head->epoch)
        return answer_stale(request, group, commit->epoch, asked->commit);
    if (commit->epoch > head->epoch)
        return STATUS_EPOCH_AHEAD;
    if (sodium_memcmp(commit->transcript, head->transcript, HASH_BYTES) != 0)
        return STATUS_BAD_COMMIT;
    if (commit->committer != member->record.leaf)
        return STATUS_NOT_YOUR_LEAF;
    commit_plan_t plan = {.rules = request->rules,
                          .id = group->id,
                          .commit = commit,
                          .bytes = asked->commit,
                          .committer = &request->user->name,
                          .head = *head};
    status_t status = commit_plan_check(&plan, member->record.identity_key, asked->welcomes.items,
                                        asked->welcomes.count);
    if (status != STATUS_OK)
        return status;
    commit_reply_t *reply = &request->reply.commit_reply;
    reply->time_ms = commit_plan_carry_out(&plan, group, asked->welcomes.items);
    reply->sequence = request->sequence = group->head.sequence;
    return STATUS_OK;
}

status_t handle_commit(request_t *request)
{
    const commit_request_t *asked = &request->message->body.commit_request;
    group_t *group;
    member_t *member;
    commit_t commit;
    status_t status = request_admin(request, asked->group, &group, &member);
    if (status == STATUS_OK)
        status = commit_parse(&commit, asked->commit);
    if (status != STATUS_OK)
        return status;
    status = accept_commit(request, group, member, &commit);
    commit_wipe(&commit);
    return status;
}

/* The name or the id is there already: the first answer if this is the request that made it. */
static status_t answer_existing(request_t *request, const uint8_t *id)
{
    const create_request_t *asked = &request->message->body.create_request;
    group_t *group;
    commit_record_t record;
    uint8_t hash[HASH_BYTES];
    if (memcmp(id, asked->group, GROUP_ID_BYTES) != 0)
        return STATUS_GROUP_TAKEN;
    status_t status = cache_group(request->rules, id, false, &group);
    if (status == STATUS_OK)
        status = load_commit(request->rules, id, 0, &record);
    if (status != STATUS_OK)
        return status == STATUS_STORE_FAILED ? status : STATUS_GROUP_TAKEN;
    hash_commit(hash, asked->commit);
    if (sodium_memcmp(hash, record.hash, HASH_BYTES) != 0 ||
        !name_equal(&group->head.creator, &request->user->name) ||
        !name_equal(&group->head.name, &asked->name))
        return STATUS_GROUP_TAKEN;
    request->reply.create_reply.sequence = record.sequence;
    request->reply.create_reply.time_ms = record.time_ms;
    return STATUS_OK;
}

/* STATUS_NOT_FOUND: neither the name nor the id is in use. */
static status_t find_existing(request_t *request)
{
    const create_request_t *asked = &request->message->body.create_request;
    rules_t *rules = request->rules;
    uint8_t id[GROUP_ID_BYTES];
    group_t *group;
    status_t status = load_group_id(rules, &asked->name, id);
    if (status == STATUS_OK)
        return answer_existing(request, id);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = cache_group(rules, asked->group, true, &group);
    if (status == STATUS_UNKNOWN_GROUP && !group)
        return STATUS_NOT_FOUND;
    return status == STATUS_STORE_FAILED ? status : STATUS_GROUP_TAKEN;
}

/* The first commit adds its author at leaf 0 as admin, by the request that came with it, and
 * nothing else. */
static status_t check_first_commit(const create_request_t *asked, const name_t *creator,
                                   const commit_t *commit)
{
    uint8_t hash[HASH_BYTES], start[HASH_BYTES];
    if (commit->add_count != 1 || commit->role_count != 1 || commit->removal_count != 0 ||
        commit->refresh_count != 0 || commit->wrap_count != 0 || commit->depth != 0 ||
        commit->epoch != 0 || commit->roles[0].role != ROLE_ADMIN)
        return STATUS_BAD_COMMIT;
    const commit_add_t *add = &commit->adds[0];
    join_request_hash(hash, asked->request);
    transcript_start(start, asked->group, add->identity_key, asked->name.text);
    bool fits = memcmp(commit->group, asked->group, GROUP_ID_BYTES) == 0 &&
                name_equal(&add->name, creator) &&
                sodium_memcmp(add->request_hash, hash, HASH_BYTES) == 0 &&
                sodium_memcmp(commit->transcript, start, HASH_BYTES) == 0;
    return fits ? STATUS_OK : STATUS_BAD_COMMIT;
}

static status_t carry_out_create(request_t *request, const commit_t *commit)
{
    rules_t *rules = request->rules;
    const create_request_t *asked = &request->message->body.create_request;
    const commit_add_t *creator = &commit->adds[0];
    commit_plan_t plan = {.rules = rules,
                          .id = asked->group,
                          .commit = commit,
                          .bytes = asked->commit,
                          .committer = &request->user->name};
    plan.head = (head_t){.name = asked->name,
                         .creator = creator->name,
                         .join_policy = (uint8_t)asked->join_policy,
                         .hold_ms = asked->hold_ms,
                         .first_sequence = 1};
    memcpy(plan.head.creator_key, creator->identity_key, KEY_BYTES);
    status_t status = commit_plan_check(&plan, creator->identity_key, asked->welcomes.items,
                                        asked->welcomes.count);
    if (status == STATUS_OK)
        status = take_membership_token(rules, &request->user->name);
    if (status != STATUS_OK)
        return status;
    group_t *group = cache_add_group(rules, asked->group, &plan.head);
    request->group = group;
    request->reply.create_reply.time_ms =
        commit_plan_carry_out(&plan, group, asked->welcomes.items);
    request->reply.create_reply.sequence = request->sequence = group->head.sequence;
    save_group_id(rules, &asked->name, asked->group);
    return STATUS_OK;
}

status_t handle_create(request_t *request)
{
    rules_t *rules = request->rules;
    const create_request_t *asked = &request->message->body.create_request;
    commit_t commit;
    if (name_size(&asked->name) == 0)
        return STATUS_BAD_NAME;
    if (asked->join_policy != JOIN_OPEN)
        return STATUS_BAD_TYPE; /* the others are reserved */
    status_t status = find_existing(request);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (request->user->member_count >= rules->config.groups_per_user_max)
        return STATUS_TOO_MANY;
    status = check_join_request(rules, asked->group, &request->user->name, asked->request);
    if (status == STATUS_OK)
        status = commit_parse(&commit, asked->commit);
    if (status != STATUS_OK)
        return status;
    status = check_first_commit(asked, &request->user->name, &commit);
    if (status == STATUS_OK)
        status = carry_out_create(request, &commit);
    commit_wipe(&commit);
    return status;
}
