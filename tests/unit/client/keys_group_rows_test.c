/* SPDX-License-Identifier: MPL-2.0 */
/* A member's state as rows: few change with a message, and damaged or false ones are no state. */
#include "tests/unit/client/keys_trio.h"

static void read_from_bob(group_t *self)
{
    buffer_t sealed = {0};
    opened_message_t opened;
    seal(self->people[1], &sealed);
    assert_status(group_state_open(reader(self), buffer_view(&sealed),
                                   identity_key(self->people[1]->identity), &opened),
                  OK);
    opened_message_wipe(&opened);
    buffer_free(&sealed);
}

static void test_rows_are_small(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    group_state_save(reader(&self), stored_row, &rows);
    for (unsigned i = 0; i < 3; i++) {
        read_from_bob(&self);
        stored_t changed = {0};
        group_state_save(reader(&self), stored_row, &changed);
        assert_true(i ? changed.count == 1 : changed.count <= 3);
        stored_free(&changed);
    }
    stored_free(&rows);
    group_stop(&self);
}

static void test_damaged_rows(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    stored_t rows = {0};
    group_state_save_all(reader(&self), stored_row, &rows);
    for (size_t row = 0; row < rows.count; row++) {
        buffer_t *value = &rows.items[row].value;
        for (size_t size = 0; size < value->size; size++) {
            size_t whole = value->size;
            value->size = size;
            group_state_t *state = group_state_load_new();
            status_t status = stored_load(&rows, state, load_group);
            if (!status)
                status = group_state_load_end(state);
            assert_int_equal(status, STATUS_DAMAGED_FILE);
            group_state_destroy(&state);
            value->size = whole;
        }
    }
    for (size_t row = 0; row < rows.count; row++)
        if (rows.items[row].key.data[0] == 'h')
            rows.items[row].value.data[0] = 2;
    group_state_t *state = group_state_load_new();
    assert_status(stored_load(&rows, state, load_group), NEWER_FORMAT);
    group_state_destroy(&state);
    stored_free(&rows);
    group_stop(&self);
}

static void *new_state(void)
{
    return group_state_load_new();
}

static void destroy_state(void *context)
{
    group_state_t *state = context;
    group_state_destroy(&state);
}

static void test_false_rows(void **unused)
{
    (void)unused;
    group_t self;
    group_start(&self);
    read_from_bob(&self);
    stored_t rows = {0};
    group_state_save_all(reader(&self), stored_row, &rows);
    assert_false_keys(&rows, new_state, load_group, destroy_state);
    group_state_t *state = group_state_load_new();
    assert_status(group_state_load_end(state), DAMAGED_FILE); /* nothing was there */
    group_state_destroy(&state);
    /* a row more than the whole has, each of its kind */
    for (size_t row = 0; row < rows.count; row++) {
        buffer_t key = rows.items[row].key; /* a view of it */
        if (key.data[0] == 'h')
            continue;
        state = group_state_load_new();
        assert_status(stored_load(&rows, state, load_group), OK);
        uint8_t other[16];
        memcpy(other, key.data, key.size);
        other[key.size - 1] ^= 1; /* the sibling's */
        status_t status = group_state_load_row(state, (bytes_t){other, key.size},
                                               buffer_view(&rows.items[row].value));
        if (!status)
            status = group_state_load_end(state);
        bool is_there = false;
        for (size_t i = 0; i < rows.count; i++)
            is_there |= rows.items[i].key.size == key.size &&
                        !memcmp(rows.items[i].key.data, other, key.size);
        if (!is_there)
            assert_int_equal(status, STATUS_DAMAGED_FILE);
        group_state_destroy(&state);
    }
    stored_free(&rows);
    group_stop(&self);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_small),
        cmocka_unit_test(test_damaged_rows),
        cmocka_unit_test(test_false_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
