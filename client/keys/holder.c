/* SPDX-License-Identifier: MPL-2.0 */
/* The tree's holder's state of a group. */
#include "client/keys/holder.h"

#include <stdlib.h>
#include <string.h>

#include "client/keys/prepared_commit.h"
#include "client/keys/transcripts.h"
#include "proto/memory.h"
#include "proto/statement.h"

#define HOLDER_FORMAT 1

struct holder {
    uint8_t group[GROUP_ID_BYTES];
    name_t group_name;
    leaf_index_t leaf;
    uint64_t epoch;
    secret_t membership; /* of this epoch; zero in epoch 0 */
    transcripts_t transcripts;
    key_tree_t *tree;
    roster_table_t *roster;
    uint8_t stored_root[HASH_BYTES]; /* while loading */
    bool is_dirty, has_head;
};

holder_t *holder_load_new(void)
{
    holder_t *self = mem_zalloc(1, sizeof *self);
    self->tree = key_tree_new();
    self->roster = roster_table_new();
    return self;
}

holder_t *holder_new(const uint8_t group[static GROUP_ID_BYTES], const name_t *group_name,
                     const identity_t *creator)
{
    holder_t *self = holder_load_new();
    memcpy(self->group, group, GROUP_ID_BYTES);
    self->group_name = *group_name;
    self->is_dirty = true;
    uint8_t transcript[HASH_BYTES];
    transcript_start(transcript, group, identity_key(creator), group_name->text);
    transcripts_push(&self->transcripts, 0, transcript, NULL, 0);
    return self;
}

void holder_destroy(holder_t **self)
{
    if (!*self)
        return;
    secret_wipe(&(*self)->membership);
    transcripts_free(&(*self)->transcripts);
    key_tree_destroy(&(*self)->tree);
    roster_table_destroy(&(*self)->roster);
    free(*self);
    *self = NULL;
}

const uint8_t *holder_group(const holder_t *self)
{
    return self->group;
}

const name_t *holder_group_name(const holder_t *self)
{
    return &self->group_name;
}

uint64_t holder_epoch(const holder_t *self)
{
    return self->epoch;
}

const uint8_t *holder_transcript(const holder_t *self)
{
    return transcripts_of(&self->transcripts, self->epoch);
}

leaf_index_t holder_leaf(const holder_t *self)
{
    return self->leaf;
}

const roster_table_t *holder_roster(const holder_t *self)
{
    return self->roster;
}

const key_tree_t *holder_tree(const holder_t *self)
{
    return self->tree;
}

const secret_t *holder_membership(const holder_t *self)
{
    return &self->membership;
}

const uint8_t *holder_transcript_of(const holder_t *self, uint64_t epoch)
{
    return transcripts_of(&self->transcripts, epoch);
}

status_t holder_check_request(const holder_t *self, bytes_t request, served_request_t *out)
{
    memset(out, 0, sizeof *out);
    status_t status = join_request_parse(&out->request, request);
    if (status)
        return status;
    join_request_hash(out->hash, request);
    if (memcmp(out->request.group, self->group, GROUP_ID_BYTES))
        return STATUS_UNKNOWN_GROUP;
    if (!transcripts_know(&self->transcripts, out->request.transcript))
        return STATUS_BAD_TRANSCRIPT;
    if (transcripts_served(&self->transcripts, out->hash))
        return STATUS_ALREADY_LEFT;
    const roster_member_t *held = roster_table_find(self->roster, &out->request.name);
    if (!held)
        return STATUS_OK;
    if (memcmp(held->identity_key, out->request.identity_key, KEY_BYTES))
        return STATUS_KEY_CHANGED;
    out->is_held = true;
    out->leaf = held->leaf;
    return STATUS_OK;
}

/* The hashes of the requests that a commit served. */
static size_t served_of(const commit_t *commit, uint8_t (*out)[HASH_BYTES])
{
    size_t count = 0;
    for (size_t i = 0; i < commit->add_count; i++)
        memcpy(out[count++], commit->adds[i].request_hash, HASH_BYTES);
    for (size_t i = 0; i < commit->refresh_count; i++)
        memcpy(out[count++], commit->refreshes[i].request_hash, HASH_BYTES);
    return count;
}

static void adopt(holder_t *self, prepared_commit_t *prepared, const commit_t *commit)
{
    uint8_t served[COMMIT_ADDS_MAX + COMMIT_REFRESHES_MAX][HASH_BYTES];
    size_t served_count = served_of(commit, served);
    key_tree_adopt(self->tree, &prepared->keys);
    roster_table_adopt(self->roster, &prepared->roster, commit);
    self->epoch++;
    self->leaf = leaf_index(commit->committer);
    secret_move(&self->membership, &prepared->membership);
    transcripts_push(&self->transcripts, self->epoch, prepared->transcript,
                     (const uint8_t(*)[HASH_BYTES])served, served_count);
    self->is_dirty = true;
}

status_t holder_adopt(holder_t *self, prepared_commit_t **prepared)
{
    commit_t commit;
    if (commit_parse(&commit, buffer_view(&(*prepared)->commit)))
        return STATUS_DAMAGED_FILE;
    bool fits = !memcmp(commit.group, self->group, GROUP_ID_BYTES) && commit.epoch == self->epoch &&
                !memcmp(commit.transcript, holder_transcript(self), HASH_BYTES) &&
                commit.depth >= key_tree_depth(self->tree) &&
                (*prepared)->keys.depth == commit.depth &&
                (*prepared)->roster.depth == commit.depth;
    if (fits) {
        adopt(self, *prepared, &commit);
        prepared_commit_destroy(prepared);
    }
    commit_wipe(&commit);
    return fits ? STATUS_OK : STATUS_OUT_OF_STEP;
}

static void save_head(const holder_t *self, row_fn *row, void *context)
{
    buffer_t value = {0};
    buffer_u8(&value, HOLDER_FORMAT);
    buffer_append(&value, self->group, GROUP_ID_BYTES);
    name8_write(&value, &self->group_name);
    buffer_u32(&value, self->leaf.value);
    buffer_u64(&value, self->epoch);
    buffer_u8(&value, (uint8_t)key_tree_depth(self->tree));
    buffer_append(&value, self->membership.bytes, KEY_BYTES);
    roster_table_root(self->roster, buffer_extend(&value, HASH_BYTES));
    row(context, ROW_PUT, (bytes_t){(const uint8_t *)"h", 1}, buffer_view(&value));
    buffer_wipe(&value);
}

void holder_save(holder_t *self, row_fn *row, void *context)
{
    if (!self->is_dirty)
        return;
    save_head(self, row, context);
    transcripts_save(&self->transcripts, row, context);
    key_tree_save(self->tree, row, context);
    roster_table_save(self->roster, row, context);
    self->is_dirty = false;
}

void holder_save_all(const holder_t *self, row_fn *row, void *context)
{
    save_head(self, row, context);
    transcripts_save_all(&self->transcripts, row, context);
    key_tree_save_all(self->tree, row, context);
    roster_table_save_all(self->roster, row, context);
}

static status_t load_head(holder_t *self, bytes_t value)
{
    reader_t in = reader_of(value.data, value.size);
    uint8_t format = reader_u8(&in);
    if (format > HOLDER_FORMAT)
        return STATUS_NEWER_FORMAT;
    reader_copy(&in, self->group, GROUP_ID_BYTES);
    self->group_name = name8_read(&in);
    self->leaf = leaf_index(reader_u32(&in));
    self->epoch = reader_u64(&in);
    unsigned depth = reader_u8(&in);
    reader_copy(&in, self->membership.bytes, KEY_BYTES);
    reader_copy(&in, self->stored_root, HASH_BYTES);
    if (!reader_done(&in) || format != HOLDER_FORMAT || self->has_head)
        return STATUS_DAMAGED_FILE;
    self->has_head = true;
    status_t status = key_tree_load_depth(self->tree, depth);
    return status ? status : roster_table_load_depth(self->roster, depth);
}

status_t holder_load_row(holder_t *self, bytes_t key, bytes_t value)
{
    if (!key.size || (key.data[0] != 'h' && !self->has_head))
        return STATUS_DAMAGED_FILE;
    switch (key.data[0]) {
    case 'h':
        return key.size == 1 ? load_head(self, value) : STATUS_DAMAGED_FILE;
    case 'e':
        return transcripts_load_row(&self->transcripts, key, value);
    case 'k':
        if (key.size != 3)
            return STATUS_DAMAGED_FILE;
        return key_tree_load_row(self->tree, (uint16_t)(key.data[1] << 8 | key.data[2]), value);
    case 'r':
        if (key.size != 5)
            return STATUS_DAMAGED_FILE;
        return roster_table_load_row(self->roster, leaf_index(get_u32(key.data + 1)), value);
    default:
        return STATUS_DAMAGED_FILE;
    }
}

/* Without the key of a node above a member, the next commit would make up another than the member
 * has. */
static bool has_all_keys(const holder_t *self)
{
    leaf_index_t leaf = {0};
    for (; roster_table_next(self->roster, leaf, &leaf); leaf.value++)
        for (unsigned level = 0; level <= key_tree_depth(self->tree); level++)
            if (!key_tree_get(self->tree, node_above(leaf, level)))
                return false;
    return true;
}

status_t holder_load_end(holder_t *self)
{
    if (!self->has_head)
        return STATUS_DAMAGED_FILE;
    status_t status = transcripts_load_end(&self->transcripts, self->epoch);
    if (status)
        return status;
    roster_table_load_end(self->roster);
    uint8_t root[HASH_BYTES];
    roster_table_root(self->roster, root);
    if (memcmp(root, self->stored_root, HASH_BYTES) || !has_all_keys(self))
        return STATUS_DAMAGED_FILE;
    if (self->epoch && !roster_table_get(self->roster, self->leaf))
        return STATUS_DAMAGED_FILE;
    return STATUS_OK;
}
