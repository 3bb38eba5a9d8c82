/* SPDX-License-Identifier: MPL-2.0 */
/* One pass over all records; what a record refers to is looked up as it comes. */
#include "broker/rules/check_records.h"

#include <stdio.h>
#include <string.h>

/* The parts of a key in order: G group, U user or group name, 1 4 8 integers of so many bytes. */
typedef struct {
    char letter;
    const char *parts;
    const char *name;
    void (*check)(check_t *self);
} kind_t;

static const kind_t kinds[] = {
    {KEY_STORE, "", "store", check_info},
    {KEY_ACCOUNT, "U", "accounts", check_account},
    {KEY_RESTORE, "4", "restores", check_restore},
    {KEY_COMMIT, "G8", "commits", check_commit},
    {KEY_RESTORED, "G4", "log ends at restores", check_restored},
    {KEY_EVENT, "G8", "events", check_event},
    {KEY_FORMER, "UG", "past memberships", check_former},
    {KEY_HEAD, "G", "groups", check_head},
    {KEY_INVITE, "U", "invites", check_invite},
    {KEY_JOIN, "GU", "joins that wait", check_join},
    {KEY_CURSOR, "GU", "cursors", check_cursor},
    {KEY_LEAF, "G4", "roster entries", check_leaf},
    {KEY_MEMBER, "GU", "members", check_member},
    {KEY_NAME, "U", "group names", check_group_name},
    {KEY_ASKED, "UG", "joins by user", check_asked},
    {KEY_NODE, "G14", "roster nodes", check_node},
    {KEY_SENT, "GU1", "last messages", check_sent},
    {KEY_MEMBERSHIP, "UG", "memberships", check_membership},
    {KEY_LEAVE, "G4", "leaves that wait", check_leave},
    {KEY_WELCOME, "UG8", "welcomes that wait", check_welcome},
};

#define KIND_COUNT (sizeof kinds / sizeof kinds[0])
_Static_assert(KIND_COUNT == CHECK_KINDS, "each kind of record has a row");

const char *check_kind_name(size_t kind)
{
    return kinds[kind].name;
}

static const kind_t *find_kind(char letter)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (kinds[i].letter == letter)
            return &kinds[i];
    return NULL;
}

static bool parse_key(check_key_t *out, const char *parts, const store_record_t *record)
{
    reader_t in = reader_of(record->key + 1, record->key_size - 1);
    *out = (check_key_t){.number = 0};
    for (const char *part = parts; *part; part++) {
        if (*part == 'G')
            reader_copy(&in, out->group, GROUP_ID_BYTES);
        else if (*part == 'U')
            out->name = name8_read(&in);
        else if (*part == '1')
            out->part = reader_u8(&in);
        else
            out->number = *part == '4' ? reader_u32(&in) : reader_u64(&in);
    }
    return reader_done(&in);
}

enum { KEY_TEXT_BYTES = 2 * sizeof(((store_key_t *)NULL)->bytes) + 8 };

static void append_hex(char *text, const uint8_t *bytes, size_t size)
{
    text += strlen(text);
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* A key that doesn't parse is told byte by byte. */
static void write_key(const check_t *self, const kind_t *kind, char out[static KEY_TEXT_BYTES])
{
    out[0] = '\0';
    if (!kind) {
        append_hex(out, self->raw_key.bytes, self->raw_key.size);
        return;
    }
    out[0] = kind->letter;
    out[1] = '\0';
    for (const char *part = kind->parts; *part; part++) {
        char *end = out + strlen(out);
        *end++ = ' ';
        *end = '\0';
        if (*part == 'G')
            append_hex(out, self->key.group, GROUP_ID_BYTES);
        else if (*part == 'U')
            memcpy(end, self->key.name.text, name_size(&self->key.name) + 1);
        else
            snprintf(end, 21, "%llu",
                     *part == '1' ? self->key.part : (unsigned long long)self->key.number);
    }
}

static void tell_of(check_t *self, const kind_t *kind, const char *reason)
{
    char key[KEY_TEXT_BYTES];
    write_key(self, kind, key);
    self->counts->problems++;
    self->tell(self->context, key, reason);
}

void check_problem(check_t *self, const char *reason)
{
    tell_of(self, find_kind((char)self->raw_key.bytes[0]), reason);
}

static bool check_record(void *context, const store_record_t *record)
{
    check_t *self = context;
    const kind_t *kind = find_kind((char)record->key[0]);
    self->raw_key = key_of_record(record);
    self->value = (bytes_t){record->value, record->value_size};
    self->counts->bytes += record->key_size + record->value_size;
    if (!kind) {
        self->counts->unknown++;
        tell_of(self, NULL, "no record of this version has such a key");
        return true;
    }
    self->counts->records[kind - kinds]++;
    if (!parse_key(&self->key, kind->parts, record))
        tell_of(self, NULL, "the key is malformed");
    else
        kind->check(self);
    return true;
}

status_t check_run(store_t *store, const uint8_t *broker_key, check_tell_t *tell, void *context,
                   check_counts_t *counts)
{
    check_t self = {.store = store,
                    .broker_key = broker_key,
                    .tell = tell,
                    .context = context,
                    .counts = counts};
    store_range_t all = {0};
    *counts = (check_counts_t){0};
    status_t status = store_range(store, &all, check_record, &self);
    if (status != STATUS_OK) {
        counts->problems++;
        tell(context, "-", "the store can't be read beyond the records counted so far");
    } else if (counts->records[0] == 0) {
        counts->problems++;
        tell(context, "!", "the store's own record is missing");
    }
    return status;
}
