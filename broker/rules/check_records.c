/* SPDX-License-Identifier: MPL-2.0 */
/* Looking up what a record refers to; accounts, groups and their logs. */
#include "broker/rules/check_records.h"

#include "proto/commit.h"
#include "proto/message.h"
#include "proto/requests.h"
#include "proto/sealed_message.h"
#include "proto/statement.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

uint8_t *check_load(const check_t *self, const store_key_t *key, bytes_t *out)
{
    uint8_t *value = NULL;
    size_t size = 0;
    status_t status = store_get(self->store, key->bytes, key->size, &value, &size, NULL);
    *out = (bytes_t){value, size};
    return status == STATUS_OK ? value : NULL;
}

bool check_exists(const check_t *self, const store_key_t *key)
{
    return store_get(self->store, key->bytes, key->size, NULL, NULL, NULL) == STATUS_OK;
}

bool check_find_account(const check_t *self, const name_t *name, account_t *out)
{
    store_key_t key = key_of_name(KEY_ACCOUNT, name);
    bytes_t bytes;
    uint8_t *value = check_load(self, &key, &bytes);
    bool is_found = value && account_read(out, bytes);
    free(value);
    return is_found;
}

bool check_find_member(const check_t *self, const name_t *name, membership_t *out)
{
    store_key_t key = key_of_group_name(KEY_MEMBER, self->key.group, name);
    bytes_t bytes;
    uint8_t *value = check_load(self, &key, &bytes);
    bool is_found = value && membership_read(out, bytes);
    free(value);
    return is_found;
}

/* False, and told, if the record's group has no head that can be read. */
static bool find_head(check_t *self)
{
    if (!self->has_head_group || memcmp(self->head_group, self->key.group, GROUP_ID_BYTES) != 0) {
        store_key_t key = key_of_group(KEY_HEAD, self->key.group);
        bytes_t bytes;
        uint8_t *value = check_load(self, &key, &bytes);
        self->has_head = value && head_read(&self->head, bytes);
        self->has_head_group = true;
        memcpy(self->head_group, self->key.group, GROUP_ID_BYTES);
        free(value);
    }
    if (!self->has_head)
        check_problem(self, "its group has no head");
    return self->has_head;
}

bool check_begins(check_t *self, bool is_read)
{
    if (!is_read) {
        check_problem(self, "the record does not decode");
        return false;
    }
    return find_head(self);
}

void check_expect(check_t *self, bool holds, const char *otherwise)
{
    if (!holds)
        check_problem(self, otherwise);
}

void check_info(check_t *self)
{
    store_info_t info;
    check_expect(self, store_info_read(&info, self->value), "the record does not decode");
}

void check_account(check_t *self)
{
    account_t account;
    if (!account_read(&account, self->value)) {
        check_problem(self, "the record does not decode");
        return;
    }
    if (!self->broker_key)
        return;
    buffer_t statement = {0};
    statement_register(&statement, self->broker_key, self->key.name.text, account.identity_key);
    check_expect(self,
                 signature_verify(account.signature, account.identity_key,
                                  buffer_view(&statement)) == STATUS_OK,
                 "the registration's signature does not match");
    buffer_free(&statement);
}

void check_invite(check_t *self)
{
    invite_t invite;
    check_expect(self, invite_read(&invite, self->value), "the record does not decode");
}

void check_restore(check_t *self)
{
    restore_t restore;
    check_expect(self, restore_read(&restore, self->value), "the record does not decode");
    store_key_t before = key_of_kind(KEY_RESTORE);
    key_u32(&before, (uint32_t)self->key.number - 1);
    check_expect(self, self->key.number == 1 || check_exists(self, &before),
                 "the restore before it is missing");
}

void check_restored(check_t *self)
{
    log_end_t end;
    if (!check_begins(self, log_end_read(&end, self->value)))
        return;
    store_key_t restore = key_of_kind(KEY_RESTORE);
    key_u32(&restore, (uint32_t)self->key.number);
    check_expect(self, check_exists(self, &restore), "the restore is not noted");
    check_expect(self, end.sequence <= self->head.sequence && end.epoch <= self->head.epoch,
                 "it lies behind the log's end");
}

void check_group_name(check_t *self)
{
    if (!bytes_record_read(self->key.group, GROUP_ID_BYTES, self->value)) {
        check_problem(self, "the record does not decode");
        return;
    }
    if (find_head(self))
        check_expect(self, !self->head.ended && name_equal(&self->head.name, &self->key.name),
                     "the group that it names is another, or has ended");
}

typedef struct {
    uint64_t records;
    uint64_t members;
    uint64_t admins;
    uint64_t first; /* number in the first key */
    uint64_t last;
} tally_t;

static bool count_record(void *context, const store_record_t *record)
{
    tally_t *tally = context;
    membership_t member;
    if (record->key[0] == KEY_MEMBER &&
        membership_read(&member, (bytes_t){record->value, record->value_size}) &&
        member.until_sequence == 0) {
        tally->members++;
        tally->admins += member.role == ROLE_ADMIN;
    }
    if (record->key_size >= 1 + GROUP_ID_BYTES + 8)
        tally->last = get_u64(record->key + record->key_size - 8);
    if (tally->records++ == 0)
        tally->first = tally->last;
    return true;
}

/* What lies under a group in one kind of record. */
static tally_t tally_of(const check_t *self, int kind)
{
    tally_t tally = {0};
    const store_key_t prefix = key_of_group(kind, self->key.group);
    if (visit_stored(self->store, &prefix, false, count_record, &tally) != STATUS_OK)
        tally.records = UINT64_MAX; /* matches no count */
    return tally;
}

static void check_events_of(check_t *self)
{
    const head_t *head = &self->head;
    tally_t events = tally_of(self, KEY_EVENT);
    bool is_empty = head->first_sequence == head->sequence + 1;
    check_expect(self, head->first_sequence > 0 && head->first_sequence <= head->sequence + 1,
                 "its first event lies behind its last");
    check_expect(self,
                 is_empty ? events.records == 0
                          : events.records > 0 && events.first == head->first_sequence &&
                                events.last == head->sequence,
                 "its events don't reach from its first to its last");
    tally_t commits = tally_of(self, KEY_COMMIT);
    check_expect(self, head->epoch > 0 && commits.records > 0 && commits.last == head->epoch - 1,
                 "the commit that began its epoch is not noted");
}

void check_head(check_t *self)
{
    if (!check_begins(self, true))
        return; /* told: it does not decode */
    const head_t *head = &self->head;
    account_t creator;
    check_events_of(self);
    check_expect(self, check_find_account(self, &head->creator, &creator),
                 "its creator has no account");
    if (head->ended)
        return;
    uint8_t group[GROUP_ID_BYTES];
    store_key_t name = key_of_name(KEY_NAME, &head->name);
    bytes_t bytes;
    uint8_t *value = check_load(self, &name, &bytes);
    check_expect(self,
                 value && bytes_record_read(group, sizeof group, bytes) &&
                     memcmp(group, self->key.group, sizeof group) == 0,
                 "its name does not lead to it");
    free(value);
    tally_t members = tally_of(self, KEY_MEMBER);
    check_expect(self, members.members == head->members, "it counts another number of members");
    check_expect(self, members.admins == head->admins, "it counts another number of admins");
    check_expect(self, tally_of(self, KEY_LEAVE).records == head->leaves_due,
                 "it counts another number of leaves that wait");
    check_expect(self, tally_of(self, KEY_JOIN).records == head->pending_joins,
                 "it counts another number of joins that wait");
}

/* Whether this number continues what came before it in the same group. */
static void continue_run(check_t *self, char kind, const char *otherwise)
{
    bool is_same =
        self->run_kind == kind && memcmp(self->run_group, self->key.group, GROUP_ID_BYTES) == 0;
    if (is_same)
        check_expect(self, self->key.number == self->run_number + 1, otherwise);
    else
        self->run_time_ms = 0;
    self->run_kind = kind;
    self->run_number = self->key.number;
    memcpy(self->run_group, self->key.group, GROUP_ID_BYTES);
}

bool check_finds_event(const check_t *self, uint64_t sequence, uint8_t kind, const name_t *sender,
                       const uint8_t hash[static HASH_BYTES])
{
    store_key_t key = key_of_group(KEY_EVENT, self->key.group);
    key_u64(&key, sequence);
    event_t event;
    bytes_t bytes;
    uint8_t actual[HASH_BYTES];
    uint8_t *value = check_load(self, &key, &bytes);
    bool is_found = value && event_read(&event, bytes) && event.kind == kind &&
                    (!sender || name_equal(&event.sender, sender));
    if (is_found) {
        (void)crypto_generichash(actual, HASH_BYTES, event.payload.data, event.payload.size, NULL,
                                 0);
        is_found = memcmp(actual, hash, HASH_BYTES) == 0;
    }
    free(value);
    return is_found;
}

void check_commit(check_t *self)
{
    commit_record_t commit;
    continue_run(self, KEY_COMMIT, "a commit before it is missing");
    if (!check_begins(self, commit_record_read(&commit, self->value)))
        return;
    check_expect(self, self->key.number < self->head.epoch,
                 "it leaves an epoch that is still to come");
    check_expect(self, commit.sequence <= self->head.sequence,
                 "it stands behind the group's last event");
    if (commit.sequence >= self->head.first_sequence && commit.sequence <= self->head.sequence)
        check_expect(self,
                     check_finds_event(self, commit.sequence, EVENT_COMMIT, NULL, commit.hash),
                     "its event is missing or another");
}

static bool payload_decodes(const event_t *event, const uint8_t *group)
{
    commit_t commit;
    message_header_t header;
    leave_t leave;
    bytes_t header_bytes, sealed;
    bool is_ours = false;
    switch (event->kind) {
    case EVENT_COMMIT:
        if (commit_parse(&commit, event->payload) != STATUS_OK)
            return false;
        is_ours = memcmp(commit.group, group, GROUP_ID_BYTES) == 0;
        commit_wipe(&commit);
        return is_ours;
    case EVENT_MESSAGE:
        return message_header_parse(&header, event->payload, &header_bytes, &sealed) == STATUS_OK;
    case EVENT_LEAVE:
        return leave_parse(&leave, event->payload) == STATUS_OK &&
               memcmp(leave.group, group, GROUP_ID_BYTES) == 0;
    default:
        return false;
    }
}

void check_event(check_t *self)
{
    event_t event;
    account_t sender;
    continue_run(self, KEY_EVENT, "an event before it is missing");
    if (!check_begins(self, event_read(&event, self->value)))
        return;
    check_expect(self,
                 self->key.number >= self->head.first_sequence &&
                     self->key.number <= self->head.sequence,
                 "it lies outside the group's log");
    check_expect(self, event.time_ms >= self->run_time_ms, "it is older than the event before it");
    self->run_time_ms = event.time_ms;
    check_expect(self, payload_decodes(&event, self->key.group), "its payload does not decode");
    check_expect(self, check_find_account(self, &event.sender, &sender),
                 "its sender has no account");
}
