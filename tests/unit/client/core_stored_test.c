/* SPDX-License-Identifier: MPL-2.0 */
/* What the cores read back from their vaults: a row of a newer version is refused by that name, one
 * that is cut short or goes on too long as damaged; nothing half-read is worked with. */
#include "tests/unit/client/core_room.h"

#include <sodium.h>

#include "client/core/mail.h"
#include "proto/statement.h"

typedef struct {
    size_t count;
    row_key_t keys[128];
} row_keys_t;

static bool note_key(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    row_keys_t *keys = context;
    assert_in_range(keys->count, 0, 127);
    row_key_t *to = &keys->keys[keys->count++];
    assert_in_range(key.size, 1, sizeof to->bytes);
    memcpy(to->bytes, key.data, key.size);
    to->size = key.size;
    return true;
}

static row_keys_t *keys_of(vault_t *vault)
{
    row_keys_t *keys = mem_zalloc(1, sizeof *keys);
    assert_int_equal(vault_range(vault, (bytes_t){0}, (bytes_t){0}, false, note_key, keys),
                     STATUS_OK);
    return keys;
}

static void put(vault_t *vault, bytes_t key, bytes_t value)
{
    writes_t writes = {0};
    writes_put(&writes, key, value);
    assert_int_equal(vault_apply(vault, &writes), STATUS_OK);
    writes_wipe(&writes);
}

/* The status of a start on a copy of that vault with one row replaced. */
static status_t start_with(const peer_t *peer, bytes_t key, bytes_t value)
{
    vault_t *vault = vault_memory_copy(peer->vault);
    put(vault, key, value);
    core_config_t config = {.poll_period_ms = 1000, .call_deadline_ms = 5000};
    core_t *core = NULL;
    status_t status = peer->make(&core, &config, peer->identity, vault);
    assert_true(status || core);
    assert_false(status && core);
    core_destroy(&core);
    vault_destroy(&vault);
    return status;
}

/* Whether the row starts with a format number: heads of keys and all rows of the cores' own do. */
static bool has_format(const row_key_t *key)
{
    bool is_of_keys = key->bytes[0] == ROW_KEYS || key->bytes[0] == ROW_HOLDER;
    return !is_of_keys || key->bytes[1 + GROUP_ID_BYTES] == 'h';
}

/* All rows that are read at the start, each in turn. Returns how many kinds were seen. */
static size_t refuses_each(const peer_t *peer, const char *read_later)
{
    row_keys_t *keys = keys_of(peer->vault);
    bool seen[256] = {false};
    size_t kinds = 0;
    for (size_t i = 0; i < keys->count; i++) {
        const row_key_t *key = &keys->keys[i];
        bytes_t name = row_key_view(key);
        if (strchr(read_later, key->bytes[0]) || key->bytes[0] == ROW_FORMAT)
            continue;
        kinds += !seen[key->bytes[0]];
        seen[key->bytes[0]] = true;
        buffer_t value = {0};
        assert_int_equal(vault_get(peer->vault, name, &value), STATUS_OK);
        assert_int_equal(start_with(peer, name, buffer_view(&value)), STATUS_OK);
        for (size_t size = 0; size < value.size; size++)
            assert_int_equal(start_with(peer, name, (bytes_t){value.data, size}),
                             STATUS_DAMAGED_FILE);
        buffer_u8(&value, 0);
        assert_int_equal(start_with(peer, name, buffer_view(&value)), STATUS_DAMAGED_FILE);
        value.size--;
        value.data[0] = 0xff;
        if (has_format(key))
            assert_int_equal(start_with(peer, name, buffer_view(&value)), STATUS_NEWER_FORMAT);
        buffer_wipe(&value);
    }
    free(keys);
    return kinds;
}

/* Unanswered: an own join of another group, an own text, a message whose sender isn't proven. */
static void fill(room_t *self)
{
    buffer_t sealed = {0};
    alice_says(self, "proven");
    prove_alice(self, true);
    assert_int_not_equal(bob_sends(self, 60, "on its way", &sealed), 0);
    name_t name;
    assert_int_equal(name_parse(&name, "elsewhere"), STATUS_OK);
    peer_request(&self->bob, LOCAL_VERB_join, 61, &(local_join_request_t){.name = name});
    lookup_reply_t lookup = {.group = {5}, .epoch = 1, .members = 1};
    lookup.creator = *identity_name(self->alice);
    memcpy(lookup.creator_key, identity_key(self->alice), KEY_BYTES);
    peer_answer(&self->bob, VERB_lookup, STATUS_OK, &lookup);
    buffer_free(&sealed);
}

static void test_the_members_rows(void **state)
{
    room_t *self = *state;
    alice_says(self, "not proven yet");
    assert_int_equal(peer_rows(&self->bob, ROW_WAITING), 1);
    assert_int_equal(refuses_each(&self->bob, "LU"), 5); /* G K M W P */
    fill(self);
    assert_int_equal(peer_rows(&self->bob, ROW_WAITING), 0);
    assert_int_equal(refuses_each(&self->bob, "LU"), 6); /* G K M J O P */
}

/* Lines are read when somebody asks for them: the one who asks is told. */
static void test_a_damaged_line_is_told_to_who_asks(void **state)
{
    room_t *self = *state;
    row_keys_t *keys = keys_of(self->bob.vault);
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].bytes[0] == ROW_LINE)
            put(self->bob.vault, row_key_view(&keys->keys[i]), (bytes_t){(const uint8_t *)"x", 1});
    local_history_request_t body = {.name = *holder_group_name(self->holder), .last = 10};
    peer_request(&self->bob, LOCAL_VERB_history, 62, &body);
    assert_int_equal(peer_told(&self->bob, LOCAL_VERB_history), STATUS_DAMAGED_FILE);
    free(keys);
}

/* As many joins of one group as are kept, and one more. */
static void test_a_row_too_many_is_refused(void **state)
{
    room_t *self = *state;
    fill(self);
    row_keys_t *keys = keys_of(self->bob.vault);
    for (size_t i = 0; i < keys->count; i++) {
        row_key_t *key = &keys->keys[i];
        if (key->bytes[0] != ROW_JOIN)
            continue;
        buffer_t value = {0};
        assert_int_equal(vault_get(self->bob.vault, row_key_view(key), &value), STATUS_OK);
        for (uint8_t more = 1; more <= 4; more++) {
            key->bytes[key->size - 1] = (uint8_t)(100 + more);
            status_t expected = more < 4 ? STATUS_OK : STATUS_DAMAGED_FILE;
            assert_int_equal(start_with(&self->bob, row_key_view(key), buffer_view(&value)),
                             expected);
            put(self->bob.vault, row_key_view(key), buffer_view(&value));
        }
        buffer_wipe(&value);
    }
    free(keys);
}

static void test_a_key_too_short_is_refused(void **state)
{
    room_t *self = *state;
    static const uint8_t cut[] = {ROW_GROUP, 1, 2};
    assert_int_equal(start_with(&self->bob, (bytes_t){cut, sizeof cut}, (bytes_t){cut, 1}),
                     STATUS_DAMAGED_FILE);
}

/* A group of its own, in creation: its tree, its row, the commit that waits for an answer. */
static void test_the_admins_rows(void **state)
{
    (void)state;
    peer_t ada = {.make = admin_core_new, .now = {1700000000000u, 1000}};
    ada.identity = peer_identity("ada");
    ada.vault = vault_memory_new();
    peer_start(&ada);
    peer_login(&ada);
    uint8_t transcript[HASH_BYTES];
    mail_t mail = {.kind = MAIL_CREATE, .group = {4}, .number = HOLD_DEFAULT_MS};
    assert_int_equal(name_parse(&mail.name, "room"), STATUS_OK);
    transcript_start(transcript, mail.group, identity_key(ada.identity), "room");
    buffer_t request = {0}, bytes = {0};
    secret_t prekey;
    identity_make_join_request(ada.identity, mail.group, transcript, &request, &prekey);
    mail.bytes = buffer_view(&request);
    mail_write(&mail, &bytes);
    effects_t effects = {0};
    ada.core->ops->mail(ada.core, ada.now, buffer_view(&bytes), &effects);
    peer_take(&ada, &effects);
    assert_int_equal(refuses_each(&ada, "P"), 3); /* A H C */
    buffer_free(&request);
    buffer_free(&bytes);
    peer_wipe(&ada);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(test_the_members_rows),
        ROOM_TEST(test_a_damaged_line_is_told_to_who_asks),
        ROOM_TEST(test_a_row_too_many_is_refused),
        ROOM_TEST(test_a_key_too_short_is_refused),
        cmocka_unit_test(test_the_admins_rows),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
