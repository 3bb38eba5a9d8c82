/* SPDX-License-Identifier: MPL-2.0 */
/* A group with real keys for the tests of client/keys: people, a holder, and rows as a device would
 * keep them. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_KEYS_WORLD_H
#define CONCLAVE_TESTS_UNIT_CLIENT_KEYS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/keys/commit_build.h"
#include "client/keys/group_state.h"
#include "client/keys/group_state_parts.h"
#include "client/keys/prepared_commit.h"
#include "proto/memory.h"

#define assert_status(expression, expected)                                                        \
    assert_string_equal(status_name(expression), status_name(STATUS_##expected))

/* Rows, by key. */
typedef struct {
    struct {
        buffer_t key, value;
    } * items;
    size_t count;
} stored_t;

static inline bool starts_with(bytes_t key, bytes_t prefix)
{
    return key.size >= prefix.size && (!prefix.size || !memcmp(key.data, prefix.data, prefix.size));
}

static inline void stored_drop(stored_t *self, size_t at)
{
    buffer_free(&self->items[at].key);
    buffer_free(&self->items[at].value);
    self->items[at] = self->items[--self->count];
}

static inline void stored_row(void *context, row_change_t change, bytes_t key, bytes_t value)
{
    stored_t *self = context;
    for (size_t i = self->count; i-- > 0;) {
        bytes_t have = buffer_view(&self->items[i].key);
        if (starts_with(have, key) && (change == ROW_DELETE_PREFIX || have.size == key.size))
            stored_drop(self, i);
    }
    if (change != ROW_PUT)
        return;
    self->items = mem_realloc(self->items, self->count + 1, sizeof *self->items);
    memset(&self->items[self->count], 0, sizeof *self->items);
    buffer_append(&self->items[self->count].key, key.data, key.size);
    buffer_append(&self->items[self->count].value, value.data, value.size);
    self->count++;
}

static inline void stored_free(stored_t *self)
{
    while (self->count)
        stored_drop(self, 0);
    free(self->items);
    self->items = NULL;
}

static inline int stored_compare(const void *a, const void *b)
{
    const buffer_t *x = a, *y = b; /* key first */
    size_t size = x->size < y->size ? x->size : y->size;
    int order = size ? memcmp(x->data, y->data, size) : 0;
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Everything in one string, to compare states. */
static inline void stored_flatten(stored_t *self, buffer_t *out)
{
    qsort(self->items, self->count, sizeof *self->items, stored_compare);
    for (size_t i = 0; i < self->count; i++) {
        buffer_lp(out, self->items[i].key.data, self->items[i].key.size);
        buffer_lp(out, self->items[i].value.data, self->items[i].value.size);
    }
}

static inline void state_flatten(const group_state_t *state, buffer_t *out)
{
    stored_t rows = {0};
    group_state_save_all(state, stored_row, &rows);
    stored_flatten(&rows, out);
    stored_free(&rows);
}

static inline void append_row(void *context, row_change_t change, bytes_t key, bytes_t value)
{
    assert_int_equal(change, ROW_PUT);
    buffer_lp(context, key.data, key.size);
    buffer_lp(context, value.data, value.size);
}

static inline void holder_flatten(const holder_t *holder, buffer_t *out)
{
    holder_save_all(holder, append_row, out);
}

static inline void assert_same(const buffer_t *a, const buffer_t *b)
{
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* head first, as loading wants it */
static inline status_t stored_load(stored_t *self, void *state,
                                   status_t (*load)(void *state, bytes_t key, bytes_t value))
{
    for (int head = 1; head >= 0; head--)
        for (size_t i = 0; i < self->count; i++) {
            bytes_t key = buffer_view(&self->items[i].key);
            if ((key.data[0] == 'h') != head)
                continue;
            status_t status = load(state, key, buffer_view(&self->items[i].value));
            if (status)
                return status;
        }
    return STATUS_OK;
}

static inline status_t load_group(void *state, bytes_t key, bytes_t value)
{
    return group_state_load_row(state, key, value);
}

static inline status_t load_holder(void *state, bytes_t key, bytes_t value)
{
    return holder_load_row(state, key, value);
}

/* Rows under keys that nothing has, and rows before the head, are refused. */
static inline void assert_false_keys(const stored_t *rows, void *(*new)(void),
                                     status_t (*load)(void *state, bytes_t key, bytes_t value),
                                     void (*destroy)(void *state))
{
    const buffer_t *head = NULL, *head_value = NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->items[i].key.data[0] == 'h') {
            head = &rows->items[i].key;
            head_value = &rows->items[i].value;
        }
    assert_non_null(head);
    for (size_t i = 0; i < rows->count; i++) {
        uint8_t key[16] = {0};
        size_t size = rows->items[i].key.size;
        bytes_t value = buffer_view(&rows->items[i].value);
        assert_in_range(size, 1, sizeof key - 1);
        memcpy(key, rows->items[i].key.data, size);
        void *state = new ();
        if (key[0] != 'h')
            assert_status(load(state, (bytes_t){key, size}, value), DAMAGED_FILE);
        assert_status(load(state, buffer_view(head), buffer_view(head_value)), OK);
        if (key[0] != 'h') {
            assert_status(load(state, (bytes_t){key, size - 1}, value), DAMAGED_FILE);
            assert_status(load(state, (bytes_t){key, size + 1}, value), DAMAGED_FILE);
            memset(key + 1, 0xff, size - 1); /* an index that no tree has */
            assert_status(load(state, (bytes_t){key, size}, value), DAMAGED_FILE);
        }
        key[0] = 'z';
        assert_status(load(state, (bytes_t){key, size}, value), DAMAGED_FILE);
        assert_status(load(state, (bytes_t){key, 0}, value), DAMAGED_FILE);
        destroy(state);
    }
}

/* Saves what changed, loads all of it anew, and checks that nothing is lost. */
static inline void state_round_trip(group_state_t **state, stored_t *rows)
{
    group_state_save(*state, stored_row, rows);
    group_state_t *loaded = group_state_load_new();
    assert_status(stored_load(rows, loaded, load_group), OK);
    assert_status(group_state_load_end(loaded), OK);
    buffer_t before = {0}, after = {0}, on_disk = {0};
    state_flatten(*state, &before);
    state_flatten(loaded, &after);
    stored_flatten(rows, &on_disk);
    assert_same(&before, &after);
    assert_same(&before, &on_disk);
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&on_disk);
    group_state_destroy(state);
    *state = loaded;
}

static inline void holder_round_trip(holder_t **holder, stored_t *rows)
{
    holder_save(*holder, stored_row, rows);
    holder_t *loaded = holder_load_new();
    assert_status(stored_load(rows, loaded, load_holder), OK);
    assert_status(holder_load_end(loaded), OK);
    buffer_t before = {0}, after = {0};
    holder_flatten(*holder, &before);
    holder_flatten(loaded, &after);
    assert_same(&before, &after);
    buffer_free(&before);
    buffer_free(&after);
    holder_destroy(holder);
    *holder = loaded;
}

typedef struct {
    identity_t *identity;
    group_state_t *state; /* NULL while outside */
    stored_t rows;
    buffer_t request;
    secret_t prekey;
    uint64_t sent;
} person_t;

static inline person_t *person_new(unsigned number)
{
    char text[16];
    snprintf(text, sizeof text, "u%u", number);
    name_t name;
    assert_status(name_parse(&name, text), OK);
    person_t *self = mem_zalloc(1, sizeof *self);
    self->identity = identity_new(&name);
    return self;
}

static inline void person_destroy(person_t *self)
{
    identity_destroy(&self->identity);
    group_state_destroy(&self->state);
    stored_free(&self->rows);
    buffer_free(&self->request);
    free(self);
}

static inline served_request_t person_asks(person_t *self, const holder_t *holder)
{
    buffer_clear(&self->request);
    identity_make_join_request(self->identity, holder_group(holder), holder_transcript(holder),
                               &self->request, &self->prekey);
    served_request_t served;
    assert_status(holder_check_request(holder, buffer_view(&self->request), &served), OK);
    return served;
}

static inline const buffer_t *welcome_for(const prepared_commit_t *prepared, const person_t *person)
{
    for (size_t i = 0; i < prepared->welcome_count; i++)
        if (name_equal(&prepared->welcomes[i].recipient, identity_name(person->identity)))
            return &prepared->welcomes[i].sealed;
    return NULL;
}

static inline void person_enters(person_t *self, const prepared_commit_t *prepared)
{
    group_state_destroy(&self->state);
    const buffer_t *welcome = welcome_for(prepared, self);
    assert_non_null(welcome);
    assert_status(group_state_from_welcome(&self->state, self->identity, buffer_view(welcome),
                                           buffer_view(&prepared->commit),
                                           buffer_view(&self->request), &self->prekey),
                  OK);
}

static inline void person_follows(person_t *self, const prepared_commit_t *prepared)
{
    commit_outcome_t outcome;
    assert_status(group_state_apply_commit(self->state, buffer_view(&prepared->commit), &outcome),
                  OK);
    assert_int_equal(outcome, COMMIT_FOLLOWED);
}

/* A new group with its creator in it. */
static inline holder_t *group_of(person_t *creator)
{
    uint8_t group[GROUP_ID_BYTES];
    randombytes_buf(group, sizeof group);
    name_t name;
    assert_status(name_parse(&name, "the-group"), OK);
    holder_t *holder = holder_new(group, &name, creator->identity);
    served_request_t add = person_asks(creator, holder);
    commit_role_t role = {0, ROLE_ADMIN};
    commit_plan_t plan = {.adds = &add, .add_count = 1, .roles = &role, .role_count = 1};
    prepared_commit_t *prepared;
    assert_status(commit_build(holder, creator->identity, &plan, &prepared), OK);
    person_enters(creator, prepared);
    assert_status(holder_adopt(holder, &prepared), OK);
    return holder;
}

/* Adds people in one commit; everybody else follows. prepared is the caller's unless NULL. */
static inline void group_add(holder_t *holder, person_t **inside, size_t inside_count,
                             person_t **newcomers, size_t count, prepared_commit_t **kept)
{
    served_request_t *adds = mem_alloc(count * sizeof *adds);
    for (size_t i = 0; i < count; i++)
        adds[i] = person_asks(newcomers[i], holder);
    commit_plan_t plan = {.adds = adds, .add_count = count};
    prepared_commit_t *prepared;
    assert_status(commit_build(holder, inside[0]->identity, &plan, &prepared), OK);
    free(adds);
    for (size_t i = 0; i < inside_count; i++)
        person_follows(inside[i], prepared);
    for (size_t i = 0; i < count; i++)
        person_enters(newcomers[i], prepared);
    buffer_t bytes = {0};
    prepared_commit_write(prepared, &bytes);
    assert_status(holder_adopt(holder, &prepared), OK);
    if (kept)
        assert_status(prepared_commit_read(kept, buffer_view(&bytes)), OK);
    buffer_free(&bytes);
}

#endif
