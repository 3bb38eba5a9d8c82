/* SPDX-License-Identifier: MPL-2.0 */
/* Accounts as the operator changes them. */
#include "broker/rules/users.h"

#include "broker/rules/records.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)USER_GONE == ACCOUNT_GONE && (int)USER_ALIVE == ACCOUNT_ALIVE &&
                   (int)USER_DISABLED == ACCOUNT_DISABLED && (int)USER_RESET == ACCOUNT_RESET,
               "states are told as they are stored");

static status_t load_account_of(store_t *store, const name_t *name, account_t *out)
{
    store_key_t key = key_of_name(KEY_ACCOUNT, name);
    uint8_t *value = NULL;
    size_t size = 0;
    if (name_size(name) == 0)
        return STATUS_BAD_NAME;
    status_t status = store_get(store, key.bytes, key.size, &value, &size, NULL);
    if (status == STATUS_OK && !account_read(out, (bytes_t){value, size}))
        status = STATUS_STORE_FAILED;
    free(value);
    return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_USER : status;
}

static void put(store_unit_t *unit, const store_key_t *key, buffer_t *value)
{
    store_unit_put(unit, key->bytes, key->size, value->data, value->size);
    buffer_free(value);
}

static status_t write_unit(store_t *store, store_unit_t *unit)
{
    status_t outcome = STATUS_OK;
    status_t status = store_write(store, unit, 1, &outcome);
    store_unit_wipe(unit);
    return status == STATUS_OK ? outcome : status;
}

static void put_account(store_unit_t *unit, const name_t *name, const account_t *account)
{
    store_key_t key = key_of_name(KEY_ACCOUNT, name);
    buffer_t value = {0};
    account_write(account, &value);
    put(unit, &key, &value);
}

static uint64_t until_of(uint64_t now_ms, uint64_t valid_ms)
{
    return valid_ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + valid_ms;
}

static void put_invite(store_unit_t *unit, const name_t *name, uint64_t until_ms,
                       uint8_t invite[static INVITE_BYTES])
{
    store_key_t key = key_of_name(KEY_INVITE, name);
    buffer_t value = {0};
    invite_t record = {.until_ms = until_ms};
    randombytes_buf(invite, INVITE_BYTES);
    invite_hash(record.hash, invite);
    invite_write(&record, &value);
    put(unit, &key, &value);
}

status_t users_invite(store_t *store, const name_t *name, uint64_t now_ms, uint64_t valid_ms,
                      uint8_t invite[static INVITE_BYTES])
{
    account_t account;
    store_unit_t unit = {0};
    memset(invite, 0, INVITE_BYTES);
    status_t status = load_account_of(store, name, &account);
    if (status == STATUS_OK && account.state != ACCOUNT_RESET)
        return STATUS_NAME_TAKEN;
    if (status != STATUS_OK && status != STATUS_UNKNOWN_USER)
        return status;
    put_invite(&unit, name, until_of(now_ms, valid_ms), invite);
    return write_unit(store, &unit);
}

static bool note_one(void *context, const store_record_t *record)
{
    (void)record;
    ++*(uint64_t *)context;
    return true;
}

/* How many records a user has of a kind. */
static status_t count_of(store_t *store, int kind, const name_t *name, uint64_t *count)
{
    const store_key_t prefix = key_of_name(kind, name);
    *count = 0;
    return visit_stored(store, &prefix, false, note_one, count);
}

status_t users_reset(store_t *store, const name_t *name, uint64_t now_ms, uint64_t valid_ms,
                     uint8_t invite[static INVITE_BYTES])
{
    account_t account;
    store_unit_t unit = {0};
    uint64_t groups = 0, joins = 0;
    memset(invite, 0, INVITE_BYTES);
    status_t status = load_account_of(store, name, &account);
    if (status == STATUS_OK)
        status = count_of(store, KEY_MEMBERSHIP, name, &groups);
    if (status == STATUS_OK)
        status = count_of(store, KEY_ASKED, name, &joins);
    if (status == STATUS_OK && groups + joins > 0)
        status = STATUS_STILL_MEMBER;
    if (status != STATUS_OK)
        return status;
    account.state = ACCOUNT_RESET;
    put_account(&unit, name, &account);
    put_invite(&unit, name, until_of(now_ms, valid_ms), invite);
    return write_unit(store, &unit);
}

status_t users_enable(store_t *store, const name_t *name, bool is_enabled)
{
    account_t account;
    store_unit_t unit = {0};
    status_t status = load_account_of(store, name, &account);
    if (status == STATUS_OK && !account_is_alive(&account))
        status = STATUS_UNKNOWN_USER;
    if (status != STATUS_OK)
        return status;
    account.state = is_enabled ? ACCOUNT_ALIVE : ACCOUNT_DISABLED;
    put_account(&unit, name, &account);
    return write_unit(store, &unit);
}

/* --- The list --------------------------------------------------------------------------------- */

typedef struct {
    store_t *store;
    user_list_reply_t *reply;
    size_t capacity;
    status_t status;
} listing_t;

static bool read_name(const store_record_t *record, name_t *out)
{
    reader_t in = reader_of(record->key + 1, record->key_size - 1);
    *out = name8_read(&in);
    return reader_done(&in);
}

static bool list_account(void *context, const store_record_t *record)
{
    listing_t *self = context;
    if (self->reply->users.count == self->capacity) {
        self->reply->more = 1;
        return false;
    }
    user_entry_record_t *entry = &self->reply->users.items[self->reply->users.count];
    account_t account;
    *entry = (user_entry_record_t){0};
    if (!read_name(record, &entry->name) ||
        !account_read(&account, (bytes_t){record->value, record->value_size})) {
        self->status = STATUS_STORE_FAILED;
        return false;
    }
    entry->state = account.state;
    entry->since_ms = account.since_ms;
    self->status = count_of(self->store, KEY_MEMBERSHIP, &entry->name, &entry->groups);
    self->reply->users.count++;
    return self->status == STATUS_OK;
}

/* Those invited who have no account, or whose name was reset. */
static bool list_invite(void *context, const store_record_t *record)
{
    listing_t *self = context;
    invite_t invite;
    account_t account;
    user_entry_record_t entry = {.state = USER_INVITED};
    if (!read_name(record, &entry.name) ||
        !invite_read(&invite, (bytes_t){record->value, record->value_size})) {
        self->status = STATUS_STORE_FAILED;
        return false;
    }
    if (load_account_of(self->store, &entry.name, &account) == STATUS_OK)
        return true;
    if (self->reply->users.count == self->capacity) {
        self->reply->more = 1;
        return false;
    }
    entry.until_ms = invite.until_ms;
    self->reply->users.items[self->reply->users.count++] = entry;
    return true;
}

static status_t list_kind(listing_t *self, int kind, const name_t *after, store_visit_t *visit)
{
    store_key_t from = name_size(after) ? key_of_name(kind, after) : key_of_kind(kind);
    uint8_t end = (uint8_t)(kind + 1);
    if (name_size(after))
        key_u8(&from, 0); /* just behind it */
    store_range_t range = {.from = from.bytes, .from_size = from.size, .to = &end, .to_size = 1};
    status_t status = store_range(self->store, &range, visit, self);
    return status == STATUS_OK ? self->status : status;
}

status_t users_list(store_t *store, const name_t *after, bool invited, size_t capacity,
                    user_list_reply_t *reply)
{
    listing_t self = {.store = store, .reply = reply, .capacity = capacity};
    reply->users.count = 0;
    reply->more = 0;
    return list_kind(&self, invited ? KEY_INVITE : KEY_ACCOUNT, after,
                     invited ? list_invite : list_account);
}
