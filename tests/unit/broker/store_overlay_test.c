/* SPDX-License-Identifier: MPL-2.0 */
/* The overlay against a naive model: reads its writes, rolls back, and stores what it showed. */
#include "broker/store/overlay.h"
#include "broker/store/store_memory.h"
#include "proto/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 24 };

/* What a store with keys 0..KEYS-1 should show. Values are one byte. */
typedef struct {
    uint64_t version[KEYS];
    uint8_t value[KEYS];
} model_t;

static unsigned seed;

static unsigned pick(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

typedef struct {
    const model_t *model;
    const store_range_t *range;
    int at; /* the last key seen, or one before the first */
    size_t seen;
} walk_t;

static bool in_range(const store_range_t *range, int key)
{
    return (!range->from || key >= *(const uint8_t *)range->from) &&
           (!range->to || key < *(const uint8_t *)range->to);
}

static bool walk(void *context, const store_record_t *record)
{
    walk_t *self = context;
    int step = self->range->reverse ? -1 : 1;
    assert_int_equal(record->key_size, 1);
    do
        self->at += step;
    while (self->at >= 0 && self->at < KEYS &&
           (self->model->version[self->at] == 0 || !in_range(self->range, self->at)));
    assert_int_equal(record->key[0], self->at);
    assert_int_equal(record->version, self->model->version[self->at]);
    assert_int_equal(record->value_size, 1);
    assert_int_equal(record->value[0], self->model->value[self->at]);
    self->seen++;
    return true;
}

static size_t count_in_range(const model_t *model, const store_range_t *range)
{
    size_t count = 0;
    for (int key = 0; key < KEYS; key++)
        count += model->version[key] > 0 && in_range(range, key);
    return range->limit && range->limit < count ? range->limit : count;
}

static void check_view(overlay_t *overlay, const model_t *model)
{
    for (uint8_t key = 0; key < KEYS; key++) {
        uint8_t *value;
        size_t size;
        uint64_t version;
        status_t status = overlay_get(overlay, &key, 1, &value, &size, &version);
        assert_int_equal(status, model->version[key] ? STATUS_OK : STATUS_NOT_FOUND);
        assert_int_equal(version, model->version[key]);
        if (status == STATUS_OK)
            assert_int_equal(*value, model->value[key]);
        free(value);
    }
    uint8_t from = (uint8_t)pick(KEYS);
    uint8_t to = (uint8_t)pick(KEYS);
    store_range_t range = {.from = pick(3) ? &from : NULL,
                           .from_size = 1,
                           .to = pick(3) ? &to : NULL,
                           .to_size = 1,
                           .limit = pick(4),
                           .reverse = pick(2) == 0};
    walk_t state = {.model = model, .range = &range, .at = range.reverse ? KEYS : -1};
    assert_int_equal(overlay_range(overlay, &range, walk, &state), STATUS_OK);
    assert_int_equal(state.seen, count_in_range(model, &range));
}

static void change(overlay_t *overlay, model_t *model)
{
    uint8_t key = (uint8_t)pick(KEYS);
    uint8_t to = (uint8_t)pick(KEYS);
    uint8_t value = (uint8_t)pick(256);
    uint64_t stale = model->version[key] + 1;
    switch (pick(8)) {
    case 0:
        overlay_delete(overlay, &key, 1);
        model->version[key] = 0;
        break;
    case 1:
        if (pick(2))
            break;
        overlay_delete_range(overlay, &key, 1, &to, 1);
        for (uint8_t k = key; k < to; k++)
            model->version[k] = 0;
        break;
    case 2:
        assert_int_equal(overlay_expect(overlay, &key, 1, model->version[key]), STATUS_OK);
        assert_int_equal(overlay_expect(overlay, &key, 1, stale), STATUS_CONFLICT);
        break;
    default:
        if (model->version[key] == 0 && pick(2))
            overlay_put_new(overlay, &key, 1, &value, 1);
        else
            assert_int_equal(overlay_put(overlay, &key, 1, &value, 1), STATUS_OK);
        model->version[key]++;
        model->value[key] = value;
    }
}

/* One batch: a few requests, some of them refused halfway, then one write. */
static void run_batch(store_t *store, overlay_t *overlay, model_t *model, store_unit_t *unit)
{
    for (unsigned requests = pick(6); requests > 0; requests--) {
        overlay_mark_t mark = overlay_mark(overlay);
        size_t size = overlay_size_bytes(overlay);
        bool empty = overlay_is_empty(overlay);
        model_t before = *model;
        for (unsigned changes = pick(8); changes > 0; changes--)
            change(overlay, model);
        check_view(overlay, model);
        if (pick(3) == 0) {
            overlay_rollback(overlay, mark);
            *model = before;
            assert_int_equal(overlay_size_bytes(overlay), size);
            assert_int_equal(overlay_is_empty(overlay), empty);
            check_view(overlay, model);
        }
    }
    status_t outcome = STATUS_INVALID;
    store_unit_clear(unit);
    overlay_take_unit(overlay, unit);
    assert_int_equal(store_write(store, unit, 1, &outcome), STATUS_OK);
    assert_int_equal(outcome, STATUS_OK);
    overlay_clear(overlay);
    assert_true(overlay_is_empty(overlay));
    assert_int_equal(overlay_size_bytes(overlay), 0);
    check_view(overlay, model);
}

static void random_batches_follow_the_model(void **state)
{
    (void)state;
    for (unsigned run = 1; run <= 20; run++) {
        seed = run;
        print_message("seed %u\n", run);
        store_t *store = store_memory_new();
        overlay_t *overlay = overlay_new(store);
        model_t model = {0};
        store_unit_t unit = {0};
        for (int batch = 0; batch < 150; batch++)
            run_batch(store, overlay, &model, &unit);
        store_unit_wipe(&unit);
        overlay_destroy(&overlay);
        store_destroy(&store);
    }
}

static status_t write_unit(store_t *store, const store_unit_t *unit)
{
    status_t outcome = STATUS_INVALID;
    status_t status = store_write(store, unit, 1, &outcome);
    return status == STATUS_OK ? outcome : status;
}

static void an_expectation_guards_the_write(void **state)
{
    (void)state;
    store_t *store = store_memory_new();
    overlay_t *overlay = overlay_new(store);
    store_unit_t unit = {0};
    assert_int_equal(overlay_expect(overlay, "head", 4, 0), STATUS_OK);
    assert_true(overlay_is_empty(overlay));
    assert_int_equal(overlay_put(overlay, "head", 4, "1", 1), STATUS_OK);
    assert_int_equal(overlay_expect(overlay, "head", 4, 0), STATUS_CONFLICT);
    assert_int_equal(overlay_expect(overlay, "head", 4, 1), STATUS_OK);
    overlay_take_unit(overlay, &unit);
    assert_int_equal(write_unit(store, &unit), STATUS_OK);
    assert_int_equal(write_unit(store, &unit), STATUS_CONFLICT);
    overlay_clear(overlay);
    overlay_mark_t mark = overlay_mark(overlay);
    assert_int_equal(overlay_expect(overlay, "other", 5, 7), STATUS_OK);
    overlay_rollback(overlay, mark); /* a refused request's expectations go too */
    overlay_put_new(overlay, "event", 5, "e", 1);
    store_unit_clear(&unit);
    overlay_take_unit(overlay, &unit);
    assert_int_equal(write_unit(store, &unit), STATUS_OK);
    store_unit_wipe(&unit);
    overlay_destroy(&overlay);
    store_destroy(&store);
}

static void a_failed_store_changes_nothing_here(void **state)
{
    (void)state;
    store_t *store = store_memory_new();
    overlay_t *overlay = overlay_new(store);
    store_unit_t unit = {0};
    store_unit_put(&unit, "a", 1, "1", 1);
    store_memory_fail_next_write(store, true);
    assert_int_equal(write_unit(store, &unit), STATUS_STORE_FAILED);
    assert_int_equal(overlay_put(overlay, "a", 1, "2", 1), STATUS_STORE_FAILED);
    assert_true(overlay_is_empty(overlay));
    uint8_t *value;
    size_t size;
    assert_int_equal(overlay_get(overlay, "a", 1, &value, &size, NULL), STATUS_STORE_FAILED);
    assert_null(value);
    assert_int_equal(store_reopen(store), STATUS_OK);
    assert_int_equal(overlay_get(overlay, "a", 1, &value, &size, NULL), STATUS_OK);
    free(value);
    overlay_delete_range(overlay, "z", 1, "a", 1);
    assert_true(overlay_is_empty(overlay));
    store_unit_wipe(&unit);
    overlay_destroy(&overlay);
    overlay_destroy(&overlay);
    store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_batches_follow_the_model),
        cmocka_unit_test(an_expectation_guards_the_write),
        cmocka_unit_test(a_failed_store_changes_nothing_here),
    };
    return cmocka_run_group_tests_name("overlay", tests, NULL, NULL);
}
