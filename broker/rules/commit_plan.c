/* SPDX-License-Identifier: MPL-2.0 */
/* The check of a commit against a group's stored state. */
#include "broker/rules/commit_plan.h"

#include "broker/rules/roster_store.h"
#include "broker/rules/storage.h"
#include "proto/requests.h"
#include "proto/statement.h"

#include <sodium.h>
#include <string.h>

static status_t bad_if_absent(status_t status)
{
    return status == STATUS_NOT_FOUND ? STATUS_BAD_COMMIT : status;
}

static bool same_key(const uint8_t *a, const uint8_t *b)
{
    return sodium_memcmp(a, b, KEY_BYTES) == 0;
}

static status_t check_signature(commit_plan_t *self, const uint8_t *key)
{
    const commit_t *commit = self->commit;
    transcript_extend(self->transcript, commit->transcript, commit_body(self->bytes));
    buffer_t statement = {0};
    statement_commit(&statement, self->id, self->transcript, commit->tag);
    status_t status = signature_verify(commit->signature, key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

/* A tree that grows must need to: its last add lies in the new half. */
static status_t check_depth(const commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    if (commit->depth == self->head.depth)
        return STATUS_OK;
    if (commit->depth < self->head.depth || commit->add_count == 0)
        return STATUS_BAD_COMMIT;
    uint32_t half = UINT32_C(1) << (commit->depth - 1);
    return commit->adds[commit->add_count - 1].leaf >= half ? STATUS_OK : STATUS_BAD_COMMIT;
}

/* Who holds a leaf, as member and with the membership's record. */
static status_t load_holder(commit_plan_t *self, uint32_t leaf, plan_member_t *out,
                            leaf_record_t *record)
{
    status_t status = load_leaf(self->rules, self->id, leaf, record);
    if (status != STATUS_OK)
        return bad_if_absent(status);
    out->leaf = leaf;
    out->name = record->name;
    out->had_record = true;
    status = load_membership(self->rules, self->id, &out->name, &out->before);
    out->after = out->before;
    return bad_if_absent(status);
}

static status_t check_removals(commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    for (size_t i = 0; i < commit->removal_count; i++) {
        const commit_removal_t *removal = &commit->removals[i];
        plan_member_t *member = &self->removals[i];
        leaf_record_t record;
        status_t status = load_holder(self, removal->leaf, member, &record);
        if (status != STATUS_OK)
            return status;
        if (!name_equal(&record.name, &removal->name) ||
            !same_key(record.identity_key, removal->identity_key) ||
            removal->leaf == commit->committer)
            return STATUS_BAD_COMMIT;
        member->after.removed = true;
        if (member->before.until_sequence == 0) {
            self->head.members--;
            self->head.admins -= member->before.role == ROLE_ADMIN;
        }
    }
    return STATUS_OK;
}

static bool removes(const commit_t *commit, const name_t *name)
{
    for (size_t i = 0; i < commit->removal_count; i++)
        if (name_equal(&commit->removals[i].name, name))
            return true;
    return false;
}

static bool adds_before(const commit_t *commit, size_t index, const name_t *name)
{
    for (size_t i = 0; i < index; i++)
        if (name_equal(&commit->adds[i].name, name))
            return true;
    return false;
}

static status_t check_free(commit_plan_t *self, size_t index, plan_member_t *member)
{
    const commit_add_t *add = &self->commit->adds[index];
    leaf_record_t record;
    status_t status = load_leaf(self->rules, self->id, add->leaf, &record);
    if (status != STATUS_NOT_FOUND)
        return status == STATUS_OK ? STATUS_BAD_COMMIT : status;
    status = load_membership(self->rules, self->id, &add->name, &member->before);
    member->had_record = status == STATUS_OK;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    bool holds_a_leaf = member->had_record && !member->before.removed;
    bool twice = adds_before(self->commit, index, &add->name);
    return twice || (holds_a_leaf && !removes(self->commit, &add->name)) ? STATUS_BAD_COMMIT
                                                                         : STATUS_OK;
}

static status_t find_join(commit_plan_t *self, plan_member_t *member, const uint8_t *only_hash)
{
    join_record_t join;
    uint8_t hash[HASH_BYTES];
    status_t status = load_join(self->rules, self->id, &member->name, &join);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (only_hash)
        join_request_hash(hash, join.request);
    member->join_served = !only_hash || sodium_memcmp(hash, only_hash, HASH_BYTES) == 0;
    if (member->join_served && self->head.pending_joins > 0)
        self->head.pending_joins--;
    return STATUS_OK;
}

/* The account is there with this key, and has asked to be let in: nobody is put into a group
 * unasked, but the creator, whose request came with the commit. The account may have been given up
 * meanwhile, and its request with it: an admin can remove it again. */
static status_t check_account(commit_plan_t *self, const commit_add_t *add,
                              const plan_member_t *member)
{
    account_t account;
    status_t status = load_account(self->rules, &add->name, &account);
    if (status != STATUS_OK)
        return bad_if_absent(status);
    bool has_asked = member->join_served || !account_is_alive(&account) || self->commit->epoch == 0;
    return has_asked && same_key(account.identity_key, add->identity_key) ? STATUS_OK
                                                                          : STATUS_BAD_COMMIT;
}

static status_t check_adds(commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    for (size_t i = 0; i < commit->add_count; i++) {
        const commit_add_t *add = &commit->adds[i];
        plan_member_t *member = &self->adds[i];
        member->name = add->name;
        member->leaf = add->leaf;
        status_t status = check_free(self, i, member);
        if (status == STATUS_OK)
            status = find_join(self, member, NULL);
        if (status == STATUS_OK)
            status = check_account(self, add, member);
        if (status != STATUS_OK)
            return status;
        member->after = (membership_t){
            .leaf = add->leaf, .epoch_added = commit->epoch + 1, .role = ROLE_MEMBER};
        memcpy(member->after.identity_key, add->identity_key, KEY_BYTES);
        self->head.members++;
    }
    return STATUS_OK;
}

static status_t check_refreshes(commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    for (size_t i = 0; i < commit->refresh_count; i++) {
        leaf_record_t record;
        plan_member_t *member = &self->refreshes[i];
        status_t status = load_holder(self, commit->refreshes[i].leaf, member, &record);
        if (status == STATUS_OK)
            status = find_join(self, member, commit->refreshes[i].request_hash);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Where an added leaf's membership stands in the plan, or NULL. */
static plan_member_t *find_add(commit_plan_t *self, uint32_t leaf)
{
    for (size_t i = 0; i < self->commit->add_count; i++)
        if (self->adds[i].leaf == leaf)
            return &self->adds[i];
    return NULL;
}

static status_t check_roles(commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    for (size_t i = 0; i < commit->role_count; i++) {
        const commit_role_t *change = &commit->roles[i];
        plan_member_t *member = find_add(self, change->leaf);
        if (!member) {
            leaf_record_t record;
            member = &self->roles[self->role_count++];
            status_t status = load_holder(self, change->leaf, member, &record);
            if (status != STATUS_OK)
                return status;
        }
        bool counts = member->after.until_sequence == 0;
        if (counts && member->after.role == ROLE_ADMIN)
            self->head.admins--;
        member->after.role = change->role;
        if (counts && change->role == ROLE_ADMIN)
            self->head.admins++;
    }
    bool in_bounds = self->head.admins >= 1 && self->head.admins <= ADMINS_MAX;
    return in_bounds ? STATUS_OK : STATUS_BAD_COMMIT;
}

static roster_member_t entry_of(const plan_member_t *member)
{
    roster_member_t entry = {.leaf = member->leaf,
                             .name = member->name,
                             .epoch_added = member->after.epoch_added,
                             .role = member->after.role};
    memcpy(entry.identity_key, member->after.identity_key, KEY_BYTES);
    return entry;
}

static status_t write_roster(commit_plan_t *self)
{
    const commit_t *commit = self->commit;
    roster_store_t roster = {.rules = self->rules, .group = self->id, .depth = self->head.depth};
    uint8_t root[HASH_BYTES];
    roster_store_grow(&roster, commit->depth);
    for (size_t i = 0; i < commit->removal_count; i++)
        roster_store_clear(&roster, commit->removals[i].leaf);
    for (size_t i = 0; i < commit->add_count; i++) {
        roster_member_t entry = entry_of(&self->adds[i]);
        roster_store_set(&roster, &entry);
    }
    for (size_t i = 0; i < self->role_count; i++) {
        roster_member_t entry = entry_of(&self->roles[i]);
        roster_store_set(&roster, &entry);
    }
    roster_store_root(&roster, root);
    if (roster.failed)
        return STATUS_STORE_FAILED;
    return sodium_memcmp(root, commit->roster_root, HASH_BYTES) == 0 ? STATUS_OK
                                                                     : STATUS_BAD_COMMIT;
}

static status_t check_welcomes(const commit_plan_t *self, const welcome_record_t *welcomes,
                               size_t count)
{
    const commit_t *commit = self->commit;
    if (count != commit->add_count + commit->refresh_count)
        return STATUS_BAD_WELCOME;
    for (size_t i = 0; i < count; i++) {
        const plan_member_t *member =
            i < commit->add_count ? &self->adds[i] : &self->refreshes[i - commit->add_count];
        if (!name_equal(&welcomes[i].recipient, &member->name) || welcomes[i].sealed.size == 0)
            return STATUS_BAD_WELCOME;
    }
    return STATUS_OK;
}

typedef struct {
    const commit_t *commit;
    uint32_t left_over;
    uint64_t since_ms;
    bool damaged;
} due_t;

static bool count_due(void *context, const store_record_t *record)
{
    due_t *due = context;
    uint32_t leaf = get_u32(record->key + record->key_size - 4);
    for (size_t i = 0; i < due->commit->removal_count; i++)
        if (due->commit->removals[i].leaf == leaf)
            return true;
    leave_record_t leave;
    due->damaged = !leave_record_read(&leave, record_value(record));
    if (due->left_over++ == 0 || leave.since_ms < due->since_ms)
        due->since_ms = leave.since_ms;
    return !due->damaged;
}

/* A commit clears only the leaves that it removes. */
static status_t find_leaves_due(commit_plan_t *self)
{
    if (self->head.leaves_due == 0)
        return STATUS_OK;
    due_t due = {.commit = self->commit};
    store_key_t prefix = key_of_group(KEY_LEAVE, self->id);
    status_t status = visit_prefix(self->rules, &prefix, NULL, 0, count_due, &due);
    if (status != STATUS_OK || due.damaged)
        return STATUS_STORE_FAILED;
    self->head.leaves_due = due.left_over;
    self->head.rekey_due_since_ms = due.since_ms;
    return STATUS_OK;
}

status_t commit_plan_check(commit_plan_t *self, const uint8_t committer_key[static KEY_BYTES],
                           const welcome_record_t *welcomes, size_t welcome_count)
{
    rules_t *rules = self->rules;
    self->removals = rules_lend(rules, COMMIT_REMOVALS_MAX * sizeof *self->removals);
    self->adds = rules_lend(rules, COMMIT_ADDS_MAX * sizeof *self->adds);
    self->refreshes = rules_lend(rules, COMMIT_REFRESHES_MAX * sizeof *self->refreshes);
    self->roles = rules_lend(rules, COMMIT_ROLES_MAX * sizeof *self->roles);
    status_t status = check_signature(self, committer_key);
    if (status == STATUS_OK)
        status = check_depth(self);
    if (status == STATUS_OK)
        status = check_removals(self);
    if (status == STATUS_OK)
        status = check_adds(self);
    if (status == STATUS_OK)
        status = check_refreshes(self);
    if (status == STATUS_OK)
        status = check_roles(self);
    if (status == STATUS_OK)
        status = check_welcomes(self, welcomes, welcome_count);
    if (status == STATUS_OK)
        status = find_leaves_due(self);
    return status == STATUS_OK ? write_roster(self) : status;
}
