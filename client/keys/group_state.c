/* SPDX-License-Identifier: MPL-2.0 */
/* A member's state of a group, and how commits and messages move it. */
#include "client/keys/group_state.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys/commit_apply.h"
#include "client/keys/group_state_parts.h"

void group_state_destroy(group_state_t **self)
{
    if (!*self)
        return;
    member_path_wipe(&(*self)->path);
    secret_wipe(&(*self)->membership);
    secret_tree_wipe(&(*self)->secrets);
    transcripts_free(&(*self)->transcripts);
    free(*self);
    *self = NULL;
}

const uint8_t *group_state_group(const group_state_t *self)
{
    return self->group;
}

const name_t *group_state_group_name(const group_state_t *self)
{
    return &self->group_name;
}

uint64_t group_state_epoch(const group_state_t *self)
{
    return self->epoch;
}

uint64_t group_state_epoch_added(const group_state_t *self)
{
    return self->epoch_added;
}

leaf_index_t group_state_leaf(const group_state_t *self)
{
    return self->path.leaf;
}

unsigned group_state_depth(const group_state_t *self)
{
    return self->path.depth;
}

const uint8_t *group_state_transcript(const group_state_t *self)
{
    return transcripts_of(&self->transcripts, self->epoch);
}

const uint8_t *group_state_roster_root(const group_state_t *self)
{
    return self->roster_root;
}

const uint8_t *group_state_transcript_of(const group_state_t *self, uint64_t epoch)
{
    return transcripts_of(&self->transcripts, epoch);
}

size_t group_state_admin_count(const group_state_t *self)
{
    return self->admins.count;
}

const group_admin_t *group_state_admin(const group_state_t *self, size_t at)
{
    return &self->admins.items[at];
}

const group_admin_t *group_state_find_admin(const group_state_t *self, leaf_index_t leaf)
{
    for (size_t i = 0; i < self->admins.count; i++)
        if (self->admins.items[i].leaf == leaf.value)
            return &self->admins.items[i];
    return NULL;
}

status_t group_state_prove(group_state_t *self, const roster_member_t *member, bytes_t proof)
{
    unsigned depth = self->path.depth;
    if (proof.size != (size_t)depth * HASH_BYTES)
        return STATUS_BAD_PROOF;
    status_t status = roster_proof_verify(member, proof.data, depth, self->roster_root);
    if (status)
        return status;
    group_admin_t *admin = admin_list_find(&self->admins, leaf_index(member->leaf));
    if (admin && !admin->is_known) {
        admin->is_known = true;
        admin->name = member->name;
        memcpy(admin->identity_key, member->identity_key, KEY_BYTES);
        self->is_dirty = true;
    }
    return STATUS_OK;
}

/* Everything that is verified moves in at once. */
static void enter_epoch(group_state_t *self, const commit_t *commit, const uint8_t *transcript,
                        member_path_t *path, epoch_keys_t *keys, const admin_list_t *admins)
{
    self->path = *path;
    secret_move(&self->membership, &keys->membership);
    secret_tree_wipe(&self->secrets);
    secret_tree_init(&self->secrets, path->depth, &keys->tree);
    memcpy(self->roster_root, commit->roster_root, HASH_BYTES);
    self->admins = *admins;
    self->epoch++;
    transcripts_push(&self->transcripts, self->epoch, transcript, NULL, 0);
    self->is_dirty = true;
}

static status_t apply(group_state_t *self, const commit_t *commit, bytes_t bytes,
                      commit_outcome_t *outcome)
{
    const group_admin_t *committer = group_state_find_admin(self, leaf_index(commit->committer));
    commit_base_t base = {.group = self->group,
                          .epoch = self->epoch,
                          .transcript = group_state_transcript(self),
                          .membership = &self->membership,
                          .committer_key =
                              committer && committer->is_known ? committer->identity_key : NULL};
    uint8_t transcript[HASH_BYTES];
    status_t status = commit_check(commit, bytes, &base, transcript);
    if (status)
        return status == STATUS_UNPROVEN && !committer ? STATUS_NOT_ADMIN : status;
    admin_list_t admins = self->admins;
    status = admin_list_apply(&admins, commit);
    if (status)
        return status;
    uint32_t own = self->path.leaf.value;
    if (commit_find_removal(commit, own) || commit_find_refresh(commit, own)) {
        *outcome = commit_find_removal(commit, own) ? COMMIT_REMOVED_ME : COMMIT_REFRESHED_ME;
        return STATUS_OK;
    }
    member_path_t path = self->path;
    epoch_keys_t keys;
    status = commit_follow(commit, transcript, &path, &keys);
    if (!status) {
        *outcome = COMMIT_FOLLOWED;
        enter_epoch(self, commit, transcript, &path, &keys, &admins);
        epoch_keys_wipe(&keys);
    }
    member_path_wipe(&path);
    return status;
}

status_t group_state_apply_commit(group_state_t *self, bytes_t bytes, commit_outcome_t *outcome)
{
    commit_t commit;
    status_t status = commit_parse(&commit, bytes);
    if (status)
        return status;
    status = apply(self, &commit, bytes, outcome);
    commit_wipe(&commit);
    return status;
}

static message_place_t place_of(const group_state_t *self)
{
    message_place_t place;
    memcpy(place.group, self->group, GROUP_ID_BYTES);
    memcpy(place.transcript, group_state_transcript(self), HASH_BYTES);
    return place;
}

status_t group_state_seal(group_state_t *self, const identity_t *identity,
                          const message_body_t *body, buffer_t *out, message_header_t *header)
{
    uint64_t generation = secret_tree_next_generation(&self->secrets, self->path.leaf);
    if (generation > UINT32_MAX)
        return STATUS_KEY_ERASED;
    ratchet_step_t step;
    status_t status =
        secret_tree_peek(&self->secrets, self->path.leaf, (uint32_t)generation, &step);
    if (status)
        return status;
    message_place_t place = place_of(self);
    message_header_t made = {
        .epoch = self->epoch, .leaf = self->path.leaf.value, .generation = (uint32_t)generation};
    status = message_seal(&place, &made, &step.message, identity, body, out);
    if (status)
        ratchet_step_wipe(&step);
    else
        secret_tree_keep(&self->secrets, &step);
    if (header)
        *header = made;
    return status;
}

status_t group_state_open(group_state_t *self, bytes_t sealed, const uint8_t *sender_key,
                          opened_message_t *out)
{
    memset(out, 0, sizeof *out);
    message_header_t header;
    bytes_t header_bytes, inner;
    status_t status = message_header_parse(&header, sealed, &header_bytes, &inner);
    if (status)
        return status;
    if (header.epoch != self->epoch)
        return header.epoch < self->epoch ? STATUS_STALE_EPOCH : STATUS_EPOCH_AHEAD;
    ratchet_step_t step;
    status = secret_tree_peek(&self->secrets, leaf_index(header.leaf), header.generation, &step);
    if (status)
        return status;
    message_place_t place = place_of(self);
    status = message_open(out, &place, &header, header_bytes, inner, &step.message);
    if (!status && sender_key)
        status = opened_message_verify(out, sender_key);
    if (status) {
        opened_message_wipe(out);
        ratchet_step_wipe(&step);
        return status;
    }
    secret_tree_keep(&self->secrets, &step);
    return sender_key ? STATUS_OK : STATUS_UNPROVEN;
}
