/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's rules with any sequence of requests: rightly signed ones of three people in a room,
 * the same with bytes changed, bare bytes, failing writes and restarts. Every frame that goes out
 * can be read, a refusal changes nothing in the store, the log has no gaps, and the broker says the
 * same once it has forgotten its copies. */
#include "tests/fuzz/fixed_random.h"
#include "tests/unit/broker/rules_room.h"

enum { PEOPLE = 3, STEPS_MAX = 48 };

typedef struct {
    world_t *world;
    person_t people[PEOPLE]; /* [0] made the room */
    room_t room;
    reader_t in;
    bool changes; /* the next request's bytes */
} play_t;

/* Reads all that came. A reply to a verb that nobody knows is the only one without a meaning. True
 * if one with this id came; *status is its. */
static bool read_all(const link_t *link, uint64_t id, status_t *status)
{
    bool is_found = false;
    for (bytes_t left = buffer_view(&link->inbox); left.size > 0;) {
        message_t message = {0};
        status_t read = message_read(&message, &left, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        FUZZ_MUST(read == STATUS_OK || read == STATUS_UNKNOWN_VERB);
        if (!read && message.kind == MESSAGE_REPLY && message.id == id) {
            is_found = true;
            *status = message.status;
        }
        message_wipe(&message);
    }
    return is_found;
}

/* One turn with these bytes. True if a reply with this id came; *status is its. */
static bool turn(play_t *self, link_t *link, bytes_t frame, uint64_t id, status_t *status)
{
    world_begin(self->world);
    rules_receive(self->world->rules, &link->address, frame);
    (void)world_finish(self->world);
    link_t *links[2 * PEOPLE];
    for (size_t i = 0; i < PEOPLE; i++) {
        links[2 * i] = &self->people[i].events;
        links[2 * i + 1] = &self->people[i].duties;
    }
    link_collect(links, 2 * PEOPLE);
    bool is_answered = false;
    *status = STATUS_TIMED_OUT;
    for (size_t i = 0; i < 2 * PEOPLE; i++) {
        status_t of_link = STATUS_OK;
        if (read_all(links[i], id, &of_link) && links[i] == link) {
            is_answered = true;
            *status = of_link;
        }
    }
    return is_answered;
}

static void change(play_t *self, buffer_t *frame)
{
    for (unsigned edits = reader_u8(&self->in) % 4 + 1; edits-- > 0;) {
        size_t at = reader_u16(&self->in);
        frame->data[at % frame->size] ^= reader_u8(&self->in);
    }
}

static void mend(play_t *self)
{
    FUZZ_MUST(store_reopen(self->world->store) == STATUS_OK);
    rules_reset_caches(self->world->rules);
}

static status_t deliver(play_t *self, link_t *link, const buffer_t *frame, uint64_t id)
{
    status_t status;
    buffer_t before = world_dump(self->world);
    bool is_answered = turn(self, link, buffer_view(frame), id, &status);
    if (self->world->last_outcome == STATUS_STORE_FAILED) {
        FUZZ_MUST(!is_answered);
        mend(self);
    } else {
        buffer_t after = world_dump(self->world);
        if (is_answered && status != STATUS_OK)
            FUZZ_MUST(dump_equal(&before, &after));
        buffer_free(&after);
    }
    buffer_free(&before);
    return status;
}

static status_t ask(play_t *self, link_t *link, verb_t verb, const void *body)
{
    buffer_t frame = {0};
    uint64_t id = ++link->next_id;
    message_write_request(&frame, verb, id, (bytes_t){link->token, link->token_size},
                          (text_t){"", 0}, body);
    if (self->changes)
        change(self, &frame);
    status_t status = deliver(self, link, &frame, id);
    buffer_free(&frame);
    return status;
}

static void step_raw(play_t *self, link_t *link)
{
    size_t size = reader_u8(&self->in);
    if (size > self->in.left)
        size = self->in.left;
    buffer_t frame = {0};
    buffer_append(&frame, reader_take(&self->in, size), size);
    (void)deliver(self, link, &frame, UINT64_MAX);
    buffer_free(&frame);
}

static void step_send(play_t *self, person_t *person)
{
    const roster_member_t *member = room_find(&self->room, person);
    uint8_t choice = reader_u8(&self->in);
    buffer_t sealed =
        sealed_bytes(self->room.epoch - (choice >> 7), member ? member->leaf : choice & 7,
                     reader_u8(&self->in), choice & 15, 20);
    send_request_t send = {.sealed = buffer_view(&sealed)};
    memcpy(send.group, self->room.group, GROUP_ID_BYTES);
    (void)ask(self, &person->events, VERB_send, &send);
    buffer_free(&sealed);
}

static void step_join(play_t *self, person_t *person)
{
    buffer_t bytes = room_join_request(&self->room, person);
    join_request_t join = {.request = buffer_view(&bytes)};
    memcpy(join.group, self->room.group, GROUP_ID_BYTES);
    (void)ask(self, &person->events, VERB_join, &join);
    buffer_free(&bytes);
}

static void step_leave(play_t *self, person_t *person)
{
    static const roster_member_t nobody = {.leaf = 1, .epoch_added = 1};
    const roster_member_t *member = room_find(&self->room, person);
    buffer_t bytes = room_leave_statement(&self->room, person, member ? member : &nobody);
    leave_request_t leave = {.statement = buffer_view(&bytes)};
    memcpy(leave.group, self->room.group, GROUP_ID_BYTES);
    (void)ask(self, &person->events, VERB_leave, &leave);
    buffer_free(&bytes);
}

/* By anybody, admin or not: removes and adds whom the byte says, waiting or not. */
static void step_commit(play_t *self, person_t *person)
{
    uint8_t choice = reader_u8(&self->in);
    draft_t *draft = draft_new(&self->room, person);
    buffer_t requests[PEOPLE] = {{0}};
    for (size_t i = 0; i < PEOPLE; i++) {
        const roster_member_t *member = room_find(&draft->after, &self->people[i]);
        if (member && choice >> i & 1)
            draft_remove(draft, member->leaf);
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        requests[i] = room_join_request(&self->room, &self->people[i]);
        if (choice >> (3 + i) & 1 && !room_find(&draft->after, &self->people[i]))
            draft_add(draft, &self->people[i], buffer_view(&requests[i]));
    }
    const roster_member_t *member = room_find(&draft->after, &self->people[1]);
    if (member && choice >> 6 & 1)
        draft_set_role(draft, member->leaf, member->role ? ROLE_MEMBER : ROLE_ADMIN);
    draft_seal(draft, person, choice >> 7);
    commit_request_t request = draft_request(draft);
    bool is_changed = self->changes;
    if (ask(self, &person->duties, VERB_commit, &request) == STATUS_OK && !is_changed)
        self->room = draft->after;
    for (size_t i = 0; i < PEOPLE; i++)
        buffer_free(&requests[i]);
    draft_free(draft);
}

static void step_poll(play_t *self, link_t *link)
{
    cursor_record_t cursor = {.cursor = reader_u8(&self->in) & 15};
    memcpy(cursor.group, self->room.group, GROUP_ID_BYTES);
    poll_messages_request_t messages = {.cursors = {&cursor, 1},
                                        .budget_bytes = reader_u16(&self->in)};
    poll_keys_request_t keys = {.done = {&cursor, cursor.cursor & 1}};
    roster_request_t roster = {.first_leaf = cursor.cursor, .count = 4};
    memcpy(roster.group, self->room.group, GROUP_ID_BYTES);
    static const verb_t verbs[] = {VERB_poll_messages, VERB_poll_keys, VERB_poll_joins,
                                   VERB_poll_leaves,   VERB_roster,    VERB_groups};
    const void *bodies[] = {&messages, &keys, NULL, NULL, &roster, NULL};
    size_t which = reader_u8(&self->in) % 6;
    (void)ask(self, link, verbs[which], bodies[which]);
}

static void step_broker(play_t *self)
{
    uint8_t choice = reader_u8(&self->in);
    world_pass(self->world, (uint64_t)reader_u16(&self->in) * 1000);
    if (choice & 1)
        store_memory_fail_next_write(self->world->store, choice & 2);
    if (choice & 4)
        rules_reset_caches(self->world->rules);
    if (choice & 8)
        rules_peer_gone(self->world->rules, self->people[2].events.address.id,
                        self->people[2].events.address.id_size);
    store_memory_set_full(self->world->store, choice & 16);
    world_tick(self->world);
    if (self->world->last_outcome == STATUS_STORE_FAILED)
        mend(self);
}

static void step(play_t *self)
{
    uint8_t choice = reader_u8(&self->in);
    person_t *person = &self->people[choice % PEOPLE];
    link_t *link = choice & 64 ? &person->duties : &person->events;
    self->changes = choice & 128;
    switch ((choice & 63) / PEOPLE % 8) {
    case 0:
        step_send(self, person);
        break;
    case 1:
        step_join(self, person);
        break;
    case 2:
        step_leave(self, person);
        break;
    case 3:
    case 4:
        step_commit(self, person);
        break;
    case 5:
        step_poll(self, link);
        break;
    case 6:
        step_broker(self);
        break;
    default:
        step_raw(self, link);
    }
}

/* The whole log as this person may read it: without gaps. Gives the answer's bytes. */
static buffer_t read_log(play_t *self, link_t *link)
{
    message_t reply = {0};
    link->next_id = 1000;
    status_t status = room_poll(&self->room, link, 0, POLL_BUDGET_MAX_BYTES, &reply);
    if (status == STATUS_OK) {
        const poll_messages_reply_t *body = &reply.body.poll_messages_reply;
        for (size_t i = 1; i < body->events.count; i++)
            FUZZ_MUST(body->events.items[i].sequence == body->events.items[i - 1].sequence + 1);
    }
    message_wipe(&reply);
    buffer_t out = {0};
    buffer_append(&out, link->inbox.data, link->inbox.size);
    return out;
}

static void check_end(play_t *self)
{
    store_memory_set_full(self->world->store, false);
    for (size_t i = 0; i < PEOPLE; i++) {
        buffer_t before = read_log(self, &self->people[i].events);
        rules_reset_caches(self->world->rules);
        buffer_t after = read_log(self, &self->people[i].events);
        FUZZ_MUST(dump_equal(&before, &after));
        buffer_free(&before);
        buffer_free(&after);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[PEOPLE] = {"alice", "bob", "carol"};
    fixed_random_start(1);
    play_t *self = mem_zalloc(1, sizeof *self);
    self->world = world_new();
    self->in = reader_of(data, size);
    for (size_t i = 0; i < PEOPLE; i++)
        person_arrive(&self->people[i], self->world, names[i]);
    FUZZ_MUST(room_create(&self->room, &self->people[0], "room", HOLD_DEFAULT_MS) == STATUS_OK);
    room_let_in(&self->room, &self->people[0], &self->people[1]);
    for (unsigned i = 0; i < STEPS_MAX && self->in.left; i++)
        step(self);
    check_end(self);
    for (size_t i = 0; i < PEOPLE; i++)
        person_free(&self->people[i]);
    world_free(self->world);
    free(self);
    return 0;
}
