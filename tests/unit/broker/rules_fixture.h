/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's rules on a store in memory, and people who talk to them with rightly signed
 * requests. */
#ifndef CONCLAVE_TESTS_UNIT_BROKER_RULES_FIXTURE_H
#define CONCLAVE_TESTS_UNIT_BROKER_RULES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/rules/rules.h"
#include "broker/store/store_memory.h"
#include "proto/commit.h"
#include "proto/memory.h"
#include "proto/message.h"
#include "proto/requests.h"
#include "proto/roster.h"
#include "proto/sealed_message.h"
#include "proto/statement.h"

/* --- A broker whose clock stands still between turns ------------------------------------------ */

typedef struct {
    store_t *store;
    rules_t *rules;
    rules_config_t config;
    uint8_t broker_key[KEY_BYTES];
    uint64_t now_ms;
    uint64_t mono_ms;
    uint32_t next_routing_id;
    bool tick_each_turn;
    status_t last_outcome;
} world_t;

static inline void world_restart(world_t *self)
{
    rules_destroy(&self->rules);
    self->rules = rules_new(self->store, &self->config);
    assert_int_equal(rules_open(self->rules), STATUS_OK);
}

static inline world_t *world_new(void)
{
    world_t *self = mem_zalloc(1, sizeof *self);
    assert_true(sodium_init() >= 0);
    self->store = store_memory_new();
    randombytes_buf(self->broker_key, KEY_BYTES);
    self->config = rules_config_default(self->broker_key);
    self->now_ms = 1700000000000;
    self->mono_ms = 5000;
    world_restart(self);
    return self;
}

static inline void world_free(world_t *self)
{
    rules_destroy(&self->rules);
    store_destroy(&self->store);
    free(self);
}

static inline void world_pass(world_t *self, uint64_t ms)
{
    self->now_ms += ms;
    self->mono_ms += ms;
}

static inline void world_begin(world_t *self)
{
    rules_begin(self->rules, self->now_ms, self->mono_ms);
}

/* Ends the turn: prepares, writes, finishes. */
static inline status_t world_finish(world_t *self)
{
    const store_unit_t *units;
    status_t status = STATUS_OK, outcome = STATUS_OK;
    if (self->tick_each_turn)
        rules_tick(self->rules);
    size_t count = rules_prepare(self->rules, &units);
    if (count > 0) {
        status = store_write(self->store, units, count, &outcome);
        if (status == STATUS_OK)
            status = outcome;
    }
    rules_finish(self->rules, status);
    self->last_outcome = status;
    return status;
}

static inline void world_tick(world_t *self)
{
    world_begin(self);
    rules_tick(self->rules);
    (void)world_finish(self);
}

/* All records but cursors, one after another: to see that nothing changed. */
static inline bool dump_record(void *context, const store_record_t *record)
{
    if (record->key[0] == 'k')
        return true;
    buffer_lp(context, record->key, record->key_size);
    buffer_lp(context, record->value, record->value_size);
    return true;
}

static inline buffer_t world_dump(world_t *self)
{
    buffer_t out = {0};
    store_range_t all = {0};
    assert_int_equal(store_range(self->store, &all, dump_record, &out), STATUS_OK);
    return out;
}

static inline bool dump_equal(const buffer_t *a, const buffer_t *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* --- Connections ------------------------------------------------------------------------------ */

typedef struct {
    world_t *world;
    rules_peer_t address;
    uint8_t token[TOKEN_BYTES];
    size_t token_size;
    uint64_t next_id;
    buffer_t inbox; /* the frames of the last turn, one after another */
    size_t frames;
    size_t largest_frame;
} link_t;

static inline void link_open(link_t *self, world_t *world)
{
    *self = (link_t){.world = world};
    self->address.id_size = 5;
    put_u32(self->address.id + 1, ++world->next_routing_id);
    randombytes_buf(self->address.curve_key, KEY_BYTES);
}

static inline void link_close(link_t *self)
{
    buffer_free(&self->inbox);
}

/* Collects the released frames of one peer; call it for each before the next turn. */
static inline void link_collect(link_t **links, size_t count)
{
    rules_output_t output;
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&links[i]->inbox);
        links[i]->frames = links[i]->largest_frame = 0;
    }
    while (rules_next_output(links[0]->world->rules, &output)) {
        assert_true(output.frame.size <= FRAME_MAX_BYTES);
        assert_true(output.replies + output.pushes <= FRAME_MAX_MESSAGES);
        for (size_t i = 0; i < count; i++)
            if (memcmp(links[i]->address.id, output.peer->id, output.peer->id_size) == 0) {
                buffer_append(&links[i]->inbox, output.frame.data, output.frame.size);
                links[i]->frames++;
                if (output.frame.size > links[i]->largest_frame)
                    links[i]->largest_frame = output.frame.size;
            }
    }
}

/* Sends one request within the current turn. */
static inline uint64_t link_send(link_t *self, verb_t verb, const void *body)
{
    buffer_t frame = {0};
    uint64_t id = ++self->next_id;
    message_write_request(&frame, verb, id, (bytes_t){self->token, self->token_size},
                          (text_t){"", 0}, body);
    rules_receive(self->world->rules, &self->address, buffer_view(&frame));
    buffer_free(&frame);
    return id;
}

/* Finds the reply with this id in the inbox. False: none came. The message points into the inbox.
 */
static inline bool link_reply(link_t *self, uint64_t id, message_t *out)
{
    bytes_t left = buffer_view(&self->inbox);
    while (left.size > 0) {
        assert_int_equal(message_read(out, &left, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH),
                         STATUS_OK);
        if (out->kind == MESSAGE_REPLY && out->id == id)
            return true;
        message_wipe(out);
    }
    return false;
}

/* Pushes of a verb in the inbox, in order: the index-th. */
static inline bool link_push(link_t *self, verb_t verb, size_t index, message_t *out)
{
    bytes_t left = buffer_view(&self->inbox);
    while (left.size > 0) {
        assert_int_equal(message_read(out, &left, 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH),
                         STATUS_OK);
        if (out->kind == MESSAGE_PUSH && out->verb == verb && index-- == 0)
            return true;
        message_wipe(out);
    }
    return false;
}

/* One turn with one request. STATUS_TIMED_OUT: no reply. The reply lives until the link's next
 * turn; wipe it. */
static inline status_t link_call(link_t *self, verb_t verb, const void *body, message_t *reply)
{
    world_begin(self->world);
    uint64_t id = link_send(self, verb, body);
    (void)world_finish(self->world);
    link_collect(&self, 1);
    return link_reply(self, id, reply) ? reply->status : STATUS_TIMED_OUT;
}

/* The same, for who needs only the status. */
static inline status_t link_ask(link_t *self, verb_t verb, const void *body)
{
    message_t reply = {0};
    status_t status = link_call(self, verb, body, &reply);
    message_wipe(&reply);
    return status;
}

/* --- People ----------------------------------------------------------------------------------- */

typedef struct {
    world_t *world;
    name_t name;
    uint8_t public_key[KEY_BYTES];
    uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
    link_t events;
    link_t duties;
} person_t;

static inline void person_sign(const person_t *self, const buffer_t *statement,
                               uint8_t signature[SIGNATURE_BYTES])
{
    crypto_sign_detached(signature, NULL, statement->data, statement->size, self->secret_key);
}

static inline void person_make(person_t *self, world_t *world, const char *name)
{
    memset(self, 0, sizeof *self);
    self->world = world;
    assert_int_equal(name_parse(&self->name, name), STATUS_OK);
    crypto_sign_keypair(self->public_key, self->secret_key);
}

static inline status_t link_hello(link_t *self)
{
    hello_request_t hello = {.version_min = 1, .version_max = 1, .software = {"test", 4}};
    return link_ask(self, VERB_hello, &hello);
}

static inline register_request_t person_registration(const person_t *self)
{
    register_request_t request = {.name = self->name};
    buffer_t statement = {0};
    memcpy(request.identity_key, self->public_key, KEY_BYTES);
    statement_register(&statement, self->world->broker_key, self->name.text, self->public_key);
    person_sign(self, &statement, request.signature);
    buffer_free(&statement);
    return request;
}

static inline void person_fetch_challenge(const person_t *self, link_t *link,
                                          uint8_t out[CHALLENGE_BYTES])
{
    challenge_request_t ask = {.name = self->name};
    message_t reply = {0};
    assert_int_equal(link_call(link, VERB_challenge, &ask, &reply), STATUS_OK);
    memcpy(out, reply.body.challenge_reply.challenge, CHALLENGE_BYTES);
    message_wipe(&reply);
}

static inline login_request_t person_login_request(const person_t *self, const link_t *link,
                                                   const uint8_t challenge[CHALLENGE_BYTES],
                                                   uint8_t purpose)
{
    login_request_t login = {.name = self->name, .purpose = purpose};
    buffer_t statement = {0};
    memcpy(login.challenge, challenge, CHALLENGE_BYTES);
    statement_login(&statement, self->world->broker_key, self->name.text, challenge,
                    link->address.curve_key, purpose);
    person_sign(self, &statement, login.signature);
    buffer_free(&statement);
    return login;
}

/* Hello, challenge and login on a new connection. */
static inline status_t person_login(person_t *self, link_t *link, uint8_t purpose)
{
    uint8_t challenge[CHALLENGE_BYTES];
    message_t reply = {0};
    link_close(link);
    link_open(link, self->world);
    assert_int_equal(link_hello(link), STATUS_OK);
    person_fetch_challenge(self, link, challenge);
    login_request_t login = person_login_request(self, link, challenge, purpose);
    status_t status = link_call(link, VERB_login, &login, &reply);
    if (status == STATUS_OK) {
        memcpy(link->token, reply.body.login_reply.token, TOKEN_BYTES);
        link->token_size = TOKEN_BYTES;
    }
    message_wipe(&reply);
    return status;
}

static inline void person_login_both(person_t *self)
{
    assert_int_equal(person_login(self, &self->events, PURPOSE_EVENTS), STATUS_OK);
    assert_int_equal(person_login(self, &self->duties, PURPOSE_DUTIES), STATUS_OK);
}

/* Registered and logged in for both purposes. */
static inline void person_arrive(person_t *self, world_t *world, const char *name)
{
    person_make(self, world, name);
    register_request_t registration = person_registration(self);
    link_open(&self->events, world);
    assert_int_equal(link_hello(&self->events), STATUS_OK);
    assert_int_equal(link_ask(&self->events, VERB_register, &registration), STATUS_OK);
    person_login_both(self);
}

static inline void person_free(person_t *self)
{
    link_close(&self->events);
    link_close(&self->duties);
}

#endif
