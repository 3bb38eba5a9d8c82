/* SPDX-License-Identifier: MPL-2.0 */
/* A group's roster as stored, and the two verbs that read it. */
#include "broker/rules/roster_store.h"

#include "broker/rules/handlers.h"
#include "broker/rules/storage.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static store_key_t node_key(const roster_store_t *self, unsigned level, uint32_t index)
{
    store_key_t key = key_of_group(KEY_NODE, self->group);
    key_u8(&key, (uint8_t)level);
    key_u32(&key, index);
    return key;
}

static void load_node(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    roster_store_t *self = context;
    store_key_t key = node_key(self, level, index);
    uint8_t *value;
    size_t size;
    memset(out, 0, HASH_BYTES);
    status_t status = overlay_get(self->rules->overlay, key.bytes, key.size, &value, &size, NULL);
    if (status == STATUS_OK && !bytes_record_read(out, HASH_BYTES, (bytes_t){value, size}))
        status = STATUS_STORE_FAILED;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        self->failed = true;
    free(value);
}

static void store_node(void *context, unsigned level, uint32_t index,
                       const uint8_t hash[HASH_BYTES])
{
    roster_store_t *self = context;
    store_key_t key = node_key(self, level, index);
    if (sodium_is_zero(hash, HASH_BYTES)) {
        overlay_delete(self->rules->overlay, key.bytes, key.size);
        return;
    }
    bytes_record_write((bytes_t){hash, HASH_BYTES}, &self->rules->scratch);
    put_scratch(self->rules, &key);
}

static roster_nodes_t nodes_of(roster_store_t *self)
{
    return (roster_nodes_t){self, load_node, store_node};
}

void roster_store_grow(roster_store_t *self, unsigned depth)
{
    roster_nodes_t nodes = nodes_of(self);
    for (; self->depth < depth; self->depth++)
        roster_grow(&nodes, self->depth);
}

void roster_store_set(roster_store_t *self, const roster_member_t *member)
{
    roster_nodes_t nodes = nodes_of(self);
    leaf_record_t record = {
        .name = member->name, .epoch_added = member->epoch_added, .role = member->role};
    memcpy(record.identity_key, member->identity_key, KEY_BYTES);
    save_leaf(self->rules, self->group, member->leaf, &record);
    roster_set(&nodes, self->depth, member->leaf, member);
}

void roster_store_clear(roster_store_t *self, uint32_t leaf)
{
    roster_nodes_t nodes = nodes_of(self);
    store_key_t key = key_of_group(KEY_LEAF, self->group);
    key_u32(&key, leaf);
    erase(self->rules, &key);
    roster_set(&nodes, self->depth, leaf, NULL);
}

void roster_store_root(roster_store_t *self, uint8_t out[static HASH_BYTES])
{
    roster_nodes_t nodes = nodes_of(self);
    roster_root(&nodes, self->depth, out);
}

void roster_store_prove(roster_store_t *self, uint32_t leaf, uint8_t *proof)
{
    roster_nodes_t nodes = nodes_of(self);
    roster_prove(&nodes, self->depth, leaf, proof);
}

static roster_entry_record_t entry_of(uint32_t leaf, const leaf_record_t *record)
{
    roster_entry_record_t entry = {.leaf = leaf,
                                   .name = record->name,
                                   .epoch_added = record->epoch_added,
                                   .role = record->role};
    memcpy(entry.identity_key, record->identity_key, KEY_BYTES);
    return entry;
}

typedef struct {
    roster_entry_record_t *entries;
    size_t count;
    size_t wanted;
    uint32_t next_leaf;
    bool damaged;
} page_t;

static bool collect_entry(void *context, const store_record_t *record)
{
    page_t *page = context;
    uint32_t leaf = get_u32(record->key + record->key_size - 4);
    if (page->count == page->wanted) {
        page->next_leaf = leaf;
        return false;
    }
    leaf_record_t read;
    page->damaged = !leaf_record_read(&read, record_value(record));
    page->entries[page->count++] = entry_of(leaf, &read);
    return !page->damaged;
}

status_t handle_roster(request_t *request)
{
    const roster_request_t *asked = &request->message->body.roster_request;
    group_t *group;
    member_t *member;
    status_t status = request_member(request, asked->group, &group, &member);
    if (status != STATUS_OK)
        return status;
    page_t page = {.wanted = asked->count < ROSTER_PAGE_MAX ? asked->count : ROSTER_PAGE_MAX,
                   .next_leaf = UINT32_MAX};
    page.entries = rules_lend(request->rules, (page.wanted + 1) * sizeof *page.entries);
    store_key_t prefix = key_of_group(KEY_LEAF, group->id);
    store_key_t from = prefix;
    key_u32(&from, asked->first_leaf < UINT32_MAX ? (uint32_t)asked->first_leaf : UINT32_MAX);
    status = visit_prefix(request->rules, &prefix, &from, page.wanted + 1, collect_entry, &page);
    if (status != STATUS_OK || page.damaged)
        return STATUS_STORE_FAILED;
    roster_reply_t *reply = &request->reply.roster_reply;
    reply->epoch = group->head.epoch;
    reply->depth = group->head.depth;
    reply->next_leaf = page.next_leaf;
    reply->entries.items = page.entries;
    reply->entries.count = page.count;
    return STATUS_OK;
}

status_t handle_roster_proof(request_t *request)
{
    const roster_proof_request_t *asked = &request->message->body.roster_proof_request;
    rules_t *rules = request->rules;
    group_t *group;
    member_t *member;
    leaf_record_t record;
    status_t status = request_member(request, asked->group, &group, &member);
    if (status != STATUS_OK)
        return status;
    if (asked->leaf >= (UINT64_C(1) << group->head.depth))
        return STATUS_UNKNOWN_LEAF;
    uint32_t leaf = (uint32_t)asked->leaf;
    status = load_leaf(rules, group->id, leaf, &record);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_LEAF : status;
    roster_store_t roster = {.rules = rules, .group = group->id, .depth = group->head.depth};
    hash_record_t *proof = rules_lend(rules, (roster.depth + 1) * sizeof *proof);
    roster_store_prove(&roster, leaf, proof->hash);
    if (roster.failed)
        return STATUS_STORE_FAILED;
    roster_proof_reply_t *reply = &request->reply.roster_proof_reply;
    reply->epoch = group->head.epoch;
    reply->entries.items = rules_lend(rules, sizeof *reply->entries.items);
    reply->entries.items[0] = entry_of(leaf, &record);
    reply->entries.count = 1;
    reply->proof.items = proof;
    reply->proof.count = roster.depth;
    return STATUS_OK;
}

_Static_assert(sizeof(hash_record_t) == HASH_BYTES, "a proof is a run of hashes");
