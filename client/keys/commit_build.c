/* SPDX-License-Identifier: MPL-2.0 */
/* From a plan to a signed commit, its welcomes and its journal. */
#include "client/keys/commit_build.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys/commit_plan.h"
#include "client/keys/key_schedule.h"
#include "client/keys/tree_update.h"
#include "client/keys/welcome.h"
#include "proto/memory.h"
#include "proto/statement.h"

typedef struct {
    const holder_t *holder;
    const identity_t *admin;
    const commit_plan_t *plan;
    commit_t commit;
    prepared_commit_t *prepared;
    secret_t epoch_secret;
} build_t;

/* T_{e+1} covers the body; the epoch's keys come from T_{e+1}. */
static void close_commit(build_t *self)
{
    commit_t *commit = &self->commit;
    prepared_commit_t *prepared = self->prepared;
    commit_write_body(commit, &prepared->commit);
    transcript_extend(prepared->transcript, commit->transcript, buffer_view(&prepared->commit));

    secret_t *root = key_journal_get(&prepared->keys, tree_root(commit->depth));
    kdf(&self->epoch_secret, root, KDF_EPOCH, prepared->transcript, HASH_BYTES);
    kdf(root, root, KDF_NEXT, commit->random, COMMIT_RANDOM_BYTES);
    secret_t epoch_secret = self->epoch_secret;
    epoch_keys_t keys;
    epoch_keys_derive(&keys, &epoch_secret);
    confirmation_tag(commit->tag, &keys.confirm, prepared->transcript);
    membership_code(commit->mac, holder_membership(self->holder), prepared->transcript,
                    commit->tag);
    identity_sign_commit(self->admin, commit->group, prepared->transcript, commit->tag,
                         commit->signature);
    commit_write_trailer(commit, &prepared->commit);
    secret_move(&prepared->membership, &keys.membership);
    epoch_keys_wipe(&keys);
}

static void fill_path(build_t *self, uint32_t leaf, member_path_t *path)
{
    path->leaf = leaf_index(leaf);
    path->depth = self->commit.depth;
    for (unsigned level = 0; level <= path->depth; level++)
        path->keys[level] = *key_journal_get(&self->prepared->keys, node_above(path->leaf, level));
}

/* Seals the welcome for one leaf; base has all that is the same for everybody. */
static status_t add_welcome(build_t *self, welcome_t *base, uint32_t leaf, const join_t *request)
{
    fill_path(self, leaf, &base->path);
    prepared_welcome_t *welcome = &self->prepared->welcomes[self->prepared->welcome_count++];
    welcome->recipient = request->name;
    return welcome_seal(base, self->admin, request->identity_key, request->prekey,
                        &welcome->sealed);
}

static const served_request_t *refresh_of(const commit_plan_t *plan, uint32_t leaf)
{
    size_t i = 0;
    while (plan->refreshes[i].leaf != leaf)
        i++;
    return &plan->refreshes[i];
}

static status_t make_welcomes(build_t *self)
{
    const commit_t *commit = &self->commit;
    size_t count = commit->add_count + commit->refresh_count;
    if (!count)
        return STATUS_OK;
    self->prepared->welcomes = mem_zalloc(count, sizeof *self->prepared->welcomes);
    welcome_t base = {.group_name = *holder_group_name(self->holder),
                      .epoch = commit->epoch + 1,
                      .epoch_secret = self->epoch_secret};
    memcpy(base.group, commit->group, GROUP_ID_BYTES);
    memcpy(base.transcript, self->prepared->transcript, HASH_BYTES);
    status_t status =
        commit_admins_after(holder_roster(self->holder), commit, base.admins, &base.admin_count);
    for (size_t i = 0; i < commit->add_count && !status; i++)
        status = add_welcome(self, &base, commit->adds[i].leaf, &self->plan->adds[i].request);
    for (size_t i = 0; i < commit->refresh_count && !status; i++) {
        uint32_t leaf = commit->refreshes[i].leaf;
        status = add_welcome(self, &base, leaf, &refresh_of(self->plan, leaf)->request);
    }
    welcome_wipe(&base);
    return status;
}

status_t commit_build(const holder_t *holder, const identity_t *admin, const commit_plan_t *plan,
                      prepared_commit_t **out)
{
    *out = NULL;
    build_t self = {.holder = holder, .admin = admin, .plan = plan};
    status_t status = commit_plan_validate(plan, holder, admin, &self.commit);
    if (!status) {
        randombytes_buf(self.commit.random, COMMIT_RANDOM_BYTES);
        self.prepared = mem_zalloc(1, sizeof *self.prepared);
        key_journal_init(&self.prepared->keys, holder_tree(holder));
        roster_journal_init(&self.prepared->roster, holder_roster(holder), &self.commit,
                            self.commit.roster_root);
        tree_update(&self.prepared->keys, holder_roster(holder), &self.commit);
        close_commit(&self);
        status = make_welcomes(&self);
        self.prepared->keys.tree = NULL;
        self.prepared->roster.table = NULL;
    }
    if (status)
        prepared_commit_destroy(&self.prepared);
    secret_wipe(&self.epoch_secret);
    commit_wipe(&self.commit);
    *out = self.prepared;
    return status;
}
