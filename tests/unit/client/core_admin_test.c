/* SPDX-License-Identifier: MPL-2.0 */
/* The admin core: one signed commit an epoch, whatever crashes, and only what it has verified
 * itself. */
#include "tests/unit/client/core_peer.h"

#include <sodium.h>

#include "client/core/mail.h"
#include "client/keys/holder.h"
#include "proto/commit.h"
#include "proto/requests.h"
#include "proto/statement.h"

typedef struct {
    peer_t ada;
    identity_t *bob;
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    buffer_t create, commit; /* as last asked */
    uint64_t create_id, commit_id;
} room_t;

static void mail_in(peer_t *peer, const mail_t *mail)
{
    buffer_t bytes = {0};
    mail_write(mail, &bytes);
    effects_t effects = {0};
    peer->core->ops->mail(peer->core, peer->now, buffer_view(&bytes), &effects);
    peer_take(peer, &effects);
    buffer_free(&bytes);
}

/* The status of the oldest mail of that kind, which is taken out; INVALID if there is none. */
static status_t mail_out(peer_t *peer, mail_kind_t kind)
{
    for (size_t i = 0; i < peer->mail.count; i++) {
        mail_t mail;
        assert_int_equal(mail_read(&mail, buffer_view(&peer->mail.items[i].bytes)), STATUS_OK);
        if (mail.kind == kind) {
            frames_remove(&peer->mail, i);
            return mail.status;
        }
    }
    return STATUS_INVALID;
}

/* The commit's bytes of the open create or commit request. Returns its id, 0 if there is none. */
static uint64_t asked_commit(room_t *self, verb_t verb, buffer_t *out)
{
    message_t asked;
    buffer_t frame;
    uint64_t id = peer_asked(&self->ada, verb, &asked, &frame);
    if (!id)
        return 0;
    bytes_t commit =
        verb == VERB_create ? asked.body.create_request.commit : asked.body.commit_request.commit;
    buffer_clear(out);
    buffer_append(out, commit.data, commit.size);
    message_wipe(&asked);
    buffer_free(&frame);
    return id;
}

static void restart(room_t *self)
{
    peer_stop(&self->ada);
    peer_start(&self->ada);
    peer_login(&self->ada);
}

static void round_of(room_t *self, const pending_join_record_t *join,
                     const pending_leave_record_t *leave)
{
    poll_joins_reply_t joins = {0};
    poll_leaves_reply_t leaves = {0};
    pending_join_record_t one_join = {0};
    pending_leave_record_t one_leave = {0};
    if (join) {
        one_join = *join;
        joins.joins.items = &one_join;
        joins.joins.count = 1;
    }
    if (leave) {
        one_leave = *leave;
        leaves.leaves.items = &one_leave;
        leaves.leaves.count = 1;
    }
    peer_answer(&self->ada, VERB_poll_leaves, STATUS_OK, &leaves);
    peer_answer(&self->ada, VERB_poll_joins, STATUS_OK, &joins);
}

static int set_up(void **state)
{
    room_t *self = mem_zalloc(1, sizeof *self);
    *state = self;
    self->ada = (peer_t){.make = admin_core_new, .now = {1700000000000u, 1000}};
    self->ada.identity = peer_identity("ada");
    self->ada.vault = vault_memory_new();
    self->bob = peer_identity("bob");
    memset(self->group, 4, sizeof self->group);
    assert_int_equal(name_parse(&self->name, "room"), STATUS_OK);
    peer_start(&self->ada);
    peer_login(&self->ada);
    uint8_t transcript[HASH_BYTES];
    transcript_start(transcript, self->group, identity_key(self->ada.identity), "room");
    buffer_t request = {0};
    secret_t prekey;
    identity_make_join_request(self->ada.identity, self->group, transcript, &request, &prekey);
    mail_t mail = {.kind = MAIL_CREATE,
                   .name = self->name,
                   .number = HOLD_DEFAULT_MS,
                   .bytes = buffer_view(&request)};
    memcpy(mail.group, self->group, GROUP_ID_BYTES);
    mail_in(&self->ada, &mail);
    buffer_free(&request);
    self->create_id = asked_commit(self, VERB_create, &self->create);
    assert_int_not_equal(self->create_id, 0);
    return 0;
}

static int tear_down(void **state)
{
    room_t *self = *state;
    peer_wipe(&self->ada);
    identity_destroy(&self->bob);
    buffer_free(&self->create);
    buffer_free(&self->commit);
    free(self);
    return 0;
}

static void created(room_t *self)
{
    peer_reply(&self->ada, VERB_create, self->create_id, STATUS_OK,
               &(create_reply_t){.sequence = 1});
    assert_int_equal(mail_out(&self->ada, MAIL_CREATED), STATUS_OK);
}

/* T_1, from the first commit's body. */
static void bob_asks(room_t *self, buffer_t *request, pending_join_record_t *out)
{
    uint8_t start[HASH_BYTES], transcript[HASH_BYTES];
    transcript_start(start, self->group, identity_key(self->ada.identity), "room");
    transcript_extend(transcript, start, commit_body(buffer_view(&self->create)));
    secret_t prekey;
    identity_make_join_request(self->bob, self->group, transcript, request, &prekey);
    *out =
        (pending_join_record_t){.name = *identity_name(self->bob), .request = buffer_view(request)};
    memcpy(out->group, self->group, GROUP_ID_BYTES);
}

/* The group is there, bob asked, and the commit that adds him waits for its answer. */
static void commit_sent(room_t *self)
{
    created(self);
    buffer_t request = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    round_of(self, &join, NULL);
    self->commit_id = asked_commit(self, VERB_commit, &self->commit);
    buffer_free(&request);
}

static void test_create_survives_a_crash_with_the_same_bytes(void **state)
{
    room_t *self = *state;
    buffer_t again = {0};
    restart(self);
    self->create_id = asked_commit(self, VERB_create, &again);
    assert_int_equal(again.size, self->create.size);
    assert_memory_equal(again.data, self->create.data, again.size);
    buffer_free(&again);
    created(self);
    restart(self);
    assert_int_equal(peer_asked(&self->ada, VERB_create, NULL, NULL), 0);
}

static void test_taken_name_is_forgotten(void **state)
{
    room_t *self = *state;
    peer_reply(&self->ada, VERB_create, self->create_id, STATUS_GROUP_TAKEN, NULL);
    assert_int_equal(mail_out(&self->ada, MAIL_CREATED), STATUS_GROUP_TAKEN);
    assert_int_equal(vault_memory_count(self->ada.vault), 1); /* the format row */
}

static void test_one_commit_an_epoch_until_it_is_answered(void **state)
{
    room_t *self = *state;
    created(self);
    buffer_t request = {0}, again = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    round_of(self, &join, NULL);
    self->commit_id = asked_commit(self, VERB_commit, &self->commit);
    assert_int_not_equal(self->commit_id, 0);
    peer_time(&self->ada, 1000);
    round_of(self, &join, NULL); /* still waiting at the broker: nothing new is signed */
    assert_int_equal(peer_asked(&self->ada, VERB_commit, NULL, NULL), 0);
    restart(self);
    self->commit_id = asked_commit(self, VERB_commit, &again);
    assert_int_equal(again.size, self->commit.size);
    assert_memory_equal(again.data, self->commit.data, again.size);
    peer_reply(&self->ada, VERB_commit, self->commit_id, STATUS_OK,
               &(commit_reply_t){.sequence = 2});
    assert_int_equal(mail_out(&self->ada, MAIL_SERVED), STATUS_OK);
    round_of(self, &join, NULL); /* a request is served once */
    assert_int_equal(peer_asked(&self->ada, VERB_commit, NULL, NULL), 0);
    buffer_free(&request);
    buffer_free(&again);
}

static void test_lost_ack_is_found_in_the_winner(void **state)
{
    room_t *self = *state;
    commit_sent(self);
    peer_reply(&self->ada, VERB_commit, self->commit_id, STATUS_STALE_EPOCH,
               &(commit_reply_t){.winner = buffer_view(&self->commit)});
    assert_int_equal(mail_out(&self->ada, MAIL_SERVED), STATUS_OK);
}

static void test_another_winner_is_a_fork(void **state)
{
    room_t *self = *state;
    commit_sent(self);
    peer_reply(&self->ada, VERB_commit, self->commit_id, STATUS_STALE_EPOCH,
               &(commit_reply_t){.winner = buffer_view(&self->create)});
    assert_int_equal(mail_out(&self->ada, MAIL_ALARM), STATUS_FORK);
}

static void test_what_does_not_verify_is_not_served(void **state)
{
    room_t *self = *state;
    created(self);
    buffer_t request = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    request.data[request.size - 1] ^= 1;
    round_of(self, &join, NULL);
    assert_int_equal(peer_asked(&self->ada, VERB_commit, NULL, NULL), 0);
    buffer_t statement = {0};
    identity_make_leave(self->bob, self->group, 0, 1, &statement); /* ada's leaf, bob's signature */
    pending_leave_record_t leave = {.name = *identity_name(self->bob),
                                    .statement = buffer_view(&statement)};
    memcpy(leave.group, self->group, GROUP_ID_BYTES);
    peer_time(&self->ada, 1000);
    round_of(self, NULL, &leave);
    assert_int_equal(peer_asked(&self->ada, VERB_commit, NULL, NULL), 0);
    buffer_free(&statement);
    buffer_free(&request);
}

/* Bob is in; somebody else, the broker even, says that he left. */
static void test_only_who_leaves_can_say_so(void **state)
{
    room_t *self = *state;
    commit_sent(self);
    peer_reply(&self->ada, VERB_commit, self->commit_id, STATUS_OK,
               &(commit_reply_t){.sequence = 2});
    assert_int_equal(mail_out(&self->ada, MAIL_SERVED), STATUS_OK);
    const identity_t *signers[] = {self->ada.identity, self->bob};
    for (size_t i = 0; i < 2; i++) {
        buffer_t statement = {0};
        identity_make_leave(signers[i], self->group, 1, 2, &statement);
        pending_leave_record_t leave = {.name = *identity_name(self->bob),
                                        .statement = buffer_view(&statement)};
        memcpy(leave.group, self->group, GROUP_ID_BYTES);
        peer_time(&self->ada, 1000);
        round_of(self, NULL, &leave);
        bool is_served = peer_asked(&self->ada, VERB_commit, NULL, NULL) != 0;
        assert_int_equal(is_served, signers[i] == self->bob);
        buffer_free(&statement);
    }
}

/* As round_of, with several joins. */
static void round_of_joins(room_t *self, pending_join_record_t *joins, size_t count)
{
    peer_answer(&self->ada, VERB_poll_leaves, STATUS_OK, &(poll_leaves_reply_t){0});
    peer_answer(&self->ada, VERB_poll_joins, STATUS_OK,
                &(poll_joins_reply_t){.joins = {joins, count}});
}

/* A request with a prekey that nothing can be sealed to, then bob's, then bob's once more. */
static void test_a_bad_request_stops_no_other(void **state)
{
    room_t *self = *state;
    created(self);
    buffer_t good = {0}, bad = {0}, again = {0};
    pending_join_record_t joins[3];
    bob_asks(self, &good, &joins[1]);
    bob_asks(self, &again, &joins[2]);
    identity_t *eve = peer_identity("eve");
    join_t parsed;
    assert_int_equal(join_request_parse(&parsed, buffer_view(&good)), STATUS_OK);
    buffer_append(&bad, good.data, good.size);
    uint8_t *prekey = memmem(bad.data, bad.size, parsed.prekey, KEY_BYTES);
    assert_non_null(prekey);
    memset(prekey, 0, KEY_BYTES);
    joins[0] = joins[1];
    joins[0].name = *identity_name(eve);
    joins[0].request = buffer_view(&bad);
    round_of_joins(self, joins, 3);
    assert_int_not_equal(asked_commit(self, VERB_commit, &self->commit), 0);
    commit_t commit;
    assert_int_equal(commit_parse(&commit, buffer_view(&self->commit)), STATUS_OK);
    assert_int_equal(commit.add_count, 1);
    assert_true(name_equal(&commit.adds[0].name, identity_name(self->bob)));
    commit_wipe(&commit);
    identity_destroy(&eve);
    buffer_free(&good);
    buffer_free(&bad);
    buffer_free(&again);
}

/* Asked what waits, the core names one thing. */
static void expect_waiting(room_t *self, uint64_t task, const identity_t *who)
{
    mail_t question = {.kind = MAIL_PENDING, .number = 7};
    memcpy(question.group, self->group, GROUP_ID_BYTES);
    mail_in(&self->ada, &question);
    bool is_told = false;
    for (size_t i = 0; i < self->ada.mail.count; i++) {
        mail_t mail;
        assert_int_equal(mail_read(&mail, buffer_view(&self->ada.mail.items[i].bytes)), STATUS_OK);
        if (mail.kind != MAIL_WAITING)
            continue;
        assert_int_equal(mail.number, 7);
        reader_t in = reader_of(mail.bytes.data, mail.bytes.size);
        mail_waiting_t entry;
        assert_true(mail_waiting_read(&entry, &in));
        assert_string_equal(entry.name.text, identity_name(who)->text);
        assert_int_equal(entry.task, task);
        assert_memory_equal(entry.identity_key, identity_key(who), KEY_BYTES);
        assert_false(mail_waiting_read(&entry, &in));
        is_told = true;
    }
    assert_true(is_told);
}

/* By the name that the request is signed for, whatever the broker calls it. */
static void test_who_waits_is_told_by_the_requests_name(void **state)
{
    room_t *self = *state;
    created(self);
    buffer_t request = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    assert_int_equal(name_parse(&join.name, "carol"), STATUS_OK);
    round_of_joins(self, &join, 1);
    expect_waiting(self, TASK_JOINS, self->bob);
    buffer_free(&request);
}

/* Who leaves is whoever holds the leaf. */
static void test_a_leave_that_waits_is_told_by_its_leaf(void **state)
{
    room_t *self = *state;
    created(self);
    buffer_t statement = {0};
    identity_make_leave(self->bob, self->group, 0, 1, &statement); /* ada's leaf */
    pending_leave_record_t leave = {.name = *identity_name(self->bob),
                                    .statement = buffer_view(&statement)};
    memcpy(leave.group, self->group, GROUP_ID_BYTES);
    round_of(self, NULL, &leave);
    expect_waiting(self, TASK_LEAVES, self->ada.identity);
    buffer_free(&statement);
}

static void test_rubbish_from_the_other_core_is_ignored(void **state)
{
    room_t *self = *state;
    created(self);
    static const uint8_t rubbish[] = {0xff, 1, 2};
    effects_t effects = {0};
    self->ada.core->ops->mail(self->ada.core, self->ada.now, (bytes_t){rubbish, sizeof rubbish},
                              &effects);
    peer_take(&self->ada, &effects);
    mail_in(&self->ada, &(mail_t){.kind = MAIL_CREATED}); /* not for an admin */
    assert_int_equal(mail_out(&self->ada, MAIL_ALARM), STATUS_INVALID);
    assert_int_equal(self->ada.fatal, STATUS_OK);
    buffer_t request = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    round_of(self, &join, NULL);
    assert_int_not_equal(asked_commit(self, VERB_commit, &self->commit), 0);
    buffer_free(&request);
}

/* Only the member side, which verifies what it is told, makes the tree go. */
static void test_a_refusal_does_not_erase_the_tree(void **state)
{
    room_t *self = *state;
    created(self);
    static const status_t refusals[] = {STATUS_NOT_ADMIN, STATUS_NOT_MEMBER, STATUS_UNKNOWN_GROUP};
    buffer_t request = {0}, first = {0};
    pending_join_record_t join;
    bob_asks(self, &request, &join);
    round_of(self, &join, NULL);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        uint64_t id = asked_commit(self, VERB_commit, &self->commit);
        assert_int_not_equal(id, 0);
        if (!i)
            buffer_append(&first, self->commit.data, self->commit.size);
        assert_int_equal(first.size, self->commit.size);
        assert_memory_equal(first.data, self->commit.data, first.size);
        peer_reply(&self->ada, VERB_commit, id, refusals[i], NULL);
        assert_int_equal(mail_out(&self->ada, MAIL_ALARM), refusals[i]);
        restart(self);
    }
    buffer_free(&first);
    buffer_free(&request);
}

static void test_pass_ends_when_both_polls_did(void **state)
{
    room_t *self = *state;
    created(self);
    mail_in(&self->ada, &(mail_t){.kind = MAIL_PASS, .number = 5});
    assert_int_equal(mail_out(&self->ada, MAIL_PASSED), STATUS_INVALID);
    round_of(self, NULL, NULL); /* this one began before it was asked for */
    assert_int_equal(mail_out(&self->ada, MAIL_PASSED), STATUS_INVALID);
    round_of(self, NULL, NULL);
    assert_int_equal(mail_out(&self->ada, MAIL_PASSED), STATUS_OK);
}

#define ROOM_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_create_survives_a_crash_with_the_same_bytes),
        ROOM_TEST(test_taken_name_is_forgotten),
        ROOM_TEST(test_one_commit_an_epoch_until_it_is_answered),
        ROOM_TEST(test_lost_ack_is_found_in_the_winner),
        ROOM_TEST(test_another_winner_is_a_fork),
        ROOM_TEST(test_what_does_not_verify_is_not_served),
        ROOM_TEST(test_only_who_leaves_can_say_so),
        ROOM_TEST(test_a_bad_request_stops_no_other),
        ROOM_TEST(test_who_waits_is_told_by_the_requests_name),
        ROOM_TEST(test_a_leave_that_waits_is_told_by_its_leaf),
        ROOM_TEST(test_rubbish_from_the_other_core_is_ignored),
        ROOM_TEST(test_a_refusal_does_not_erase_the_tree),
        ROOM_TEST(test_pass_ends_when_both_polls_did),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
