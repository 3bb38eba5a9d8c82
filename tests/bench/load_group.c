/* SPDX-License-Identifier: MPL-2.0 */
/* Adds only: no wraps are needed, and the broker can't check tags, codes and welcomes. */
#include "tests/bench/load_group.h"

#include "proto/commit.h"
#include "proto/requests.h"
#include "proto/roster.h"
#include "proto/sealed_message.h"
#include "proto/statement.h"

#include <string.h>

static void node_load(void *context, unsigned level, uint32_t index, uint8_t out[HASH_BYTES])
{
    const load_group_t *self = context;
    memcpy(out, self->nodes[level][index], HASH_BYTES);
}

static void node_store(void *context, unsigned level, uint32_t index,
                       const uint8_t hash[HASH_BYTES])
{
    load_group_t *self = context;
    memcpy(self->nodes[level][index], hash, HASH_BYTES);
}

static void write_join_request(const load_group_t *self, const load_client_t *user, buffer_t *out)
{
    buffer_t statement = {0};
    join_t request = {.name = user->name};
    memcpy(request.group, self->id, GROUP_ID_BYTES);
    memcpy(request.identity_key, user->identity_key, KEY_BYTES);
    memcpy(request.transcript, self->transcript, HASH_BYTES);
    uint8_t secret[KEY_BYTES];
    randombytes_buf(secret, sizeof secret);
    crypto_scalarmult_base(request.prekey, secret);
    join_request_statement(&request, &statement);
    crypto_sign_detached(request.signature, NULL, statement.data, statement.size,
                         user->identity_secret);
    join_request_write_signed_part(&request, out);
    buffer_append(out, request.signature, SIGNATURE_BYTES);
    buffer_free(&statement);
}

static void roster_add(load_group_t *self, const load_client_t *user, uint8_t role)
{
    const roster_nodes_t nodes = {self, node_load, node_store};
    roster_member_t member = {
        .leaf = self->members, .name = user->name, .epoch_added = self->epoch + 1, .role = role};
    memcpy(member.identity_key, user->identity_key, KEY_BYTES);
    if (self->members == 1u << self->depth) {
        roster_grow(&nodes, self->depth);
        self->depth++;
    }
    roster_set(&nodes, self->depth, self->members, &member);
    self->members++;
}

/* Fills in what depends on the group, signs, and moves the group to the next epoch. */
static void write_commit(load_group_t *self, commit_t *commit, const load_client_t *admin,
                         buffer_t *out)
{
    const roster_nodes_t nodes = {self, node_load, node_store};
    buffer_t statement = {0};
    memcpy(commit->group, self->id, GROUP_ID_BYTES);
    memcpy(commit->transcript, self->transcript, HASH_BYTES);
    commit->epoch = self->epoch;
    commit->depth = (uint8_t)self->depth;
    randombytes_buf(commit->random, sizeof commit->random);
    randombytes_buf(commit->tag, sizeof commit->tag);
    randombytes_buf(commit->mac, sizeof commit->mac);
    roster_root(&nodes, self->depth, commit->roster_root);
    commit_write_body(commit, out);
    transcript_extend(self->transcript, commit->transcript, buffer_view(out));
    statement_commit(&statement, self->id, self->transcript, commit->tag);
    crypto_sign_detached(commit->signature, NULL, statement.data, statement.size,
                         admin->identity_secret);
    commit_write_trailer(commit, out);
    buffer_free(&statement);
    self->epoch++;
}

static void fill_add(load_group_t *self, commit_add_t *add, const load_client_t *user,
                     const buffer_t *request, uint8_t role)
{
    add->leaf = self->members;
    add->name = user->name;
    memcpy(add->identity_key, user->identity_key, KEY_BYTES);
    join_request_hash(add->request_hash, buffer_view(request));
    roster_add(self, user, role);
}

static const uint8_t noise[WELCOME_MAX_BYTES];

static welcome_record_t welcome_of(const load_client_t *user)
{
    return (welcome_record_t){.recipient = user->name, .sealed = {noise, 600}};
}

void load_group_create(load_group_t *self, const char *name, load_client_t *creator)
{
    buffer_t request = {0};
    buffer_t bytes = {0};
    commit_add_t add = {0};
    commit_role_t role = {.leaf = 0, .role = ROLE_ADMIN};
    commit_t commit = {.adds = &add, .add_count = 1, .roles = &role, .role_count = 1};
    memset(self, 0, sizeof *self);
    randombytes_buf(self->id, sizeof self->id);
    if (name_parse(&self->name, name) != STATUS_OK) {
        load_fail(name, "bad name");
    }
    transcript_start(self->transcript, self->id, creator->identity_key, name);
    write_join_request(self, creator, &request);
    fill_add(self, &add, creator, &request, ROLE_ADMIN);
    write_commit(self, &commit, creator, &bytes);
    welcome_record_t welcome = welcome_of(creator);
    create_request_t create = {.name = self->name,
                               .hold_ms = HOLD_DEFAULT_MS,
                               .request = buffer_view(&request),
                               .commit = buffer_view(&bytes),
                               .welcomes = {&welcome, 1}};
    memcpy(create.group, self->id, GROUP_ID_BYTES);
    load_client_must(creator, VERB_create, &create);
    buffer_free(&request);
    buffer_free(&bytes);
}

static void join_some(load_group_t *self, load_client_t *admin, load_client_t *newcomers,
                      size_t count)
{
    commit_add_t adds[COMMIT_ADDS_MAX] = {0};
    welcome_record_t welcomes[COMMIT_ADDS_MAX];
    buffer_t bytes = {0};
    commit_t commit = {.adds = adds, .add_count = count};
    for (size_t i = 0; i < count; i++) {
        buffer_t request = {0};
        write_join_request(self, &newcomers[i], &request);
        join_request_t join = {.request = buffer_view(&request)};
        memcpy(join.group, self->id, GROUP_ID_BYTES);
        load_client_must(&newcomers[i], VERB_join, &join);
        fill_add(self, &adds[i], &newcomers[i], &request, ROLE_MEMBER);
        welcomes[i] = welcome_of(&newcomers[i]);
        buffer_free(&request);
    }
    write_commit(self, &commit, admin, &bytes);
    commit_request_t send = {.commit = buffer_view(&bytes), .welcomes = {welcomes, count}};
    memcpy(send.group, self->id, GROUP_ID_BYTES);
    load_client_must(admin, VERB_commit, &send);
    buffer_free(&bytes);
}

void load_group_join(load_group_t *self, load_client_t *admin, load_client_t *newcomers,
                     size_t count)
{
    for (size_t done = 0; done < count;) {
        size_t some = count - done < COMMIT_ADDS_MAX ? count - done : COMMIT_ADDS_MAX;
        join_some(self, admin, newcomers + done, some);
        done += some;
    }
}

void load_group_seal(const load_group_t *self, uint32_t leaf, uint32_t generation, uint64_t stamp,
                     size_t size, buffer_t *out)
{
    message_header_t header = {.epoch = self->epoch, .leaf = leaf, .generation = generation};
    put_u64(header.salt, stamp); /* the salt is in clear: that is where a load client can see it */
    message_header_write(&header, out);
    memset(buffer_extend(out, size), 0xa5, size);
}

uint64_t load_group_stamp(bytes_t sealed)
{
    message_header_t header;
    bytes_t header_bytes;
    bytes_t rest;
    return message_header_parse(&header, sealed, &header_bytes, &rest) == STATUS_OK
               ? get_u64(header.salt)
               : 0;
}
