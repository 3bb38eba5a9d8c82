/* SPDX-License-Identifier: MPL-2.0 */
/* One SQLite file, opened the way a vault needs it, with its statements kept prepared. */
#ifndef CONCLAVE_CLIENT_VAULT_SQLITE_SESSION_H
#define CONCLAVE_CLIENT_VAULT_SQLITE_SESSION_H

#include <sqlite3.h>

#include "proto/bytes.h"

typedef enum {
    SQL_GET,
    SQL_PUT,
    SQL_DELETE,
    SQL_DELETE_FROM, /* to the table's end */
    SQL_DELETE_RANGE,
    SQL_UP_FROM,
    SQL_DOWN_FROM,
    SQL_DOWN_BEFORE,
    SQL_DOWN,
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_STATEMENTS
} sql_t;

/* Owned by one actor. Not thread-safe. All zero is closed. */
typedef struct {
    sqlite3 *database;
    sqlite3_stmt *statements[SQL_STATEMENTS];
} sqlite_session_t;

/* Private file, WAL, synchronous=FULL, secure_delete, exclusive. *is_new: it holds no table yet.
 * Without may_make a missing file is STATUS_DAMAGED_FILE. Statuses of vault_sqlite_open; self is
 * closed on failure. */
MUST_CHECK status_t sqlite_session_open(sqlite_session_t *self, const char *path, bool may_make,
                                        bool *is_new);
void sqlite_session_close(sqlite_session_t *self);

/* What a result code of SQLite means to a vault. */
status_t sqlite_status(int code);
/* Runs statements without parameters or rows. */
MUST_CHECK status_t sqlite_session_run(sqlite_session_t *self, const char *sql);

/*
 * A statement ready to be bound and stepped; give it back with sqlite_session_done. A statement
 * that is in use (a visitor that reads) is prepared a second time. STATUS_IO_ERROR,
 * STATUS_DAMAGED_FILE.
 */
MUST_CHECK status_t sqlite_session_take(sqlite_session_t *self, sql_t sql, sqlite3_stmt **out);
void sqlite_session_done(sqlite_session_t *self, sql_t sql, sqlite3_stmt *statement);
/* Takes, binds up to two blobs, steps once and gives back: for statements without rows. */
MUST_CHECK status_t sqlite_session_step(sqlite_session_t *self, sql_t sql, const bytes_t *first,
                                        const bytes_t *second);
/* Bound bytes must live until the statement is done. */
MUST_CHECK status_t sqlite_bind(sqlite3_stmt *statement, int index, bytes_t bytes);
/* Lives until the statement's next step. */
bytes_t sqlite_column(sqlite3_stmt *statement, int index);

#endif
