/* SPDX-License-Identifier: MPL-2.0 */
/* The check of a store: a used one is sound, and each planted corruption is found. */
#include "broker/rules/check.h"
#include "broker/rules/records.h"
#include "broker/rules/restores.h"
#include "broker/rules/users.h"
#include "tests/unit/broker/rules_setting.h"

#include <stdio.h>

typedef struct {
    setting_t *setting;
    person_t dave;
    check_counts_t counts;
    buffer_t told;
} bench_t;

static void tell(void *context, const char *key, const char *reason)
{
    char line[512];
    int size = snprintf(line, sizeof line, "%s: %s\n", key, reason);
    buffer_append(context, line, (size_t)size);
}

static const char *told(bench_t *self)
{
    buffer_u8(&self->told, 0);
    return (const char *)self->told.data;
}

static status_t check(bench_t *self)
{
    world_t *world = self->setting->world;
    buffer_clear(&self->told);
    return check_run(world->store, world->broker_key, tell, &self->told, &self->counts);
}

/* Every kind of record is there: also an invite, and it was restored twice. */
static int set_up_bench(void **state)
{
    bench_t *self = mem_zalloc(1, sizeof *self);
    void *setting;
    (void)set_up_with_bob(&setting);
    self->setting = setting;
    setting_fill(self->setting, &self->dave, 2);
    name_t erin;
    uint8_t invite[INVITE_BYTES];
    assert_int_equal(name_parse(&erin, "erin"), STATUS_OK);
    assert_int_equal(users_invite(self->setting->world->store, &erin, 1, 1, invite), STATUS_OK);
    assert_int_equal(restore_stamp(self->setting->world->store, 1), STATUS_OK);
    assert_int_equal(restore_stamp(self->setting->world->store, 2), STATUS_OK);
    *state = self;
    return 0;
}

static int tear_down_bench(void **state)
{
    bench_t *self = *state;
    void *setting = self->setting;
    person_free(&self->dave);
    buffer_free(&self->told);
    free(self);
    return tear_down(&setting);
}

static void a_used_store_is_sound(void **state)
{
    bench_t *self = *state;
    assert_int_equal(check(self), STATUS_OK);
    assert_string_equal(told(self), "");
    assert_int_equal(self->counts.problems, 0);
    assert_int_equal(self->counts.unknown, 0);
    assert_true(self->counts.bytes > 0);
    for (size_t i = 0; i < CHECK_KINDS; i++) {
        if (self->counts.records[i] == 0)
            fail_msg("no %s in this test", check_kind_name(i));
    }
    store_t *empty = store_memory_new();
    assert_int_equal(
        check_run(empty, self->setting->world->broker_key, tell, &self->told, &self->counts),
        STATUS_OK);
    assert_int_equal(self->counts.problems, 1); /* without its own record it is none */
    store_destroy(&empty);
}

/* --- Corruptions ------------------------------------------------------------------------------ */

typedef struct {
    store_key_t key;
    buffer_t value;
    size_t wanted; /* the how many-th */
} found_t;

static bool find_record(void *context, const store_record_t *record)
{
    found_t *found = context;
    if (found->wanted-- > 0)
        return true;
    found->key = key_of_record(record);
    buffer_append(&found->value, record->value, record->value_size);
    return false;
}

static found_t find(bench_t *self, char letter, size_t number)
{
    found_t found = {.wanted = number};
    char end = (char)(letter + 1);
    store_range_t range = {.from = &letter, .from_size = 1, .to = &end, .to_size = 1};
    assert_int_equal(store_range(self->setting->world->store, &range, find_record, &found),
                     STATUS_OK);
    assert_true(found.key.size > 0);
    return found;
}

static void put(bench_t *self, const store_key_t *key, bytes_t value)
{
    store_unit_t unit = {0};
    status_t outcome;
    if (value.data)
        store_unit_put(&unit, key->bytes, key->size, value.data, value.size);
    else
        store_unit_delete(&unit, key->bytes, key->size);
    assert_int_equal(store_write(self->setting->world->store, &unit, 1, &outcome), STATUS_OK);
    assert_int_equal(outcome, STATUS_OK);
    store_unit_wipe(&unit);
}

/* GONE: deleted. CUT: its last byte is missing. LONGER: one too many. FLIP: byte `at` of the value,
 * from its end if negative. MOVED: byte `at` of its key is another, from the key's end. */
typedef enum { GONE, CUT, LONGER, FLIP, MOVED } change_t;

typedef struct {
    char letter;
    size_t number; /* the how many-th of its kind */
    change_t change;
    int at;
    const char *tells; /* part of what is told */
} corruption_t;

static void corrupt(bench_t *self, const corruption_t *corruption)
{
    found_t found = find(self, corruption->letter, corruption->number);
    store_key_t key = found.key;
    buffer_t changed = {0};
    buffer_append(&changed, found.value.data, found.value.size);
    buffer_u8(&changed, 0);
    changed.size -= corruption->change == LONGER ? 0 : 1;
    changed.size -= corruption->change == CUT ? 1 : 0;
    if (corruption->change == FLIP)
        changed.data[corruption->at < 0 ? (int)changed.size + corruption->at : corruption->at] ^= 1;
    if (corruption->change == MOVED) {
        put(self, &key, (bytes_t){0});
        key.bytes[(int)key.size + corruption->at] ^= 1;
    }
    put(self, &key, corruption->change == GONE ? (bytes_t){0} : buffer_view(&changed));
    assert_int_equal(check(self), STATUS_OK);
    if (self->counts.problems == 0 || !strstr(told(self), corruption->tells))
        fail_msg("%c %zu: \"%s\" is not among\n%s", corruption->letter, corruption->number,
                 corruption->tells, told(self));
    put(self, &key, (bytes_t){0});
    put(self, &found.key, buffer_view(&found.value));
    assert_int_equal(check(self), STATUS_OK);
    assert_string_equal(told(self), "");
    buffer_free(&changed);
    buffer_free(&found.value);
}

static void each_corruption_is_found(void **state)
{
    bench_t *self = *state;
    static const corruption_t corruptions[] = {
        {'!', 0, GONE, 0, "!: the store's own record is missing"},
        {'!', 0, CUT, 0, "!: the record does not decode"},
        {'!', 0, FLIP, 0, "!: the record does not decode"}, /* another format */
        {'a', 0, GONE, 0, "bob: the member has no account"},
        {'a', 2, GONE, 0, "its creator has no account"},
        {'a', 0, GONE, 0, "its sender has no account"},
        {'a', 3, GONE, 0, "who asks has no account"},
        {'a', 0, GONE, 0, "its recipient has no account"},
        {'a', 0, CUT, 0, "a bob: the record does not decode"},
        {'a', 0, FLIP, 5, "a bob: the registration's signature does not match"},
        {'a', 0, MOVED, -1, "a boc: the registration's signature does not match"},
        {'a', 0, MOVED, -4, "the key is malformed"}, /* the name's length */
        {'b', 0, GONE, 0, "b 2: the restore before it is missing"},
        {'b', 1, GONE, 0, " 2: the restore is not noted"},
        {'b', 0, CUT, 0, "b 1: the record does not decode"},
        {'d', 0, CUT, 0, " 1: the record does not decode"},
        {'d', 0, FLIP, 7, " 1: it lies behind the log's end"},
        {'d', 0, FLIP, 15, " 1: it lies behind the log's end"},
        {'c', 1, GONE, 0, " 2: a commit before it is missing"},
        {'c', 2, GONE, 0, "the commit that began its epoch is not noted"},
        {'c', 1, FLIP, -1, " 1: its event is missing or another"},
        {'c', 1, LONGER, 0, " 1: the record does not decode"},
        {'c', 2, FLIP, 7, "it stands behind the group's last event"},
        {'c', 2, MOVED, -2, "it leaves an epoch that is still to come"},
        {'e', 3, GONE, 0, " 5: an event before it is missing"},
        {'e', 0, GONE, 0, "its events don't reach from its first to its last"},
        {'e', 6, GONE, 0, "its events don't reach from its first to its last"},
        {'e', 0, FLIP, 20, " 1: its payload does not decode"},
        {'e', 3, FLIP, 1, " 4: its payload does not decode"}, /* another kind of event */
        {'e', 5, FLIP, 2, " 7: it is older than the event before it"},
        {'e', 3, CUT, 0, "its event is missing or another"},
        {'e', 3, MOVED, -2, "it lies outside the group's log"},
        {'f', 0, GONE, 0, "dave: the user's memberships don't list it"},
        {'f', 0, LONGER, 0, "the record does not decode"},
        {'f', 0, MOVED, -1, "its group has no head"},
        {'h', 0, GONE, 0, " 1: its group has no head"},
        {'h', 0, CUT, 0, "its group has no head"},
        {'h', 0, FLIP, 2, "its name does not lead to it"},
        {'h', 0, FLIP, -1, "another number of joins that wait"},
        {'h', 0, FLIP, -13, "another number of leaves that wait"},
        {'h', 0, FLIP, -17, "another number of admins"},
        {'h', 0, FLIP, -21, "another number of members"},
        {'h', 0, FLIP, -33, "its events don't reach from its first to its last"},
        {'h', 0, FLIP, -34, "its first event lies behind its last"},
        {'h', 0, FLIP, -41, "its events don't reach from its first to its last"},
        {'i', 0, CUT, 0, "i erin: the record does not decode"},
        {'j', 0, GONE, 0, "no request of the user waits there"},
        {'j', 0, CUT, 0, "carol: its request does not decode"},
        {'k', 0, GONE, 0, "the member has no cursor"},
        {'k', 0, CUT, 0, "bob: the record does not decode"},
        {'k', 0, FLIP, 3, "bob: it lies behind the log's end"},
        {'k', 0, MOVED, -1, "it belongs to no current member"},
        {'l', 1, GONE, 0, "bob: the roster has another, or nobody, at its leaf"},
        {'l', 1, GONE, 0, " 0 1: nobody is at its leaf"},
        {'l', 1, FLIP, -1, " 1: the roster's tree has another hash"},
        {'l', 1, CUT, 0, " 1: the record does not decode"},
        {'l', 2, MOVED, -1, " 3: the roster's tree has another hash"},
        {'l', 1, MOVED, -2, " 257: it lies outside the tree"},
        {'m', 0, GONE, 0, " 1: nobody among the members holds it"},
        {'m', 0, GONE, 0, "bob 0: its sender is no member"},
        {'m', 0, GONE, 0, "it belongs to no current member"},
        {'m', 0, GONE, 0, "the group's members say otherwise"},
        {'m', 0, CUT, 0, "bob: the record does not decode"},
        {'m', 0, FLIP, 5, "bob: the roster has another, or nobody, at its leaf"},
        {'m', 0, FLIP, -33, "another number of members"}, /* until_sequence */
        {'m', 0, FLIP, -42, "bob: it began behind the log's end"},
        {'m', 1, FLIP, -49, "no member has left from its leaf"}, /* removed */
        {'n', 0, GONE, 0, "its name does not lead to it"},
        {'n', 0, CUT, 0, "n room: the record does not decode"},
        {'n', 0, FLIP, -1, "n room: its group has no head"},
        {'n', 0, MOVED, -1, "n rool: the group that it names is another, or has ended"},
        {'q', 0, GONE, 0, "carol: the user's requests don't list it"},
        {'q', 0, LONGER, 0, "the record does not decode"},
        {'r', 0, GONE, 0, " 0: the roster's tree has another hash"},
        {'r', 0, FLIP, -1, "it is not the hash of what is below it"},
        {'r', 0, CUT, 0, "the record does not decode"},
        {'r', 5, GONE, 0, "the node above it is missing"},
        {'r', 2, MOVED, -5, " 1 2: it lies outside the tree"},
        {'r', 0, MOVED, -2, "it lies outside the tree"},
        {'s', 0, FLIP, -1, "bob 0: its event is missing or another"},
        {'s', 0, FLIP, 18, "it lies outside the group's log"},
        {'s', 0, CUT, 0, "bob 0: the record does not decode"},
        {'s', 0, MOVED, -2, "boc 0: its sender is no member"},
        {'u', 0, GONE, 0, "bob: the user's memberships don't list it"},
        {'u', 0, LONGER, 0, "the record does not decode"},
        {'v', 0, GONE, 0, "dave: the member left, and no leave waits"},
        {'v', 0, CUT, 0, "its statement does not decode"},
        {'v', 0, FLIP, 7, "it stands behind the group's last event"},
        {'v', 0, MOVED, -1, "its statement does not decode"},
        {'w', 0, FLIP, 3, "w bob"},
        {'w', 0, MOVED, -2, "its commit stands behind the log's end"},
    };
    for (size_t i = 0; i < sizeof corruptions / sizeof corruptions[0]; i++)
        corrupt(self, &corruptions[i]);
}

static void a_foreign_record_is_told_byte_by_byte(void **state)
{
    bench_t *self = *state;
    store_key_t key = key_of_kind('z');
    key_u8(&key, 0x1b); /* nothing of it may reach a terminal */
    put(self, &key, (bytes_t){(const uint8_t *)"x", 1});
    assert_int_equal(check(self), STATUS_OK);
    assert_string_equal(told(self), "7a1b: no record of this version has such a key\n");
    assert_int_equal(self->counts.unknown, 1);
}

static void a_store_that_can_not_be_read_is_told(void **state)
{
    bench_t *self = *state;
    store_unit_t unit = {0};
    status_t outcome;
    store_unit_put(&unit, "x", 1, "x", 1);
    store_memory_fail_next_write(self->setting->world->store, false);
    assert_int_equal(store_write(self->setting->world->store, &unit, 1, &outcome),
                     STATUS_STORE_FAILED);
    store_unit_wipe(&unit);
    assert_int_equal(check(self), STATUS_STORE_FAILED);
    assert_int_equal(self->counts.problems, 1);
    assert_non_null(strstr(told(self), "can't be read"));
    assert_int_equal(store_reopen(self->setting->world->store), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_used_store_is_sound, set_up_bench, tear_down_bench),
        cmocka_unit_test_setup_teardown(each_corruption_is_found, set_up_bench, tear_down_bench),
        cmocka_unit_test_setup_teardown(a_foreign_record_is_told_byte_by_byte, set_up_bench,
                                        tear_down_bench),
        cmocka_unit_test_setup_teardown(a_store_that_can_not_be_read_is_told, set_up_bench,
                                        tear_down_bench),
    };
    return cmocka_run_group_tests_name("check of a store", tests, NULL, NULL);
}
