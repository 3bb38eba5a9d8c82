/* SPDX-License-Identifier: MPL-2.0 */
/* Commits: followed only if verified, and told about by whom and why. */
#include <string.h>

#include "client/core/member.h"
#include "client/keys/commit_apply.h"
#include "proto/statement.h"

static name_t committer_name(const group_t *group, const commit_t *commit)
{
    const group_admin_t *admin = group_state_find_admin(group->keys, leaf_index(commit->committer));
    return admin && admin->is_known ? admin->name : (name_t){0};
}

static void follow_removals(member_core_t *self, group_t *group, const event_record_t *event,
                            const commit_t *commit, const name_t *admin)
{
    for (size_t i = 0; i < commit->removal_count; i++) {
        const commit_removal_t *removal = &commit->removals[i];
        roster_member_t entry = {.leaf = removal->leaf, .name = removal->name};
        memcpy(entry.identity_key, removal->identity_key, KEY_BYTES);
        const known_member_t *known = group_known(group, removal->leaf);
        bool had_left = known && known->has_left;
        if (known)
            entry = known->entry;
        member_resolve(self, group, &entry);
        member_unknow(self, group, removal->leaf);
        if (!had_left && known)
            member_notice(self, group, event->sequence, event->time_ms, NOTICE_LEFT, &entry.name,
                          "removed by %s", admin->text);
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_REKEYED, admin,
                      "new key without %s", entry.name.text);
    }
}

static void follow_adds(member_core_t *self, group_t *group, const event_record_t *event,
                        const commit_t *commit, const name_t *admin)
{
    for (size_t i = 0; i < commit->add_count; i++) {
        const commit_add_t *add = &commit->adds[i];
        roster_member_t entry = {
            .leaf = add->leaf, .name = add->name, .epoch_added = commit->epoch + 1};
        memcpy(entry.identity_key, add->identity_key, KEY_BYTES);
        member_know(self, group, &entry, true);
        if (event->sequence == 1)
            member_notice(self, group, event->sequence, event->time_ms, NOTICE_JOINED, admin,
                          "opened the group");
        else
            member_notice(self, group, event->sequence, event->time_ms, NOTICE_JOINED, &add->name,
                          "admitted by %s", admin->text);
    }
    for (size_t i = 0; i < commit->role_count; i++) {
        known_member_t *known = group_known(group, commit->roles[i].leaf);
        if (!known)
            continue;
        known->entry.role = commit->roles[i].role;
        member_known_save(self, group, known);
    }
}

static void follow_refreshes(member_core_t *self, group_t *group, const event_record_t *event,
                             const commit_t *commit)
{
    for (size_t i = 0; i < commit->refresh_count; i++) {
        const known_member_t *known = group_known(group, commit->refreshes[i].leaf);
        name_t name = known ? known->entry.name : (name_t){0};
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_RENEWED, &name,
                      "%s's keys were renewed", known ? name.text : "a member");
    }
}

static void follow(member_core_t *self, group_t *group, const event_record_t *event,
                   const commit_t *commit, const name_t *admin)
{
    group->cursor = event->sequence;
    group->keys_dirty = group->is_dirty = true;
    group->wanted_leaf = UINT32_MAX;
    follow_removals(self, group, event, commit, admin);
    follow_adds(self, group, event, commit, admin);
    follow_refreshes(self, group, event, commit);
    if (!commit->add_count && !commit->removal_count && !commit->refresh_count)
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_REKEYED, admin,
                      "new key");
    member_outbox_new_epoch(self, group);
}

static void ended(member_core_t *self, group_t *group, const event_record_t *event,
                  commit_outcome_t outcome, const name_t *admin)
{
    name_t me = *identity_name(self->identity);
    group->cursor = event->sequence;
    if (outcome == COMMIT_REMOVED_ME) {
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_LEFT, &me,
                      "removed by %s", admin->text);
        member_group_end(self, group, GROUP_LEFT, STATUS_ALREADY_LEFT);
    } else {
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_RENEWED, &me,
                      "WARNING: somebody recovered as you; this device did not ask for it and can "
                      "read no further");
        member_group_end(self, group, GROUP_LOST, STATUS_OUT_OF_STEP);
    }
}

/* A commit of an epoch that is over: a replay of the one that was followed, another one that an
 * admin signed for the same epoch, or nonsense. */
static void past_commit(member_core_t *self, group_t *group, const event_record_t *event,
                        const commit_t *commit)
{
    const uint8_t *base = group_state_transcript_of(group->keys, commit->epoch);
    const uint8_t *next = group_state_transcript_of(group->keys, commit->epoch + 1);
    const group_admin_t *admin = group_state_find_admin(group->keys, leaf_index(commit->committer));
    uint8_t transcript[HASH_BYTES];
    transcript_extend(transcript, commit->transcript, commit_body(event->payload));
    bool is_replay = next && !memcmp(next, transcript, HASH_BYTES);
    bool is_ours = base && !memcmp(base, commit->transcript, HASH_BYTES);
    status_t status = STATUS_NOT_ADMIN;
    if (admin && admin->is_known) {
        buffer_t statement = {0};
        statement_commit(&statement, group->id, transcript, commit->tag);
        status = signature_verify(commit->signature, admin->identity_key, buffer_view(&statement));
        buffer_free(&statement);
    }
    if (!is_replay && is_ours && !status)
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_FORK, &admin->name,
                      "WARNING: %s signed two commits for one epoch; the group may have been split",
                      admin->name.text);
    else
        member_notice(self, group, event->sequence, event->time_ms, NOTICE_UNDECRYPTABLE,
                      &event->sender, "%s",
                      is_replay ? "a commit that was sent before" : "STALE_EPOCH");
}

static void stuck(member_core_t *self, group_t *group, const event_record_t *event, status_t why)
{
    if (group->stuck_sequence == event->sequence)
        return;
    group->stuck_sequence = event->sequence;
    group->is_dirty = true;
    bool is_fork = why == STATUS_BAD_TRANSCRIPT || why == STATUS_EPOCH_AHEAD;
    member_notice(self, group, group->cursor, event->time_ms,
                  is_fork ? NOTICE_FORK : NOTICE_UNDECRYPTABLE, &event->sender,
                  "the change of members at %llu is refused: %s: %s",
                  (unsigned long long)event->sequence, status_name(why), status_text(why));
}

bool member_commit_event(member_core_t *self, group_t *group, const event_record_t *event)
{
    commit_t commit;
    status_t status = commit_parse(&commit, event->payload);
    if (status) {
        stuck(self, group, event, status);
        return false;
    }
    name_t admin = committer_name(group, &commit);
    commit_outcome_t outcome = COMMIT_FOLLOWED;
    bool is_past = commit.epoch < group_state_epoch(group->keys) &&
                   !memcmp(commit.group, group->id, GROUP_ID_BYTES);
    if (is_past)
        past_commit(self, group, event, &commit);
    else
        status = group_state_apply_commit(group->keys, event->payload, &outcome);
    if (status == STATUS_UNPROVEN)
        group->wanted_leaf = commit.committer;
    else if (status)
        stuck(self, group, event, status);
    else if (!is_past && outcome == COMMIT_FOLLOWED)
        follow(self, group, event, &commit, &admin);
    else if (!is_past)
        ended(self, group, event, outcome, &admin);
    commit_wipe(&commit);
    return !status;
}

static status_t check_admins(member_core_t *self, const group_state_t *keys)
{
    for (size_t i = 0; i < group_state_admin_count(keys); i++) {
        const group_admin_t *admin = group_state_admin(keys, i);
        status_t status =
            admin->is_known ? member_pin_check(self, &admin->name, admin->identity_key) : STATUS_OK;
        if (status)
            return status;
    }
    return STATUS_OK;
}

static status_t open_welcome(member_core_t *self, group_t *group, bytes_t commit,
                             group_state_t **out)
{
    status_t status = STATUS_NO_KEY;
    *out = NULL;
    for (size_t i = group->try_count; i-- > 0 && !*out;) {
        const join_try_t *try = &group->tries[i];
        status_t one = group_state_from_welcome(out, self->identity, buffer_view(&group->welcome),
                                                commit, buffer_view(&try->request), &try->prekey);
        if (one != STATUS_BAD_SEAL || status == STATUS_NO_KEY)
            status = one; /* of the request that it was made for, if any */
    }
    if (*out && (memcmp(group_state_group(*out), group->id, GROUP_ID_BYTES) ||
                 !name_equal(group_state_group_name(*out), &group->name)))
        status = STATUS_BAD_WELCOME; /* not the group that was asked for */
    else if (*out)
        status = check_admins(self, *out);
    if (status)
        group_state_destroy(out);
    return status;
}

/* The creator's own welcome is applied: the group can be used. */
static void answer_creator(member_core_t *self, const group_t *group)
{
    size_t at = 0;
    ask_t *ask;
    local_create_reply_t body = {0};
    memcpy(body.group, group->id, GROUP_ID_BYTES);
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_create, group->id))) {
        member_reply(self, ask->screen, ask->request, LOCAL_VERB_create, STATUS_OK, &body);
        member_ask_done(self, ask);
    }
}

bool member_first_commit(member_core_t *self, group_t *group, const event_record_t *event)
{
    group_state_t *keys = NULL;
    commit_t commit = {0};
    status_t status = STATUS_BAD_WELCOME; /* to something else than a commit */
    if (event->kind == EVENT_COMMIT)
        status = commit_parse(&commit, event->payload);
    if (!status)
        status = open_welcome(self, group, event->payload, &keys);
    if (status) {
        member_welcome_failed(group);
        if (group->bad_welcome_sequence != event->sequence)
            member_notice(self, group, event->sequence, event->time_ms,
                          status == STATUS_KEY_CHANGED ? NOTICE_KEY_CHANGED : NOTICE_UNDECRYPTABLE,
                          &event->sender, "the welcome can't be used: %s: %s", status_name(status),
                          status_text(status));
        group->bad_welcome_sequence = event->sequence;
        commit_wipe(&commit);
        return false;
    }
    group->keys = keys;
    group->phase = GROUP_ACTIVE;
    group->is_new_keys = true;
    group->is_creating = false;
    group->is_out_of_step = false;
    group->next_number = 1;
    group->alarm = STATUS_OK;
    group->done_sequence = event->sequence;
    group->admitted_by = committer_name(group, &commit);
    buffer_wipe(&group->welcome);
    member_tries_erase(self, group);
    member_joined(self, group->id);
    follow(self, group, event, &commit, &group->admitted_by);
    answer_creator(self, group);
    commit_wipe(&commit);
    return true;
}
