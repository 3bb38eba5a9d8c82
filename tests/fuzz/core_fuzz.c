/* SPDX-License-Identifier: MPL-2.0 */
/* The member core and the admin core of one process with a broker that answers as it likes:
 * rightly, with fields of its choice, genuine bytes in wrong places, bytes changed, or bare bytes.
 * Whatever comes: what the cores say can be read, neither gives up, what they stored loads again,
 * and a step causes few frames. */
#include "tests/fuzz/core_broker.h"

#include "client/core/mail.h"
#include "proto/commit.h"
#include "proto/statement.h"

enum { STEPS_MAX = 64, FRAMES_PER_STEP_MAX = 256, FRAMES_KEPT_MAX = 128 };

static void keep(play_t *self, seen_t which, bytes_t bytes)
{
    buffer_clear(&self->seen[which]);
    buffer_append(&self->seen[which], bytes.data, bytes.size);
}

static void carol_asks(play_t *self)
{
    secret_t prekey;
    buffer_clear(&self->seen[SEEN_JOIN]);
    identity_make_join_request(self->carol, self->own_group, self->own_start,
                               &self->seen[SEEN_JOIN], &prekey);
    buffer_clear(&self->seen[SEEN_LEAVE]);
    identity_make_leave(self->carol, self->own_group, 1, 2, &self->seen[SEEN_LEAVE]);
}

static void see_create(play_t *self, const create_request_t *create)
{
    uint8_t start[HASH_BYTES];
    memcpy(self->own_group, create->group, GROUP_ID_BYTES);
    keep(self, SEEN_OWN_COMMIT, create->commit);
    keep(self, SEEN_OWN_JOIN, create->request);
    if (create->welcomes.count)
        keep(self, SEEN_OWN_WELCOME, create->welcomes.items[0].sealed);
    transcript_start(start, self->own_group, identity_key(self->room->bob.identity), "mine");
    transcript_extend(self->own_start, start, commit_body(create->commit));
    carol_asks(self);
}

static void see(play_t *self, const message_t *asked)
{
    const commit_request_t *commit = &asked->body.commit_request;
    if (asked->verb == VERB_create)
        see_create(self, &asked->body.create_request);
    if (asked->verb != VERB_commit)
        return;
    keep(self, SEEN_OWN_COMMIT, commit->commit);
    if (commit->welcomes.count)
        keep(self, SEEN_OWN_WELCOME, commit->welcomes.items[0].sealed);
}

static void check_frames(play_t *self, const frames_t *frames)
{
    FUZZ_MUST(frames->count <= FRAMES_PER_STEP_MAX);
    for (size_t i = 0; i < frames->count; i++) {
        bytes_t left = buffer_view(&frames->items[i].bytes);
        FUZZ_MUST(left.size > 0 && left.size <= FRAME_MAX_BYTES);
        while (left.size > 0) {
            message_t message = {0};
            FUZZ_MUST(message_read(&message, &left, 1u << MESSAGE_REQUEST) == STATUS_OK);
            see(self, &message);
            message_wipe(&message);
        }
    }
}

static void check_told(const effects_t *effects)
{
    FUZZ_MUST(effects->screens.count <= FRAMES_PER_STEP_MAX);
    for (size_t i = 0; i < effects->screens.count; i++) {
        local_message_t message = {0};
        FUZZ_MUST(local_message_read(&message, buffer_view(&effects->screens.items[i].bytes),
                                     1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH) == STATUS_OK);
        local_message_wipe(&message);
    }
    FUZZ_MUST(effects->mail.count <= FRAMES_PER_STEP_MAX);
    for (size_t i = 0; i < effects->mail.count; i++) {
        mail_t mail;
        FUZZ_MUST(mail_read(&mail, buffer_view(&effects->mail.items[i].bytes)) == STATUS_OK);
    }
}

/* Checks a step's effects and carries them out. */
static void take(play_t *self, peer_t *peer, effects_t *effects)
{
    if (effects->fatal)
        fprintf(stderr, "fatal: %s\n", effects->fatal_reason);
    FUZZ_MUST(effects->fatal == STATUS_OK);
    check_frames(self, &effects->frames);
    check_told(effects);
    peer_take(peer, effects);
    frames_wipe(&peer->screens);
    while (peer->frames.count > FRAMES_KEPT_MAX)
        frames_remove(&peer->frames, 0);
    while (peer->mail.count > FRAMES_KEPT_MAX)
        frames_remove(&peer->mail, 0);
}

static void hear(play_t *self, peer_t *peer, const buffer_t *frame)
{
    effects_t effects = {0};
    peer->core->ops->frame(peer->core, peer->now, buffer_view(frame), &effects);
    take(self, peer, &effects);
}

/* Answers the oldest open request but `skip`. */
static void step_reply(play_t *self, peer_t *peer, size_t skip, status_t status, bool is_changed)
{
    if (!peer->frames.count)
        return;
    size_t at = skip % peer->frames.count;
    message_t asked = {0}, reply = {0};
    records_t rows = {0};
    bytes_t left = buffer_view(&peer->frames.items[at].bytes);
    FUZZ_MUST(message_read(&asked, &left, 1u << MESSAGE_REQUEST) == STATUS_OK);
    pick_reply(self, asked.verb, &reply, &rows);
    buffer_t frame = {0};
    message_write_reply(&frame, asked.verb, asked.id, status, &reply.body);
    message_wipe(&asked);
    frames_remove(&peer->frames, at);
    if (is_changed)
        change(self, &frame);
    hear(self, peer, &frame);
    buffer_free(&frame);
}

static void step_push(play_t *self, peer_t *peer, bool is_changed)
{
    uint8_t choice = reader_u8(&self->in);
    buffer_t frame = {0};
    event_record_t event = pick_event(self);
    nudge_push_t nudge = {.task = choice >> 4};
    memcpy(nudge.group, event.group, GROUP_ID_BYTES);
    if (choice & 1)
        message_write_push(&frame, VERB_events, 1, &(events_push_t){.events = {&event, 1}});
    if (choice & 2)
        message_write_push(&frame, VERB_nudge, 2, &nudge);
    if (choice & 4)
        message_write_push(&frame, VERB_replaced, 3, &(replaced_push_t){.purpose = choice >> 7});
    if (is_changed)
        change(self, &frame);
    hear(self, peer, &frame);
    buffer_free(&frame);
}

static void step_raw(play_t *self, peer_t *peer)
{
    size_t size = reader_u8(&self->in);
    size = size > self->in.left ? self->in.left : size;
    buffer_t frame = {0};
    buffer_append(&frame, reader_take(&self->in, size), size);
    hear(self, peer, &frame);
    buffer_free(&frame);
}

static void step_link(play_t *self, peer_t *peer, link_event_t event)
{
    static const uint8_t key[KEY_BYTES] = {7};
    effects_t effects = {0};
    peer->core->ops->link(peer->core, peer->now, event, key, &effects);
    take(self, peer, &effects);
}

static void step_time(play_t *self, peer_t *peer)
{
    uint16_t ms = reader_u16(&self->in);
    uint64_t deadline = peer->core->ops->deadline(peer->core);
    uint64_t passed = ms;
    if (!ms && deadline != UINT64_MAX && deadline > peer->now.boot_ms)
        passed = deadline - peer->now.boot_ms;
    peer->now.boot_ms += passed;
    peer->now.wall_ms += passed;
    effects_t effects = {0};
    peer->core->ops->time(peer->core, peer->now, &effects);
    take(self, peer, &effects);
}

/* The mail of the one comes to the other; seldom with bytes changed. */
static void step_mail(play_t *self, peer_t *from, peer_t *to, bool is_changed)
{
    while (from->mail.count) {
        buffer_t *mail = &from->mail.items[0].bytes;
        if (is_changed)
            change(self, mail);
        effects_t effects = {0};
        to->core->ops->mail(to->core, to->now, buffer_view(mail), &effects);
        frames_remove(&from->mail, 0);
        take(self, to, &effects);
    }
}

static void ask(play_t *self, local_verb_t verb, const void *body)
{
    peer_t *bob = &self->room->bob;
    buffer_t frame = {0};
    local_write_request(&frame, verb, 60 + verb, NULL, body);
    effects_t effects = {0};
    bob->core->ops->request(bob->core, bob->now, 1 + verb % 2, buffer_view(&frame), &effects);
    take(self, bob, &effects);
    buffer_free(&frame);
}

/* The requests whose first field is a name have it at the same place; the others ignore it. */
static void step_screen(play_t *self)
{
    local_verb_t verb = reader_u8(&self->in) % LOCAL_VERB_unregister + 1;
    name_t name = pick_name(self);
    if (verb == LOCAL_VERB_send)
        ask(self, verb, &(local_send_request_t){.name = name, .text = text_of("hi")});
    else if (verb == LOCAL_VERB_create)
        ask(self, verb, &(local_create_request_t){.name = name, .hold_ms = HOLD_DEFAULT_MS});
    else if (verb == LOCAL_VERB_history)
        ask(self, verb, &(local_history_request_t){.name = name, .last = pick_number(self)});
    else if (verb == LOCAL_VERB_members)
        ask(self, verb, &(local_members_request_t){.name = name, .first_leaf = pick_number(self)});
    else if (verb == LOCAL_VERB_join || verb == LOCAL_VERB_leave || verb == LOCAL_VERB_pending)
        ask(self, verb, &(local_join_request_t){.name = name});
    else if (verb == LOCAL_VERB_ignore)
        ask(self, verb, &(local_ignore_request_t){.name = name, .on = 1});
    else
        ask(self, verb, NULL);
}

static void begin(play_t *self, peer_t *peer)
{
    core_config_t config = {.poll_period_ms = 1000, .call_deadline_ms = 5000};
    FUZZ_MUST(peer->make(&peer->core, &config, peer->identity, peer->vault) == STATUS_OK);
    effects_t effects = {0};
    peer->core->ops->start(peer->core, peer->now, &effects);
    take(self, peer, &effects);
    step_link(self, peer, LINK_UP);
    step_link(self, peer, LINK_CONNECTED);
}

static void restart(play_t *self, peer_t *peer)
{
    peer_stop(peer);
    begin(self, peer);
}

static void step(play_t *self)
{
    uint8_t choice = reader_u8(&self->in);
    peer_t *sides[] = {&self->room->bob, &self->admin};
    peer_t *peer = sides[choice >> 6 & 1], *other = sides[!(choice >> 6 & 1)];
    bool is_changed = choice >> 7;
    switch (choice & 15) {
    case 0:
        step_push(self, peer, is_changed);
        break;
    case 1:
        step_raw(self, peer);
        break;
    case 2:
        step_link(self, peer, choice >> 4 & 3);
        break;
    case 3:
        step_time(self, peer);
        break;
    case 4:
        step_mail(self, peer, other, is_changed);
        break;
    case 5:
    case 6:
        step_screen(self);
        break;
    case 7:
        restart(self, peer);
        break;
    case 8:
        step_reply(self, peer, choice >> 4 & 3, status_from_wire(reader_u8(&self->in)), is_changed);
        break;
    default:
        step_reply(self, peer, choice >> 4 & 3, STATUS_OK, is_changed);
    }
}

/* With nothing left to read, the broker's answers are empty ones. */
static void settle(play_t *self)
{
    peer_t *bob = &self->room->bob;
    for (unsigned i = 0; i < 8; i++) {
        step_mail(self, bob, &self->admin, false);
        step_mail(self, &self->admin, bob, false);
        step_reply(self, bob, 0, STATUS_OK, false);
        step_reply(self, &self->admin, 0, STATUS_OK, false);
    }
}

static void arrive(play_t *self)
{
    void *room = NULL;
    set_up(&room);
    self->room = room;
    self->carol = peer_identity("carol");
    self->admin = (peer_t){.make = admin_core_new, .now = self->room->bob.now};
    self->admin.identity = self->room->bob.identity;
    self->admin.vault = vault_memory_new();
    keep(self, SEEN_COMMIT, buffer_view(&self->room->last_commit));
    keep(self, SEEN_WELCOME, buffer_view(&self->room->welcome));
    begin(self, &self->admin);
    settle(self);
    name_t name;
    FUZZ_MUST(name_parse(&name, "mine") == STATUS_OK);
    ask(self, LOCAL_VERB_create,
        &(local_create_request_t){.name = name, .hold_ms = HOLD_DEFAULT_MS});
    settle(self);
}

static void depart(play_t *self)
{
    void *room = self->room;
    self->admin.identity = NULL;
    peer_wipe(&self->admin);
    tear_down(&room);
    identity_destroy(&self->carol);
    for (size_t i = 0; i < SEEN_COUNT; i++)
        buffer_free(&self->seen[i]);
    for (size_t i = 0; i < 4; i++)
        buffer_free(&self->scratch[i]);
    free(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fixed_random_start(1);
    play_t *self = mem_zalloc(1, sizeof *self);
    arrive(self);
    self->in = reader_of(data, size);
    for (unsigned i = 0; i < STEPS_MAX && self->in.left; i++)
        step(self);
    restart(self, &self->room->bob);
    restart(self, &self->admin);
    depart(self);
    return 0;
}
