/* SPDX-License-Identifier: MPL-2.0 */
/* How a member's state of a group begins: a welcome, checked against the commit that it belongs to.
 */
#include <string.h>

#include "client/keys/commit_apply.h"
#include "client/keys/group_state_parts.h"
#include "client/keys/welcome.h"
#include "proto/memory.h"
#include "proto/requests.h"
#include "proto/statement.h"

typedef struct {
    const identity_t *identity;
    join_t request;
    uint8_t request_hash[HASH_BYTES];
    commit_t commit;
    bytes_t commit_bytes;
    welcome_t welcome;
    uint8_t signature[SIGNATURE_BYTES]; /* the welcome's */
    uint8_t hash[HASH_BYTES];
    bool is_add; /* or a refresh */
} newcomer_t;

/* Does the commit add or refresh exactly us? */
static status_t check_entry(newcomer_t *self)
{
    uint32_t leaf = self->welcome.path.leaf.value;
    const commit_add_t *add = commit_find_add(&self->commit, leaf);
    const commit_refresh_t *refresh = commit_find_refresh(&self->commit, leaf);
    self->is_add = add != NULL;
    if (!add && !refresh)
        return STATUS_BAD_WELCOME;
    if (add && (!name_equal(&add->name, identity_name(self->identity)) ||
                memcmp(add->identity_key, identity_key(self->identity), KEY_BYTES)))
        return STATUS_BAD_WELCOME;
    const uint8_t *hash = add ? add->request_hash : refresh->request_hash;
    return memcmp(hash, self->request_hash, HASH_BYTES) ? STATUS_BAD_WELCOME : STATUS_OK;
}

/* Do welcome, commit and request belong together? */
static status_t check_place(newcomer_t *self)
{
    const welcome_t *welcome = &self->welcome;
    const commit_t *commit = &self->commit;
    if (memcmp(self->request.group, commit->group, GROUP_ID_BYTES) ||
        memcmp(welcome->group, commit->group, GROUP_ID_BYTES) ||
        welcome->epoch != commit->epoch + 1 || welcome->path.depth != commit->depth)
        return STATUS_BAD_WELCOME;
    uint8_t transcript[HASH_BYTES];
    transcript_extend(transcript, commit->transcript, commit_body(self->commit_bytes));
    if (memcmp(transcript, welcome->transcript, HASH_BYTES))
        return STATUS_BAD_TRANSCRIPT;
    return check_entry(self);
}

static status_t check_signatures(const newcomer_t *self)
{
    const welcome_t *welcome = &self->welcome;
    const welcome_admin_t *admin = welcome->admins;
    const welcome_admin_t *end = admin + welcome->admin_count;
    while (admin < end && admin->leaf != self->commit.committer)
        admin++;
    if (admin == end)
        return STATUS_BAD_WELCOME;
    status_t status =
        commit_check_signature(&self->commit, welcome->transcript, admin->identity_key);
    if (status)
        return status;
    return welcome_verify(welcome, self->signature, self->hash, admin->identity_key,
                          identity_key(self->identity), self->request.prekey);
}

static group_state_t *start(newcomer_t *self, epoch_keys_t *keys)
{
    welcome_t *welcome = &self->welcome;
    group_state_t *state = group_state_load_new();
    memcpy(state->group, welcome->group, GROUP_ID_BYTES);
    state->group_name = welcome->group_name;
    state->epoch = state->epoch_added = welcome->epoch;
    memcpy(state->roster_root, self->commit.roster_root, HASH_BYTES);
    secret_move(&state->membership, &keys->membership);
    state->path = welcome->path;
    for (size_t i = 0; i < welcome->admin_count; i++) {
        const welcome_admin_t *from = &welcome->admins[i];
        group_admin_t *to = &state->admins.items[state->admins.count++];
        *to = (group_admin_t){.leaf = from->leaf, .is_known = true, .name = from->name};
        memcpy(to->identity_key, from->identity_key, KEY_BYTES);
    }
    transcripts_push(&state->transcripts, state->epoch, welcome->transcript, NULL, 0);
    secret_tree_init(&state->secrets, welcome->path.depth, &keys->tree);
    state->is_dirty = state->is_new = true;
    return state;
}

static status_t check(newcomer_t *self, bytes_t sealed, const secret_t *prekey_secret)
{
    status_t status =
        welcome_open(&self->welcome, self->signature, self->hash, sealed, prekey_secret);
    if (!status)
        status = check_place(self);
    if (!status)
        status = check_signatures(self);
    return status;
}

status_t group_state_from_welcome(group_state_t **out, const identity_t *identity,
                                  bytes_t sealed_welcome, bytes_t commit, bytes_t join_request,
                                  const secret_t *prekey_secret)
{
    *out = NULL;
    newcomer_t self = {.identity = identity, .commit_bytes = commit};
    status_t status = join_request_parse(&self.request, join_request);
    if (status)
        return status;
    join_request_hash(self.request_hash, join_request);
    status = commit_parse(&self.commit, commit);
    if (status)
        return status;
    status = check(&self, sealed_welcome, prekey_secret);
    if (!status) {
        epoch_keys_t keys;
        epoch_keys_derive(&keys, &self.welcome.epoch_secret);
        status = commit_check_tag(&self.commit, self.welcome.transcript, &keys);
        if (!status)
            *out = start(&self, &keys);
        epoch_keys_wipe(&keys);
    }
    commit_wipe(&self.commit);
    welcome_wipe(&self.welcome);
    return status;
}
