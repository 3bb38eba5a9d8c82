/* SPDX-License-Identifier: MPL-2.0 */
/* Rows of a damaged vault: a member's state is loaded as a whole or refused, and what is loaded
 * saves as the same rows and can be used. */
#include "tests/fuzz/fixed_random.h"
#include "tests/unit/client/keys_trio.h"

static struct {
    group_t group;
    stored_t rows, holder_rows;
} world;

static void start(void)
{
    fixed_random_start(1);
    group_start(&world.group);
    group_state_save_all(world.group.people[1]->state, stored_row, &world.rows);
    holder_save_all(world.group.holder, stored_row, &world.holder_rows);
}

/* Edits: which row, where in it, what to xor there; 0 cuts the row short instead. */
static void copy_damaged(const stored_t *from, stored_t *to, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < from->count; i++)
        stored_row(to, ROW_PUT, buffer_view(&from->items[i].key),
                   buffer_view(&from->items[i].value));
    for (size_t i = 0; i + 4 <= size; i += 4) {
        buffer_t *value = &to->items[data[i] % to->count].value;
        size_t at = (size_t)(data[i + 1] << 8 | data[i + 2]);
        if (!value->size)
            continue;
        if (data[i + 3])
            value->data[at % value->size] ^= data[i + 3];
        else
            value->size = at % value->size;
    }
}

static void check_state(stored_t *rows)
{
    group_state_t *state = group_state_load_new();
    if (stored_load(rows, state, load_group) == STATUS_OK &&
        group_state_load_end(state) == STATUS_OK) {
        buffer_t stored = {0}, saved = {0}, sealed = {0};
        stored_flatten(rows, &stored);
        state_flatten(state, &saved);
        FUZZ_MUST(stored.size == saved.size && !memcmp(stored.data, saved.data, saved.size));
        status_t status = group_state_seal(
            state, world.group.people[1]->identity,
            &(message_body_t){.type = MESSAGE_TYPE_TEXT, .number = 1}, &sealed, NULL);
        FUZZ_MUST(status == STATUS_OK || status == STATUS_KEY_ERASED);
        buffer_free(&stored);
        buffer_free(&saved);
        buffer_free(&sealed);
    }
    group_state_destroy(&state);
}

static void check_holder(stored_t *rows)
{
    holder_t *holder = holder_load_new();
    if (stored_load(rows, holder, load_holder) == STATUS_OK &&
        holder_load_end(holder) == STATUS_OK) {
        commit_plan_t plan = {0};
        prepared_commit_t *prepared;
        if (commit_build(holder, world.group.people[0]->identity, &plan, &prepared) == STATUS_OK)
            FUZZ_MUST(holder_adopt(holder, &prepared) == STATUS_OK);
    }
    holder_destroy(&holder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!world.group.holder)
        start();
    if (!size)
        return 0;
    stored_t rows = {0};
    copy_damaged(data[0] & 1 ? &world.holder_rows : &world.rows, &rows, data + 1, size - 1);
    if (data[0] & 1)
        check_holder(&rows);
    else
        check_state(&rows);
    stored_free(&rows);
    return 0;
}
