/* SPDX-License-Identifier: MPL-2.0 */
/* Forgeries from a member's state; the state itself stays as it is. */
#include "tests/simulation/forge.h"

#include <sodium.h>
#include <string.h>

#include "client/core/member.h"
#include "client/keys/group_state_parts.h"
#include "client/keys/key_schedule.h"
#include "client/keys/message_seal.h"
#include "proto/statement.h"
#include "tests/simulation/intercept.h"

static group_t *group_of(const world_t *world, size_t client, const uint8_t *id)
{
    core_t *core = world->nodes[client].cores[SIDE_MEMBER];
    group_t *group = core ? member_group((member_core_t *)core, id) : NULL;
    return group && group_is_current(group) && group->keys ? group : NULL;
}

bool forge_place(const world_t *world, chance_t *chance, size_t client,
                 uint8_t id[static GROUP_ID_BYTES], uint64_t *sequence)
{
    if (client >= world->options.clients)
        return false; /* its connection is gone */
    const member_core_t *core = (const member_core_t *)world->nodes[client].cores[SIDE_MEMBER];
    size_t at = core ? chance_below(chance, core->group_count) : 0;
    if (!core || !core->group_count || !group_is_current(core->groups[at]))
        return false;
    memcpy(id, core->groups[at]->id, GROUP_ID_BYTES);
    *sequence = core->groups[at]->cursor + 1;
    return true;
}

/* Somebody else in the group, from a random one on; SIZE_MAX if there is nobody. */
static size_t find_other(const world_t *world, chance_t *chance, size_t victim, size_t traitor,
                         const uint8_t *id)
{
    size_t clients = world->options.clients, first = chance_below(chance, clients);
    for (size_t i = 0; i < clients; i++) {
        size_t client = (first + i) % clients;
        if (client != victim && client != traitor && group_of(world, client, id))
            return client;
    }
    return SIZE_MAX;
}

/* A member, no admin, in the victim's epoch, from a random one on; SIZE_MAX if there is none. */
static size_t find_traitor(const world_t *world, chance_t *chance, size_t victim, const uint8_t *id)
{
    const group_t *own = group_of(world, victim, id);
    size_t clients = world->options.clients, first = chance_below(chance, clients);
    for (size_t i = 0; own && i < clients; i++) {
        size_t client = (first + i) % clients;
        const group_t *group = group_of(world, client, id);
        if (client != victim && group &&
            group_state_epoch(group->keys) == group_state_epoch(own->keys) &&
            !group_state_find_admin(group->keys, group_state_leaf(group->keys)))
            return client;
    }
    return SIZE_MAX;
}

static void seal_commit(commit_t *commit, const group_state_t *keys, const identity_t *signer,
                        buffer_t *out)
{
    uint8_t transcript[HASH_BYTES];
    member_path_t path = keys->path;
    secret_t epoch_secret;
    epoch_keys_t next;
    commit_write_body(commit, out);
    transcript_extend(transcript, commit->transcript, buffer_view(out));
    if (member_path_apply(&path, commit)) {
        buffer_clear(out);
        return;
    }
    member_path_epoch(&path, commit->random, transcript, &epoch_secret);
    epoch_keys_derive(&next, &epoch_secret);
    confirmation_tag(commit->tag, &next.confirm, transcript);
    membership_code(commit->mac, &keys->membership, transcript, commit->tag);
    identity_sign_commit(signer, commit->group, transcript, commit->tag, commit->signature);
    commit_write_trailer(commit, out);
    epoch_keys_wipe(&next);
    member_path_wipe(&path);
}

bool forge_commit(world_t *world, chance_t *chance, size_t victim, const uint8_t *id, name_t *admin,
                  buffer_t *out)
{
    size_t traitor = find_traitor(world, chance, victim, id);
    if (traitor == SIZE_MAX)
        return false;
    const group_state_t *keys = group_of(world, traitor, id)->keys;
    commit_t commit = {.epoch = group_state_epoch(keys),
                       .depth = (uint8_t)group_state_depth(keys),
                       .committer = group_state_admin(keys, 0)->leaf};
    *admin = group_state_admin(keys, 0)->name;
    memcpy(commit.group, id, GROUP_ID_BYTES);
    memcpy(commit.transcript, group_state_transcript(keys), HASH_BYTES);
    memcpy(commit.roster_root, group_state_roster_root(keys), HASH_BYTES);
    randombytes_buf(commit.random, sizeof commit.random);
    seal_commit(&commit, keys, world->nodes[traitor].identity, out);
    return out->size != 0;
}

bool forge_message(world_t *world, chance_t *chance, size_t victim, const uint8_t *id,
                   name_t *sender, buffer_t *out)
{
    size_t traitor = find_traitor(world, chance, victim, id);
    size_t other = find_other(world, chance, victim, traitor, id);
    if (traitor == SIZE_MAX || other == SIZE_MAX)
        return false;
    const group_t *shown = group_of(world, other, id);
    const group_state_t *keys = group_of(world, traitor, id)->keys;
    leaf_index_t leaf = group_state_leaf(shown->keys);
    if (leaf.value == group_state_leaf(keys).value)
        return false; /* in an older epoch it is the traitor's, whose signature is good */
    uint64_t generation = secret_tree_next_generation(&keys->secrets, leaf);
    ratchet_step_t step;
    if (secret_tree_peek(&keys->secrets, leaf, (uint32_t)generation, &step))
        return false;
    message_place_t place;
    memcpy(place.group, id, GROUP_ID_BYTES);
    memcpy(place.transcript, group_state_transcript(keys), HASH_BYTES);
    message_header_t header = {
        .epoch = group_state_epoch(keys), .leaf = leaf.value, .generation = (uint32_t)generation};
    buffer_t content = {0};
    bool is_made = !text_content_write(0, text_of("what nobody wrote"), &content);
    message_body_t body = {
        .type = MESSAGE_TYPE_TEXT, .number = shown->next_number, .content = buffer_view(&content)};
    is_made = is_made && !message_seal(&place, &header, &step.message,
                                       world->nodes[traitor].identity, &body, out);
    *sender = world->nodes[other].name;
    ratchet_step_wipe(&step);
    buffer_wipe(&content);
    intercept_forget(); /* the sender's own use of that key is its first */
    return is_made;
}

bool forge_leave(world_t *world, chance_t *chance, const uint8_t *id, name_t *leaver, buffer_t *out)
{
    size_t other = find_other(world, chance, SIZE_MAX, SIZE_MAX, id);
    size_t signer = chance_below(chance, world->options.clients);
    if (other == SIZE_MAX || signer == other)
        return false;
    const group_t *group = group_of(world, other, id);
    *leaver = world->nodes[other].name;
    identity_make_leave(world->nodes[signer].identity, id, group_state_leaf(group->keys).value,
                        group_state_epoch_added(group->keys), out);
    return true;
}
