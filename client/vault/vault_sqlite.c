/* SPDX-License-Identifier: MPL-2.0 */
#include "client/vault/vault_sqlite.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/vault/sqlite_session.h"
#include "client/vault/vault_seal.h"
#include "proto/memory.h"

enum { VAULT_FORMAT = 1 };

typedef struct {
    vault_t base;
    sqlite_session_t session;
    uint8_t seal_key[KEY_BYTES];
} vault_sqlite_t;

/* The format row's seal tells a wrong key before anything is read or written under it. */
static const uint8_t format_key[] = "\0format";
static const uint8_t format_value[] = "conclave vault";

static bytes_t view(const void *data, size_t size)
{
    return (bytes_t){data, size};
}

static vault_sqlite_t *of(vault_t *base)
{
    return (vault_sqlite_t *)(void *)base;
}

static bool has_prefix(bytes_t key, bytes_t prefix)
{
    return key.size >= prefix.size &&
           (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0);
}

/* The first key after all that start with prefix. False: there is none, the range goes to the
 * table's end. */
static bool prefix_end(bytes_t prefix, buffer_t *out)
{
    size_t size = prefix.size;
    while (size > 0 && prefix.data[size - 1] == 0xff)
        size--;
    if (size == 0)
        return false;
    buffer_append(out, prefix.data, size);
    out->data[size - 1]++;
    return true;
}

static int compare(bytes_t a, bytes_t b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static status_t get(vault_t *base, bytes_t key, buffer_t *out)
{
    vault_sqlite_t *self = of(base);
    sqlite3_stmt *statement = NULL;
    status_t status = sqlite_session_take(&self->session, SQL_GET, &statement);
    if (status != STATUS_OK)
        return status;
    status = sqlite_bind(statement, 1, key);
    if (status == STATUS_OK) {
        int rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
            status = vault_seal_read(out, self->seal_key, VAULT_FORMAT, key,
                                     sqlite_column(statement, 0));
        else
            status = rc == SQLITE_DONE ? STATUS_NOT_FOUND : sqlite_status(rc);
    }
    sqlite_session_done(&self->session, SQL_GET, statement);
    return status;
}

/* Where a range begins: which statement, and its parameter in *from. */
static sql_t range_begin(bytes_t prefix, bytes_t start, bool reverse, buffer_t *from)
{
    if (!reverse) {
        bytes_t low = compare(start, prefix) < 0 ? prefix : start;
        buffer_append(from, low.size > 0 ? low.data : (const uint8_t *)"", low.size);
        return SQL_UP_FROM;
    }
    bool start_is_inside = start.size > 0 && has_prefix(start, prefix);
    bool start_is_before = start.size > 0 && compare(start, prefix) < 0;
    if (start_is_inside || start_is_before) {
        buffer_append(from, start.data, start.size);
        return SQL_DOWN_FROM;
    }
    return prefix_end(prefix, from) ? SQL_DOWN_BEFORE : SQL_DOWN;
}

static status_t visit_rows(vault_sqlite_t *self, sqlite3_stmt *statement, bytes_t prefix,
                           vault_visit_fn *visit, void *context)
{
    buffer_t value = {0};
    status_t status = STATUS_OK;
    for (;;) {
        int rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW) {
            status = sqlite_status(rc);
            break;
        }
        bytes_t key = sqlite_column(statement, 0);
        if (!has_prefix(key, prefix))
            break;
        if (value.size > 0)
            sodium_memzero(value.data, value.size);
        buffer_clear(&value);
        status =
            vault_seal_read(&value, self->seal_key, VAULT_FORMAT, key, sqlite_column(statement, 1));
        if (status != STATUS_OK || !visit(context, key, buffer_view(&value)))
            break;
    }
    buffer_wipe(&value);
    return status;
}

static status_t range(vault_t *base, bytes_t prefix, bytes_t start, bool reverse,
                      vault_visit_fn *visit, void *context)
{
    vault_sqlite_t *self = of(base);
    buffer_t from = {0};
    sql_t sql = range_begin(prefix, start, reverse, &from);
    sqlite3_stmt *statement = NULL;
    status_t status = sqlite_session_take(&self->session, sql, &statement);
    if (status == STATUS_OK && sql != SQL_DOWN)
        status = sqlite_bind(statement, 1, buffer_view(&from));
    if (status == STATUS_OK)
        status = visit_rows(self, statement, prefix, visit, context);
    if (statement)
        sqlite_session_done(&self->session, sql, statement);
    buffer_free(&from);
    return status;
}

typedef struct {
    vault_sqlite_t *self;
    status_t status; /* the first failure; what follows is skipped */
} apply_t;

static status_t delete_prefix(vault_sqlite_t *self, bytes_t prefix)
{
    buffer_t end = {0};
    bool has_end = prefix_end(prefix, &end);
    bytes_t end_view = buffer_view(&end);
    status_t status =
        sqlite_session_step(&self->session, has_end ? SQL_DELETE_RANGE : SQL_DELETE_FROM, &prefix,
                            has_end ? &end_view : NULL);
    buffer_free(&end);
    return status;
}

static status_t put(vault_sqlite_t *self, bytes_t key, bytes_t value)
{
    buffer_t sealed = {0};
    vault_seal_write(&sealed, self->seal_key, VAULT_FORMAT, key, value);
    bytes_t sealed_view = buffer_view(&sealed);
    status_t status = sqlite_session_step(&self->session, SQL_PUT, &key, &sealed_view);
    buffer_free(&sealed);
    return status;
}

static void apply_one(void *context, bytes_t key, bytes_t value, bool is_prefix)
{
    apply_t *apply = context;
    if (apply->status != STATUS_OK)
        return;
    if (is_prefix)
        apply->status = delete_prefix(apply->self, key);
    else if (value.data)
        apply->status = put(apply->self, key, value);
    else
        apply->status = sqlite_session_step(&apply->self->session, SQL_DELETE, &key, NULL);
}

static status_t apply(vault_t *base, const writes_t *writes)
{
    vault_sqlite_t *self = of(base);
    if (writes->count == 0)
        return STATUS_OK;
    status_t status = sqlite_session_step(&self->session, SQL_BEGIN, NULL, NULL);
    if (status != STATUS_OK)
        return status;
    apply_t all = {.self = self};
    writes_each(writes, apply_one, &all);
    if (all.status == STATUS_OK)
        all.status = sqlite_session_step(&self->session, SQL_COMMIT, NULL, NULL);
    if (all.status != STATUS_OK && !sqlite3_get_autocommit(self->session.database)) {
        /* A full disk may have rolled back by itself; where not, nothing else can be done about a
         * failure here. */
        status_t ignored = sqlite_session_step(&self->session, SQL_ROLLBACK, NULL, NULL);
        (void)ignored;
    }
    return all.status;
}

static status_t checkpoint(vault_t *base)
{
    return sqlite_status(sqlite3_wal_checkpoint_v2(of(base)->session.database, NULL,
                                                   SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

static void destroy(vault_t *base)
{
    vault_sqlite_t *self = of(base);
    sqlite_session_close(&self->session);
    sodium_memzero(self->seal_key, sizeof self->seal_key);
    free(self);
}

static status_t create_tables(vault_sqlite_t *self)
{
    status_t status = sqlite_session_run(
        &self->session,
        "BEGIN IMMEDIATE;"
        "CREATE TABLE vault (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE format (number INTEGER NOT NULL PRIMARY KEY, seal BLOB NOT NULL);");
    if (status != STATUS_OK)
        return status;
    buffer_t seal = {0};
    vault_seal_write(&seal, self->seal_key, VAULT_FORMAT, view(format_key, sizeof format_key),
                     view(format_value, sizeof format_value));
    sqlite3_stmt *statement = NULL;
    status = sqlite_status(sqlite3_prepare_v2(
        self->session.database, "INSERT INTO format VALUES (?2, ?1)", -1, &statement, NULL));
    if (status == STATUS_OK)
        status = sqlite_status(sqlite3_bind_int(statement, 2, VAULT_FORMAT));
    if (status == STATUS_OK)
        status = sqlite_bind(statement, 1, buffer_view(&seal));
    if (status == STATUS_OK)
        status = sqlite_status(sqlite3_step(statement));
    sqlite3_finalize(statement);
    buffer_free(&seal);
    if (status == STATUS_OK)
        status = sqlite_session_run(&self->session, "COMMIT");
    return status; /* on failure the file is closed, which rolls back */
}

static status_t check_format(vault_sqlite_t *self)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->session.database,
                           "SELECT number, seal FROM format ORDER BY number DESC", -1, &statement,
                           NULL) != SQLITE_OK)
        return STATUS_DAMAGED_FILE; /* some other program's tables */
    int rc = sqlite3_step(statement);
    status_t status = rc == SQLITE_DONE ? STATUS_DAMAGED_FILE : sqlite_status(rc);
    if (rc == SQLITE_ROW && sqlite3_column_int64(statement, 0) > VAULT_FORMAT) {
        status = STATUS_NEWER_FORMAT;
    } else if (rc == SQLITE_ROW && sqlite3_column_int64(statement, 0) < VAULT_FORMAT) {
        status = STATUS_DAMAGED_FILE; /* there is no older one yet */
    } else if (rc == SQLITE_ROW) {
        buffer_t value = {0};
        status = vault_seal_read(&value, self->seal_key, VAULT_FORMAT,
                                 view(format_key, sizeof format_key), sqlite_column(statement, 1));
        if (status == STATUS_OK &&
            compare(buffer_view(&value), view(format_value, sizeof format_value)) != 0)
            status = STATUS_DAMAGED_FILE;
        buffer_free(&value);
    }
    sqlite3_finalize(statement);
    return status;
}

static const vault_ops_t vault_sqlite_ops = {
    .get = get,
    .range = range,
    .apply = apply,
    .checkpoint = checkpoint,
    .destroy = destroy,
};

static status_t open_file(vault_t **out, const char *path, const uint8_t seal_key[static KEY_BYTES],
                          bool may_make)
{
    *out = NULL;
    vault_sqlite_t *self = mem_zalloc(1, sizeof *self);
    self->base.ops = &vault_sqlite_ops;
    memcpy(self->seal_key, seal_key, KEY_BYTES);
    bool is_new = false;
    status_t status = sqlite_session_open(&self->session, path, may_make, &is_new);
    if (status == STATUS_OK && is_new && !may_make)
        status = STATUS_DAMAGED_FILE;
    else if (status == STATUS_OK)
        status = is_new ? create_tables(self) : check_format(self);
    if (status != STATUS_OK) {
        destroy(&self->base);
        return status;
    }
    *out = &self->base;
    return STATUS_OK;
}

status_t vault_sqlite_open(vault_t **out, const char *path,
                           const uint8_t seal_key[static KEY_BYTES])
{
    return open_file(out, path, seal_key, true);
}

status_t vault_sqlite_reopen(vault_t **out, const char *path,
                             const uint8_t seal_key[static KEY_BYTES])
{
    return open_file(out, path, seal_key, false);
}
