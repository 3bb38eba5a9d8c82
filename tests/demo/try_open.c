/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What could each of them read? Hands a broker's whole log of a group to copies of people's homes,
 * which try to open every message with all the keys they hold, and prints the table beside what the
 * broker sees.
 *
 *   try_open STORE GROUP RESULTS NAME=HOME:PASSWORD_FILE...
 *
 * STORE is the store of a broker that doesn't run. RESULTS is written with a line a message and
 * person: sequence, name, status, text.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/rules/records.h"
#include "broker/store/store_rocksdb.h"
#include "client/core/vault_rows.h"
#include "client/home/home_identity.h"
#include "client/keys/group_state.h"
#include "client/keys/kdf.h"
#include "client/ui/format.h"
#include "client/ui/locale.h"
#include "client/ui/password.h"
#include "client/ui/safe_text.h"
#include "client/vault/vault_sqlite.h"
#include "proto/memory.h"
#include "proto/message.h"

#define PEOPLE_MAX   6
#define LEFT_COLUMNS 38
#define CELL_MIN     12
#define CELL_MAX     26

/* A copy of somebody's home, with the keys it holds of the group; keys is NULL if it holds none. */
typedef struct {
    char *name;
    identity_t *identity;
    vault_t *vault;
    group_state_t *keys;
} thief_t;

typedef struct {
    bool colours;
    bool ascii;
    size_t cell; /* columns of one person */
    FILE *results;
    uint8_t group[GROUP_ID_BYTES];
    thief_t people[PEOPLE_MAX];
    size_t people_count;
} table_t;

static void fail(const char *what, status_t status)
{
    fprintf(stderr, "try_open: %s: %s (%s)\n", what, status_text(status), status_name(status));
    exit(1);
}

static bool load_key_row(void *context, bytes_t key, bytes_t value)
{
    thief_t *self = context;
    if (!self->keys)
        self->keys = group_state_load_new();
    status_t status = group_state_load_row(self->keys, row_key_tail(key), value);
    if (status)
        fail("group keys", status);
    return true;
}

static void thief_open(thief_t *self, char *argument, const uint8_t *group)
{
    char *home_path = strchr(argument, '=');
    char *password_path = home_path ? strrchr(argument, ':') : NULL;
    if (!home_path || !password_path)
        fail(argument, STATUS_USAGE);
    *home_path++ = *password_path++ = '\0';
    self->name = argument;

    home_t *home = NULL;
    password_t password = {0};
    bool exposed = false;
    status_t status = home_new(&home, home_path);
    if (!status)
        status = password_read_file(&password, password_path, &exposed);
    if (!status)
        status = home_identity_open(home, password.bytes, password.size, &self->identity);
    password_wipe(&password);
    if (status)
        fail(home_path, status);
    secret_t key;
    kdf(&key, identity_vault_key(self->identity), KDF_VAULT, "member.vault",
        strlen("member.vault"));
    char *vault_path = home_file(home, "member.vault");
    status = vault_sqlite_open(&self->vault, vault_path, key.bytes);
    secret_wipe(&key);
    free(vault_path);
    home_destroy(&home);
    if (status)
        fail(home_path, status);
    /* The head row comes first, as group_state wants it. */
    static const char kinds[] = "henc";
    for (const char *kind = kinds; *kind && !status; kind++) {
        row_key_t prefix = row_key_of_group(ROW_KEYS, group);
        prefix.bytes[prefix.size++] = (uint8_t)*kind;
        status = vault_range(self->vault, row_key_view(&prefix), (bytes_t){0}, false, load_key_row,
                             self);
    }
    if (!status && self->keys)
        status = group_state_load_end(self->keys);
    if (status)
        fail(home_path, status);
}

/* One cell: text in green where it opened, the reason in red where not. */
static void print_cell(const table_t *self, status_t status, const char *text, size_t size)
{
    char *safe = safe_text_new(text, size, (safe_text_options_t){.ascii = self->ascii});
    char *shown = safe_text_truncate(safe, self->cell - 2, self->ascii);
    size_t width = safe_text_width(shown);
    const char *colour = status ? "\033[31m" : "\033[32m";
    printf("%s%s%s%*s", self->colours ? colour : "", shown, self->colours ? "\033[0m" : "",
           (int)(self->cell - width), "");
    free(shown);
    free(safe);
}

static void try_message(table_t *self, thief_t *thief, uint64_t sequence, bytes_t sealed)
{
    opened_message_t opened = {0};
    status_t status =
        thief->keys ? group_state_open(thief->keys, sealed, NULL, &opened) : STATUS_NO_KEY;
    if (status == STATUS_UNPROVEN)
        status = STATUS_OK; /* whether the sender is proven is not the question here */
    text_t text = {0};
    uint64_t sent_ms = 0;
    if (!status)
        status = text_content_read(buffer_view(&opened.content), &sent_ms, &text);
    char reason[64];
    bool no_key = status == STATUS_NO_KEY || status == STATUS_STALE_EPOCH ||
                  status == STATUS_EPOCH_AHEAD || status == STATUS_UNKNOWN_LEAF;
    snprintf(reason, sizeof reason, "- %s", no_key ? "no key" : status_name(status));
    if (status)
        text = (text_t){reason, strlen(reason)};
    fprintf(self->results, "%llu\t%s\t%s\t%.*s\n", (unsigned long long)sequence, thief->name,
            status_name(status), status ? 0 : (int)text.size, text.data);
    print_cell(self, status, text.data, text.size);
    opened_message_wipe(&opened);
}

/* Everybody follows each change of membership as far as their keys lead them. */
static void try_commit(table_t *self, thief_t *thief, bytes_t bytes)
{
    commit_t commit;
    if (commit_parse(&commit, bytes))
        return;
    commit_outcome_t outcome;
    const char *cell = "";
    if (thief->keys && commit.epoch == group_state_epoch(thief->keys)) {
        status_t status = group_state_apply_commit(thief->keys, bytes, &outcome);
        cell = status ? "| can't follow" : outcome == COMMIT_REMOVED_ME ? "| is out" : "| new key";
    }
    commit_wipe(&commit);
    print_cell(self, STATUS_BAD_SEAL, cell, strlen(cell));
}

static void print_broker_view(const table_t *self, uint64_t sequence, const event_t *event)
{
    static const char *const kinds[] = {"?", "msg", "commit", "leave"};
    char line[128];
    message_header_t header;
    bytes_t header_bytes, sealed;
    int size = snprintf(line, sizeof line, "%4llu %-6s %-6.6s", (unsigned long long)sequence,
                        kinds[event->kind <= EVENT_LEAVE ? event->kind : 0], event->sender.text);
    if (event->kind == EVENT_MESSAGE &&
        !message_header_parse(&header, event->payload, &header_bytes, &sealed))
        snprintf(line + size, sizeof line - (size_t)size, " %5zu B %02x%02x%02x%02x…",
                 event->payload.size, sealed.data[0], sealed.data[1], sealed.data[2],
                 sealed.data[3]);
    else
        snprintf(line + size, sizeof line - (size_t)size, " %5zu B", event->payload.size);
    size_t width = safe_text_width(line);
    printf("%s%s%s%*s", self->colours ? "\033[2m" : "", line, self->colours ? "\033[0m" : "",
           width < LEFT_COLUMNS ? (int)(LEFT_COLUMNS - width) : 1, "");
}

static bool visit_event(void *context, const store_record_t *record)
{
    table_t *self = context;
    event_t event;
    if (!event_read(&event, (bytes_t){record->value, record->value_size}))
        fail("event", STATUS_DAMAGED_FILE);
    uint64_t sequence = get_u64(record->key + record->key_size - 8);
    print_broker_view(self, sequence, &event);
    for (size_t i = 0; i < self->people_count; i++) {
        if (event.kind == EVENT_MESSAGE)
            try_message(self, &self->people[i], sequence, event.payload);
        else if (event.kind == EVENT_COMMIT)
            try_commit(self, &self->people[i], event.payload);
    }
    printf("\n");
    return true;
}

static void find_group(table_t *self, store_t *store, const char *name)
{
    name_t group;
    status_t status = name_parse(&group, name);
    uint8_t *value = NULL;
    size_t size = 0;
    store_key_t key = key_of_name(KEY_NAME, &group);
    if (!status)
        status = store_get(store, key.bytes, key.size, &value, &size, NULL);
    if (!status && !bytes_record_read(self->group, GROUP_ID_BYTES, (bytes_t){value, size}))
        status = STATUS_DAMAGED_FILE;
    free(value);
    if (status)
        fail(name, status);
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc - 4 > PEOPLE_MAX || sodium_init() < 0) {
        fputs("usage: try_open STORE GROUP RESULTS NAME=HOME:PASSWORD_FILE...\n", stderr);
        return 2;
    }
    const char *no_colour = getenv("NO_COLOR");
    table_t table = {.ascii = locale_init(),
                     .colours = isatty(STDOUT_FILENO) && !(no_colour && *no_colour)};
    size_t columns = format_columns(stdout), people = (size_t)argc - 4;
    table.cell = columns > LEFT_COLUMNS ? (columns - LEFT_COLUMNS) / people : 0;
    table.cell = table.cell < CELL_MIN ? CELL_MIN : table.cell > CELL_MAX ? CELL_MAX : table.cell;
    store_t *store = NULL;
    status_t status = store_rocksdb_open(argv[1], NULL, &store);
    if (status)
        fail(argv[1], status);
    find_group(&table, store, argv[2]);
    table.results = fopen(argv[3], "w");
    if (!table.results)
        fail(argv[3], STATUS_IO_ERROR);
    printf("  %-*s", LEFT_COLUMNS - 2, "what the broker sees");
    for (int i = 4; i < argc; i++) {
        thief_open(&table.people[table.people_count++], argv[i], table.group);
        printf("%-*s", (int)table.cell, argv[i]);
    }
    printf("\n");
    store_key_t from = key_of_group(KEY_EVENT, table.group), to = from;
    key_u64(&from, 0);
    key_u64(&to, UINT64_MAX);
    store_range_t range = {
        .from = from.bytes, .from_size = from.size, .to = to.bytes, .to_size = to.size};
    status = store_range(store, &range, visit_event, &table);
    if (status)
        fail("the log", status);
    for (size_t i = 0; i < table.people_count; i++) {
        group_state_destroy(&table.people[i].keys);
        vault_destroy(&table.people[i].vault);
        identity_destroy(&table.people[i].identity);
    }
    store_destroy(&store);
    return fclose(table.results) == 0 ? 0 : 1;
}
