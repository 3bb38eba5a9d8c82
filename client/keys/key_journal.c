/* SPDX-License-Identifier: MPL-2.0 */
/* What a commit changes in the key tree, kept beside it. */
#include "client/keys/key_tree.h"

#include <stdlib.h>

void key_journal_init(key_journal_t *self, const key_tree_t *tree)
{
    *self = (key_journal_t){.tree = tree, .depth = tree ? key_tree_depth(tree) : 0};
    index_map_init(&self->keys, sizeof(secret_t));
}

void key_journal_wipe(key_journal_t *self)
{
    index_map_wipe(&self->keys);
}

secret_t *key_journal_get(key_journal_t *self, node_index_t node)
{
    secret_t *key = index_map_get(&self->keys, node.value);
    if (key)
        return key;
    const secret_t *old = key_tree_get(self->tree, node);
    key = index_map_put(&self->keys, node.value);
    if (old)
        *key = *old;
    else
        secret_random(key);
    return key;
}

void key_journal_step(key_journal_t *self, node_index_t node, kdf_label_t label,
                      const uint8_t *random)
{
    secret_t *key = key_journal_get(self, node);
    kdf(key, key, label, random, COMMIT_RANDOM_BYTES);
}

void key_journal_randomise(key_journal_t *self, node_index_t node)
{
    secret_random(index_map_put(&self->keys, node.value));
}

void key_journal_grow(key_journal_t *self, const uint8_t *random)
{
    node_index_t old_root = tree_root(self->depth);
    secret_t grown;
    kdf(&grown, key_journal_get(self, old_root), KDF_GROW, random, COMMIT_RANDOM_BYTES);
    key_journal_step(self, old_root, KDF_NEXT, random);
    self->depth++;
    secret_move(index_map_put(&self->keys, tree_root(self->depth).value), &grown);
}

void key_journal_write(const key_journal_t *self, buffer_t *out)
{
    buffer_u8(out, (uint8_t)self->depth);
    buffer_u32(out, (uint32_t)self->keys.count);
    uint32_t *nodes = index_map_keys(&self->keys);
    for (size_t i = 0; i < self->keys.count; i++) {
        const secret_t *key = index_map_get(&self->keys, nodes[i]);
        buffer_u32(out, nodes[i]);
        buffer_append(out, key->bytes, sizeof key->bytes);
    }
    free(nodes);
}

status_t key_journal_read(key_journal_t *self, reader_t *in)
{
    key_journal_init(self, NULL);
    self->depth = reader_u8(in);
    uint32_t count = reader_u32(in);
    if (!reader_ok(in) || self->depth > TREE_DEPTH_MAX || count > in->left / (4 + KEY_BYTES))
        return STATUS_DAMAGED_FILE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = reader_u32(in);
        if (node >= tree_node_count(self->depth)) {
            key_journal_wipe(self);
            return STATUS_DAMAGED_FILE;
        }
        secret_t *key = index_map_put(&self->keys, node);
        reader_copy(in, key->bytes, sizeof key->bytes);
    }
    return STATUS_OK;
}
