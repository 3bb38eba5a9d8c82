/* SPDX-License-Identifier: MPL-2.0 */
/* For core_fuzz.c: the broker's part. The fields of its answers come from the fuzz bytes, what is
 * signed or sealed from what it has seen. */
#ifndef CONCLAVE_TESTS_FUZZ_CORE_BROKER_H
#define CONCLAVE_TESTS_FUZZ_CORE_BROKER_H

#include "tests/fuzz/fixed_random.h"
#include "tests/unit/client/core_room.h"

enum { NAMES = 5 };

/* Genuine bytes that a broker of these people has seen. */
typedef enum {
    SEEN_COMMIT,
    SEEN_WELCOME,
    SEEN_OWN_COMMIT,
    SEEN_OWN_WELCOME,
    SEEN_SEALED,
    SEEN_JOIN,
    SEEN_LEAVE,
    SEEN_OWN_JOIN,
    SEEN_COUNT,
} seen_t;

typedef struct {
    room_t *room; /* room->bob is the member core */
    peer_t admin; /* of the same process: bob's identity, lent */
    identity_t *carol;
    uint8_t own_group[GROUP_ID_BYTES]; /* that bob created; its admin core serves it */
    uint8_t own_start[HASH_BYTES];     /* its transcript, as carol would learn it */
    buffer_t seen[SEEN_COUNT];
    buffer_t scratch[4];
    size_t scratches;
    reader_t in;
} play_t;

static inline uint64_t pick_number(play_t *self)
{
    uint8_t choice = reader_u8(&self->in);
    if (choice < 0xf0)
        return choice & 0x1f;
    return choice < 0xf8 ? UINT64_MAX - (choice & 7) : reader_u64(&self->in);
}

static inline name_t pick_name(play_t *self)
{
    static const char *const names[NAMES] = {"alice", "bob", "carol", "room", "mine"};
    name_t name;
    FUZZ_MUST(name_parse(&name, names[reader_u8(&self->in) % NAMES]) == STATUS_OK);
    return name;
}

static inline void pick_group(play_t *self, uint8_t out[static GROUP_ID_BYTES])
{
    uint8_t choice = reader_u8(&self->in);
    memcpy(out, choice & 1 ? self->own_group : self->room->group, GROUP_ID_BYTES);
    if (choice == 0xff)
        out[0] ^= 1;
}

static inline const uint8_t *pick_key(play_t *self)
{
    const identity_t *people[] = {self->room->alice, self->room->bob.identity, self->carol};
    return identity_key(people[reader_u8(&self->in) % 3]);
}

static inline void change(play_t *self, buffer_t *bytes)
{
    for (unsigned edits = reader_u8(&self->in) % 4 + 1; edits-- > 0 && bytes->size;) {
        size_t at = reader_u16(&self->in);
        bytes->data[at % bytes->size] ^= reader_u8(&self->in);
    }
}

/* Of those seen, or a new text of alice's; as they were, or changed. Lives as long as the step. */
static inline bytes_t pick_bytes(play_t *self, seen_t expected)
{
    uint8_t choice = reader_u8(&self->in);
    buffer_t *out = &self->scratch[self->scratches++ % 4];
    seen_t which = choice & 0x40 ? choice % SEEN_COUNT : expected;
    buffer_clear(out);
    if (which == SEEN_SEALED)
        alice_seals(self->room, "text", self->room->alice_number++, out);
    else
        buffer_append(out, self->seen[which].data, self->seen[which].size);
    if (choice & 0x80)
        change(self, out);
    if (choice & 0x20 && out->size)
        out->size -= 1 + choice % out->size % 8;
    return buffer_view(out);
}

static inline event_record_t pick_event(play_t *self)
{
    static const seen_t of_kind[] = {SEEN_SEALED, SEEN_SEALED, SEEN_COMMIT, SEEN_LEAVE};
    event_record_t event = {.time_ms = 1000, .sender = pick_name(self)};
    uint8_t choice = reader_u8(&self->in);
    pick_group(self, event.group);
    event.kind = choice & 3;
    event.sequence = choice & 4 ? ++self->room->sequence : pick_number(self);
    event.payload = pick_bytes(self, choice & 8 ? SEEN_OWN_COMMIT : of_kind[choice & 3]);
    return event;
}

typedef struct {
    event_record_t events[2];
    group_state_record_t state;
    membership_record_t membership;
    pending_key_record_t key;
    pending_join_record_t join;
    pending_leave_record_t leave;
    roster_entry_record_t entries[3];
    hash_record_t proof;
} records_t;

static inline void pick_polled(play_t *self, verb_t verb, message_t *out, records_t *rows)
{
    size_t count = reader_u8(&self->in) % 3;
    uint64_t more = reader_u8(&self->in) == 1;
    uint8_t group[GROUP_ID_BYTES];
    pick_group(self, group);
    if (verb == VERB_poll_messages) {
        for (size_t i = 0; i < count; i++)
            rows->events[i] = pick_event(self);
        rows->state = (group_state_record_t){
            .status = pick_number(self), .head = pick_number(self), .epoch = pick_number(self)};
        memcpy(rows->state.group, group, GROUP_ID_BYTES);
        out->body.poll_messages_reply = (poll_messages_reply_t){
            .events = {rows->events, count}, .states = {&rows->state, more || count}, .more = more};
    } else if (verb == VERB_poll_keys) {
        rows->key = (pending_key_record_t){.group_name = pick_name(self),
                                           .commit_sequence = pick_number(self),
                                           .sealed = pick_bytes(self, SEEN_OWN_WELCOME)};
        memcpy(rows->key.group, group, GROUP_ID_BYTES);
        out->body.poll_keys_reply =
            (poll_keys_reply_t){.keys = {&rows->key, count > 0}, .more = more};
    } else if (verb == VERB_poll_joins) {
        rows->join = (pending_join_record_t){
            .name = pick_name(self), .since_ms = 1, .request = pick_bytes(self, SEEN_JOIN)};
        memcpy(rows->join.group, group, GROUP_ID_BYTES);
        out->body.poll_joins_reply =
            (poll_joins_reply_t){.joins = {&rows->join, count > 0}, .more = more};
    } else {
        rows->leave = (pending_leave_record_t){.name = pick_name(self),
                                               .sequence = pick_number(self),
                                               .statement = pick_bytes(self, SEEN_LEAVE)};
        memcpy(rows->leave.group, group, GROUP_ID_BYTES);
        out->body.poll_leaves_reply =
            (poll_leaves_reply_t){.leaves = {&rows->leave, count > 0}, .more = more};
    }
}

static inline void pick_roster(play_t *self, verb_t verb, message_t *out, records_t *rows)
{
    size_t count = reader_u8(&self->in) % 4;
    for (size_t i = 0; i < count; i++) {
        rows->entries[i] = (roster_entry_record_t){.leaf = pick_number(self),
                                                   .name = pick_name(self),
                                                   .epoch_added = pick_number(self),
                                                   .role = reader_u8(&self->in) & 1};
        memcpy(rows->entries[i].identity_key, pick_key(self), KEY_BYTES);
    }
    const roster_member_t *bob = roster_table_get(holder_roster(self->room->holder), leaf_index(1));
    roster_leaf_hash(rows->proof.hash, bob);
    uint64_t epoch = pick_number(self);
    if (!epoch) { /* the truth */
        const roster_member_t *alice =
            roster_table_get(holder_roster(self->room->holder), leaf_index(0));
        rows->entries[0] = (roster_entry_record_t){
            .name = alice->name, .epoch_added = alice->epoch_added, .role = alice->role};
        memcpy(rows->entries[0].identity_key, alice->identity_key, KEY_BYTES);
        count += !count;
        epoch = holder_epoch(self->room->holder);
    }
    if (verb == VERB_roster)
        out->body.roster_reply = (roster_reply_t){.epoch = epoch,
                                                  .depth = pick_number(self),
                                                  .next_leaf = pick_number(self),
                                                  .entries = {rows->entries, count}};
    else
        out->body.roster_proof_reply = (roster_proof_reply_t){.epoch = epoch,
                                                              .entries = {rows->entries, count > 0},
                                                              .proof = {&rows->proof, count != 2}};
}

static inline void pick_group_reply(play_t *self, verb_t verb, message_t *out, records_t *rows)
{
    if (verb == VERB_lookup) {
        lookup_reply_t *lookup = &out->body.lookup_reply;
        *lookup = (lookup_reply_t){.epoch = pick_number(self), .creator = pick_name(self)};
        pick_group(self, lookup->group);
        memcpy(lookup->transcript, holder_transcript(self->room->holder), HASH_BYTES);
        memcpy(lookup->creator_key, pick_key(self), KEY_BYTES);
    } else if (verb == VERB_groups) {
        rows->membership = (membership_record_t){.name = pick_name(self),
                                                 .leaf = pick_number(self),
                                                 .epoch_added = pick_number(self),
                                                 .role = reader_u8(&self->in) & 1,
                                                 .until_sequence = pick_number(self)};
        pick_group(self, rows->membership.group);
        out->body.groups_reply.memberships.items = &rows->membership;
        out->body.groups_reply.memberships.count = reader_u8(&self->in) & 1;
    } else if (verb == VERB_commit) {
        out->body.commit_reply = (commit_reply_t){.sequence = pick_number(self),
                                                  .winner = pick_bytes(self, SEEN_OWN_COMMIT)};
    } else if (verb == VERB_roster || verb == VERB_roster_proof) {
        pick_roster(self, verb, out, rows);
    } else if (verb == VERB_create || verb == VERB_send || verb == VERB_leave ||
               verb == VERB_join) {
        out->body.create_reply.sequence = pick_number(self); /* each has it, or its epoch, first */
    } else if (verb >= VERB_poll_messages) {
        pick_polled(self, verb, out, rows);
    }
}

static inline void pick_reply(play_t *self, verb_t verb, message_t *out, records_t *rows)
{
    if (verb == VERB_hello)
        out->body.hello_reply = (hello_reply_t){.version = 1, .frame_max_bytes = FRAME_MAX_BYTES};
    else if (verb == VERB_challenge)
        out->body.challenge_reply = (challenge_reply_t){.challenge = {1}};
    else if (verb == VERB_login)
        out->body.login_reply = (login_reply_t){.token = {2}};
    else if (verb == VERB_whois)
        memcpy(out->body.whois_reply.identity_key, pick_key(self), KEY_BYTES);
    else
        pick_group_reply(self, verb, out, rows);
}

#endif
