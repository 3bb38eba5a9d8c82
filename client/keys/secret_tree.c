/* SPDX-License-Identifier: MPL-2.0 */
/* The one-way tree of an epoch and its senders' chains. */
#include "client/keys/secret_tree.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys/kdf.h"

#define MARK_BYTES 1 /* sets are maps to nothing of interest */

static void maps_init(secret_tree_t *self)
{
    index_map_init(&self->nodes, sizeof(secret_t));
    index_map_init(&self->chains, sizeof(chain_t));
    index_map_init(&self->dirty_nodes, MARK_BYTES);
    index_map_init(&self->dirty_chains, MARK_BYTES);
}

void secret_tree_init(secret_tree_t *self, unsigned depth, secret_t *tree_secret)
{
    *self = (secret_tree_t){.depth = depth, .is_new = true};
    maps_init(self);
    uint32_t root = tree_root(depth).value;
    secret_move(index_map_put(&self->nodes, root), tree_secret);
    index_map_put(&self->dirty_nodes, root);
}

void secret_tree_wipe(secret_tree_t *self)
{
    index_map_wipe(&self->nodes);
    index_map_wipe(&self->chains);
    index_map_wipe(&self->dirty_nodes);
    index_map_wipe(&self->dirty_chains);
}

void secret_tree_move(secret_tree_t *to, secret_tree_t *from)
{
    secret_tree_wipe(to);
    *to = *from;
    maps_init(from);
}

/* The lowest level at which a secret above (or at) the leaf is still there; above the root if there
 * is none. */
static unsigned split_level(const secret_tree_t *self, leaf_index_t leaf)
{
    unsigned level = 0;
    while (level <= self->depth && !index_map_get(&self->nodes, node_above(leaf, level).value))
        level++;
    return level;
}

static kdf_label_t side_of(leaf_index_t leaf, unsigned child_level)
{
    return leaf.value >> child_level & 1 ? KDF_RIGHT : KDF_LEFT;
}

/* c_0 of a leaf without a chain yet. False if what leads to it is erased, which only damaged rows
 * can bring about. */
static bool first_chain(const secret_tree_t *self, leaf_index_t leaf, chain_t *out)
{
    unsigned level = split_level(self, leaf);
    if (level > self->depth)
        return false;
    out->next = 0;
    out->key = *(const secret_t *)index_map_get(&self->nodes, node_above(leaf, level).value);
    while (level-- > 0)
        kdf_plain(&out->key, &out->key, side_of(leaf, level));
    kdf_plain(&out->key, &out->key, KDF_CHAIN);
    return true;
}

uint64_t secret_tree_next_generation(const secret_tree_t *self, leaf_index_t leaf)
{
    const chain_t *chain = index_map_get(&self->chains, leaf.value);
    return chain ? chain->next : 0;
}

status_t secret_tree_peek(const secret_tree_t *self, leaf_index_t leaf, uint32_t generation,
                          ratchet_step_t *out)
{
    memset(out, 0, sizeof *out);
    if (leaf.value >= tree_leaf_count(self->depth))
        return STATUS_UNKNOWN_LEAF;
    uint64_t next = secret_tree_next_generation(self, leaf);
    if (generation < next)
        return STATUS_KEY_ERASED;
    if (generation - next > SKIP_MAX)
        return STATUS_TOO_FAR_AHEAD;
    const chain_t *chain = index_map_get(&self->chains, leaf.value);
    if (chain)
        out->chain = *chain;
    else if (!first_chain(self, leaf, &out->chain))
        return STATUS_KEY_ERASED;
    out->leaf = leaf;
    for (; out->chain.next < generation; out->chain.next++)
        kdf_plain(&out->chain.key, &out->chain.key, KDF_RATCHET);
    kdf_plain(&out->message, &out->chain.key, KDF_MESSAGE);
    kdf_plain(&out->chain.key, &out->chain.key, KDF_RATCHET);
    out->chain.next++;
    return STATUS_OK;
}

/* Erases all secrets above a leaf, keeping those of the siblings on the way. */
static void split(secret_tree_t *self, leaf_index_t leaf)
{
    unsigned level = split_level(self, leaf);
    if (level > self->depth)
        return;
    uint32_t top = node_above(leaf, level).value;
    secret_t secret;
    secret_move(&secret, index_map_get(&self->nodes, top));
    index_map_remove(&self->nodes, top);
    index_map_put(&self->dirty_nodes, top);
    while (level-- > 0) {
        uint32_t sibling = node_sibling(node_above(leaf, level)).value;
        kdf_label_t side = side_of(leaf, level);
        kdf_plain(index_map_put(&self->nodes, sibling), &secret,
                  side == KDF_LEFT ? KDF_RIGHT : KDF_LEFT);
        index_map_put(&self->dirty_nodes, sibling);
        kdf_plain(&secret, &secret, side);
    }
    secret_wipe(&secret);
}

void secret_tree_keep(secret_tree_t *self, ratchet_step_t *step)
{
    if (!index_map_get(&self->chains, step->leaf.value))
        split(self, step->leaf);
    *(chain_t *)index_map_put(&self->chains, step->leaf.value) = step->chain;
    index_map_put(&self->dirty_chains, step->leaf.value);
    ratchet_step_wipe(step);
}

void ratchet_step_wipe(ratchet_step_t *self)
{
    sodium_memzero(self, sizeof *self);
}

static void save_node(const secret_tree_t *self, uint32_t node, row_fn *row, void *context)
{
    uint8_t key[5] = {'n'};
    put_u32(key + 1, node);
    bytes_t row_key = {key, sizeof key};
    const secret_t *secret = index_map_get(&self->nodes, node);
    if (secret)
        row(context, ROW_PUT, row_key, (bytes_t){secret->bytes, KEY_BYTES});
    else
        row(context, ROW_DELETE, row_key, (bytes_t){NULL, 0});
}

static void save_chain(const secret_tree_t *self, uint32_t leaf, row_fn *row, void *context)
{
    uint8_t key[5] = {'c'}, value[8 + KEY_BYTES];
    put_u32(key + 1, leaf);
    const chain_t *chain = index_map_get(&self->chains, leaf);
    put_u64(value, chain->next);
    memcpy(value + 8, chain->key.bytes, KEY_BYTES);
    row(context, ROW_PUT, (bytes_t){key, sizeof key}, (bytes_t){value, sizeof value});
    sodium_memzero(value, sizeof value);
}

typedef void save_fn(const secret_tree_t *self, uint32_t index, row_fn *row, void *context);

static void save_each(const secret_tree_t *self, const index_map_t *which, save_fn *save,
                      row_fn *row, void *context)
{
    uint32_t *keys = index_map_keys(which);
    for (size_t i = 0; i < which->count; i++)
        save(self, keys[i], row, context);
    free(keys);
}

void secret_tree_save(secret_tree_t *self, row_fn *row, void *context)
{
    if (self->is_new) {
        row(context, ROW_DELETE_PREFIX, (bytes_t){(const uint8_t *)"n", 1}, (bytes_t){NULL, 0});
        row(context, ROW_DELETE_PREFIX, (bytes_t){(const uint8_t *)"c", 1}, (bytes_t){NULL, 0});
        self->is_new = false;
    }
    save_each(self, &self->dirty_nodes, save_node, row, context);
    save_each(self, &self->dirty_chains, save_chain, row, context);
    index_map_wipe(&self->dirty_nodes);
    index_map_wipe(&self->dirty_chains);
}

void secret_tree_save_all(const secret_tree_t *self, row_fn *row, void *context)
{
    save_each(self, &self->nodes, save_node, row, context);
    save_each(self, &self->chains, save_chain, row, context);
}

void secret_tree_load_start(secret_tree_t *self, unsigned depth)
{
    *self = (secret_tree_t){.depth = depth};
    maps_init(self);
}

status_t secret_tree_load_row(secret_tree_t *self, bytes_t key, bytes_t value)
{
    if (key.size != 5)
        return STATUS_DAMAGED_FILE;
    uint32_t index = get_u32(key.data + 1);
    if (key.data[0] == 'n') {
        if (value.size != KEY_BYTES || index >= tree_node_count(self->depth))
            return STATUS_DAMAGED_FILE;
        memcpy(index_map_put(&self->nodes, index), value.data, KEY_BYTES);
        return STATUS_OK;
    }
    if (key.data[0] != 'c' || value.size != 8 + KEY_BYTES || index >= tree_leaf_count(self->depth))
        return STATUS_DAMAGED_FILE;
    chain_t *chain = index_map_put(&self->chains, index);
    chain->next = get_u64(value.data);
    memcpy(chain->key.bytes, value.data + 8, KEY_BYTES);
    return STATUS_OK;
}

/* Is a secret kept above this node, from which it should have been split off? */
static bool has_ancestor(const secret_tree_t *self, node_index_t node)
{
    while (node_level(node) < self->depth) {
        node = node_parent(node);
        if (index_map_get(&self->nodes, node.value))
            return true;
    }
    return false;
}

/* No two secrets lead to one leaf, and together they lead to as many as there are. */
status_t secret_tree_load_end(const secret_tree_t *self)
{
    uint64_t leaves = self->chains.count;
    for (size_t i = 0; i < self->nodes.capacity; i++) {
        if (!self->nodes.used[i])
            continue;
        node_index_t node = node_index(self->nodes.keys[i]);
        if (has_ancestor(self, node))
            return STATUS_DAMAGED_FILE;
        leaves += tree_leaf_count(node_level(node));
    }
    for (size_t i = 0; i < self->chains.capacity; i++)
        if (self->chains.used[i] &&
            split_level(self, leaf_index(self->chains.keys[i])) <= self->depth)
            return STATUS_DAMAGED_FILE;
    return leaves == tree_leaf_count(self->depth) ? STATUS_OK : STATUS_DAMAGED_FILE;
}
