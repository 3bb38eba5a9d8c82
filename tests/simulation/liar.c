/* SPDX-License-Identifier: MPL-2.0 */
/* The lies: in two of six seeds in single messages, one per message at most, in one in what it
 * made together with a member; else a log with other numbers for some, or a store that is set back.
 */
#include "tests/simulation/liar.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"
#include "proto/message.h"
#include "tests/simulation/forge.h"
#include "tests/simulation/renumber.h"
#include "tests/simulation/restored.h"

#define KEPT_MAX 64

typedef enum {
    ALTERS_FRAMES,
    ALTERS_FRAMES_TOO,
    RENUMBERS,
    SETS_BACK,
    FORGES,
    RESTORES,
    MANNERS
} manner_t;

/* Something handed out before, to be told again. */
typedef struct {
    verb_t verb;
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint64_t sequence;
    buffer_t bytes;
} kept_t;

struct liar {
    world_t *world;
    chance_t chance;
    unsigned per_10000; /* of a message that can be lied about */
    kept_t kept[KEPT_MAX];
    size_t kept_count;
    buffer_t altered; /* bytes that the message under way points to */
    manner_t manner;
    renumber_t renumber;
    size_t remembers_at, sets_back_at; /* deeds */
    restored_t restored;
};

static uint64_t draw(liar_t *self, uint64_t bound)
{
    return chance_below(&self->chance, bound);
}

static void keep(liar_t *self, verb_t verb, const uint8_t *group, const name_t *name,
                 uint64_t sequence, bytes_t bytes)
{
    kept_t *kept =
        &self->kept[self->kept_count < KEPT_MAX ? self->kept_count++ : draw(self, KEPT_MAX)];
    buffer_free(&kept->bytes);
    *kept = (kept_t){.verb = verb, .name = *name, .sequence = sequence};
    memcpy(kept->group, group, GROUP_ID_BYTES);
    buffer_append(&kept->bytes, bytes.data, bytes.size);
}

static const kept_t *recall(liar_t *self, verb_t verb)
{
    for (size_t tries = 0; self->kept_count && tries < 8; tries++) {
        const kept_t *kept = &self->kept[draw(self, self->kept_count)];
        if (kept->verb == verb)
            return kept;
    }
    return NULL;
}

static bytes_t flip(liar_t *self, bytes_t bytes)
{
    if (!bytes.size)
        return bytes;
    buffer_clear(&self->altered);
    buffer_append(&self->altered, bytes.data, bytes.size);
    self->altered.data[draw(self, bytes.size)] ^= (uint8_t)(1u << draw(self, 8));
    return buffer_view(&self->altered);
}

/* An older event of the group in this one's place. */
static bool replay(liar_t *self, event_record_t *event)
{
    for (size_t tries = 0; self->world->recorded_count && tries < 8; tries++) {
        const recorded_t *old = &self->world->recorded[draw(self, self->world->recorded_count)];
        if (old->sequence >= event->sequence || memcmp(old->group, event->group, GROUP_ID_BYTES))
            continue;
        event->kind = old->kind;
        event->payload = buffer_view(&old->payload);
        return true;
    }
    return false;
}

static bool tells(liar_t *self, lie_t lie)
{
    self->world->tally.lies[lie]++;
    return true;
}

/* A leave and its leaver's words before it, if there are such. */
static size_t last_words(const event_record_t *events, size_t at, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (events[i + 1].kind == EVENT_LEAVE && events[i].kind == EVENT_MESSAGE &&
            name_equal(&events[i].sender, &events[i + 1].sender))
            return i;
    return at;
}

static bool swap_with_next(event_record_t *events, size_t at, size_t count)
{
    at = last_words(events, at, count);
    if (at + 1 == count)
        return false;
    event_record_t first = events[at], second = events[at + 1];
    events[at].kind = second.kind;
    events[at].sender = second.sender;
    events[at].payload = second.payload;
    events[at + 1].kind = first.kind;
    events[at + 1].sender = first.sender;
    events[at + 1].payload = first.payload;
    return true;
}

/* In the place of all that would come next for the client. */
static bool forge_event(liar_t *self, size_t client, event_record_t **events, size_t *count)
{
    static event_record_t event;
    bool is_commit = draw(self, 2);
    event = (event_record_t){.kind = is_commit ? EVENT_COMMIT : EVENT_MESSAGE};
    buffer_clear(&self->altered);
    if (!forge_place(self->world, &self->chance, client, event.group, &event.sequence))
        return false;
    bool is_made = is_commit ? forge_commit(self->world, &self->chance, client, event.group,
                                            &event.sender, &self->altered)
                             : forge_message(self->world, &self->chance, client, event.group,
                                             &event.sender, &self->altered);
    if (!is_made)
        return false;
    event.payload = buffer_view(&self->altered);
    *events = &event;
    *count = 1;
    return tells(self, is_commit ? LIE_forge_commit : LIE_forge_message);
}

/* Another one who leaves, by a word that isn't its own. */
static bool forge_pending(liar_t *self, size_t client, poll_leaves_reply_t *body)
{
    static pending_leave_record_t leave;
    leave = (pending_leave_record_t){0};
    buffer_clear(&self->altered);
    if (!forge_place(self->world, &self->chance, client, leave.group, &leave.sequence) ||
        !forge_leave(self->world, &self->chance, leave.group, &leave.name, &self->altered))
        return false;
    leave.statement = buffer_view(&self->altered);
    body->leaves.items = &leave;
    body->leaves.count = 1;
    return tells(self, LIE_forge_leave);
}

static bool forge(liar_t *self, size_t client, message_t *message)
{
    bool is_push = message->kind == MESSAGE_PUSH;
    events_push_t *push = &message->body.events_push;
    poll_messages_reply_t *poll = &message->body.poll_messages_reply;
    if (is_push && message->verb == VERB_events)
        return forge_event(self, client, &push->events.items, &push->events.count);
    if (is_push || message->status)
        return false;
    if (message->verb == VERB_poll_messages)
        return forge_event(self, client, &poll->events.items, &poll->events.count);
    return message->verb == VERB_poll_leaves &&
           forge_pending(self, client, &message->body.poll_leaves_reply);
}

static bool lie_about_events(liar_t *self, event_record_t *events, size_t *count)
{
    if (!*count)
        return false;
    size_t at = draw(self, *count);
    switch (draw(self, 6)) {
    case 0:
        memmove(&events[at], &events[at + 1], (*count - at - 1) * sizeof *events);
        --*count;
        return tells(self, LIE_hide_event);
    case 1:
        events[at].sender = self->world->nodes[draw(self, self->world->options.clients)].name;
        return tells(self, LIE_other_sender);
    case 2:
        events[at].payload = flip(self, events[at].payload);
        return tells(self, LIE_flip_event);
    case 3:
        *count = at;
        return tells(self, LIE_older_log);
    case 4:
        return swap_with_next(events, at, *count) && tells(self, LIE_swap_events);
    default:
        return replay(self, &events[at]) && tells(self, LIE_replay_event);
    }
}

static bool lie_about_states(liar_t *self, group_state_record_t *states, size_t count)
{
    if (!count)
        return false;
    group_state_record_t *state = &states[draw(self, count)];
    state->head -= draw(self, state->head + 1);
    state->epoch -= draw(self, state->epoch + 1);
    return tells(self, LIE_older_state);
}

static bool lie_about_keys(liar_t *self, poll_keys_reply_t *body)
{
    for (size_t i = 0; i < body->keys.count; i++)
        keep(self, VERB_poll_keys, body->keys.items[i].group, &body->keys.items[i].group_name,
             body->keys.items[i].commit_sequence, body->keys.items[i].sealed);
    const kept_t *kept = recall(self, VERB_poll_keys);
    if (!body->keys.count || !kept)
        return false;
    pending_key_record_t *key = &body->keys.items[draw(self, body->keys.count)];
    if (draw(self, 3)) {
        key->sealed = draw(self, 2) ? flip(self, key->sealed) : buffer_view(&kept->bytes);
        return tells(self, LIE_welcome);
    }
    memcpy(key->group, kept->group, GROUP_ID_BYTES);
    key->group_name = kept->name;
    key->commit_sequence = kept->sequence;
    key->sealed = buffer_view(&kept->bytes);
    return tells(self, LIE_welcome);
}

static bool lie_about_joins(liar_t *self, poll_joins_reply_t *body)
{
    for (size_t i = 0; i < body->joins.count; i++)
        keep(self, VERB_poll_joins, body->joins.items[i].group, &body->joins.items[i].name, 0,
             body->joins.items[i].request);
    const kept_t *kept = recall(self, VERB_poll_joins);
    if (!body->joins.count || !kept)
        return false;
    pending_join_record_t *join = &body->joins.items[draw(self, body->joins.count)];
    if (draw(self, 2)) {
        join->name = self->world->nodes[draw(self, self->world->options.clients)].name;
    } else {
        memcpy(join->group, kept->group, GROUP_ID_BYTES);
        join->name = kept->name;
    }
    join->request = draw(self, 4) ? buffer_view(&kept->bytes) : flip(self, join->request);
    return tells(self, LIE_join);
}

static bool lie_about_leaves(liar_t *self, poll_leaves_reply_t *body)
{
    for (size_t i = 0; i < body->leaves.count; i++)
        keep(self, VERB_poll_leaves, body->leaves.items[i].group, &body->leaves.items[i].name,
             body->leaves.items[i].sequence, body->leaves.items[i].statement);
    const kept_t *kept = recall(self, VERB_poll_leaves);
    static pending_leave_record_t one;
    if (!kept)
        return false;
    if (!body->leaves.count) {
        body->leaves.items = &one;
        body->leaves.count = 1;
    }
    pending_leave_record_t *leave = &body->leaves.items[draw(self, body->leaves.count)];
    *leave = (pending_leave_record_t){
        .name = kept->name, .sequence = kept->sequence, .statement = buffer_view(&kept->bytes)};
    memcpy(leave->group, kept->group, GROUP_ID_BYTES);
    return tells(self, LIE_leave);
}

/* Somebody else at this leaf, or as an admin, or from another day. */
static bool lie_about_entries(liar_t *self, roster_entry_record_t *entries, size_t *count)
{
    if (!*count)
        return false;
    roster_entry_record_t *entry = &entries[draw(self, *count)];
    const node_t *other = &self->world->nodes[draw(self, self->world->options.clients)];
    switch (draw(self, 5)) {
    case 0:
        entry->name = other->name;
        break;
    case 1:
        memcpy(entry->identity_key, identity_key(other->identity), KEY_BYTES);
        entry->name = other->name;
        break;
    case 2:
        entry->role = !entry->role;
        break;
    case 3:
        entry->epoch_added++;
        return true;
    default:
        --*count; /* not among them */
    }
    return tells(self, LIE_roster);
}

static bool lie_about(liar_t *self, message_t *message)
{
    bool is_push = message->kind == MESSAGE_PUSH;
    if (is_push && message->verb == VERB_events)
        return lie_about_events(self, message->body.events_push.events.items,
                                &message->body.events_push.events.count);
    if (is_push || message->status)
        return false;
    switch (message->verb) {
    case VERB_poll_messages: {
        poll_messages_reply_t *body = &message->body.poll_messages_reply;
        return draw(self, 8) ? lie_about_events(self, body->events.items, &body->events.count)
                             : lie_about_states(self, body->states.items, body->states.count);
    }
    case VERB_poll_keys:
        return lie_about_keys(self, &message->body.poll_keys_reply);
    case VERB_poll_joins:
        return lie_about_joins(self, &message->body.poll_joins_reply);
    case VERB_poll_leaves:
        return lie_about_leaves(self, &message->body.poll_leaves_reply);
    case VERB_roster:
        return lie_about_entries(self, message->body.roster_reply.entries.items,
                                 &message->body.roster_reply.entries.count);
    case VERB_roster_proof:
        return lie_about_entries(self, message->body.roster_proof_reply.entries.items,
                                 &message->body.roster_proof_reply.entries.count);
    default:
        return false;
    }
}

/* The whole frame anew, since a message can't be replaced in its place. */
static bool lie(void *context, size_t client, bytes_t frame, buffer_t *out)
{
    liar_t *self = context;
    bool has_lied = false;
    for (;;) {
        message_t message = {0};
        status_t status = message_read(&message, &frame, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH);
        if (!status && chance_hits(&self->chance, self->per_10000))
            has_lied = (self->manner == FORGES ? forge(self, client, &message)
                                               : lie_about(self, &message)) ||
                       has_lied;
        if (!status && message.kind == MESSAGE_PUSH)
            message_write_push(out, message.verb, message.id, &message.body);
        else if (!status)
            message_write_reply(out, message.verb, message.id, message.status, &message.body);
        message_wipe(&message);
        if (status)
            return has_lied;
    }
}

static bool renumber(void *context, size_t client, bytes_t frame, buffer_t *out)
{
    liar_t *self = context;
    return renumber_tell(&self->renumber, client, frame, out);
}

static bool number_back(void *context, size_t client, bytes_t frame, buffer_t *out)
{
    liar_t *self = context;
    return renumber_hear(&self->renumber, client, frame, out);
}

liar_t *liar_new(world_t *world, size_t deeds)
{
    liar_t *self = mem_zalloc(1, sizeof *self);
    self->world = world;
    self->chance.state = world->options.seed ^ 0x11a7;
    static const unsigned rates[] = {300, 1500, 4000};
    self->per_10000 = rates[draw(self, 3)];
    self->manner = (manner_t)(world->options.seed / LIARS_EVERY % MANNERS);
    if (self->manner == FORGES)
        self->per_10000 = 5000;
    world->lie_context = self;
    if (self->manner == RENUMBERS) {
        renumber_init(&self->renumber, world, world->options.seed);
        world->lie = renumber;
        world->hear = number_back;
    } else if (self->manner == SETS_BACK || self->manner == RESTORES) {
        self->remembers_at = draw(self, deeds);
        self->sets_back_at = self->remembers_at + 1 + draw(self, deeds - self->remembers_at);
    } else {
        world->lie = lie;
    }
    return self;
}

void liar_before(liar_t *self, size_t deed)
{
    if (self->manner != SETS_BACK && self->manner != RESTORES)
        return;
    if (deed == self->remembers_at)
        world_broker_remember(self->world);
    if (deed != self->sets_back_at)
        return;
    world_broker_roll_back(self->world, self->manner == RESTORES);
    (void)tells(self, self->manner == RESTORES ? LIE_restore : LIE_roll_back);
    if (self->manner == RESTORES)
        restored_note(&self->restored, self->world);
}

void liar_stop(liar_t *self)
{
    if (self->manner == RENUMBERS)
        renumber_stop(&self->renumber);
    else
        self->world->lie = NULL;
}

void liar_check(const liar_t *self, play_t *play, lineage_t *lineage)
{
    check_lied(play, lineage);
    if (!play->world->failure[0])
        restored_check(play, &self->restored);
}

void liar_destroy(liar_t **pointer)
{
    liar_t *self = *pointer;
    if (!self)
        return;
    self->world->lie = self->world->hear = NULL;
    for (size_t i = 0; i < self->kept_count; i++)
        buffer_free(&self->kept[i].bytes);
    buffer_free(&self->altered);
    renumber_free(&self->renumber);
    restored_free(&self->restored);
    free(self);
    *pointer = NULL;
}
