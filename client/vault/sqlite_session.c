/* SPDX-License-Identifier: MPL-2.0 */
#include "client/vault/sqlite_session.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const int busy_timeout_ms = 2000;

static const char *const sql_texts[SQL_STATEMENTS] = {
    [SQL_GET] = "SELECT value FROM vault WHERE key = ?1",
    [SQL_PUT] = "REPLACE INTO vault (key, value) VALUES (?1, ?2)",
    [SQL_DELETE] = "DELETE FROM vault WHERE key = ?1",
    [SQL_DELETE_FROM] = "DELETE FROM vault WHERE key >= ?1",
    [SQL_DELETE_RANGE] = "DELETE FROM vault WHERE key >= ?1 AND key < ?2",
    [SQL_UP_FROM] = "SELECT key, value FROM vault WHERE key >= ?1 ORDER BY key",
    [SQL_DOWN_FROM] = "SELECT key, value FROM vault WHERE key <= ?1 ORDER BY key DESC",
    [SQL_DOWN_BEFORE] = "SELECT key, value FROM vault WHERE key < ?1 ORDER BY key DESC",
    [SQL_DOWN] = "SELECT key, value FROM vault ORDER BY key DESC",
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
};

/* Exclusive locking is set before the first access, so that the WAL needs no shared memory file and
 * a second process is refused at once. */
static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA secure_delete = ON;";

status_t sqlite_status(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STATUS_OK;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
        return STATUS_DAMAGED_FILE;
    case SQLITE_BUSY:
        return STATUS_HOME_IN_USE;
    case SQLITE_FULL:
        return STATUS_DISK_FULL;
    default:
        return STATUS_IO_ERROR;
    }
}

status_t sqlite_session_run(sqlite_session_t *self, const char *sql)
{
    return sqlite_status(sqlite3_exec(self->database, sql, NULL, NULL, NULL));
}

/* SQLite gives -wal the mode of the file itself, so that this decides for both. Closed again before
 * SQLite takes its own locks on the file. */
static status_t make_private_file(const char *path, bool may_make)
{
    int fd = open(path, O_RDWR | (may_make ? O_CREAT : 0) | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOENT && !may_make ? STATUS_DAMAGED_FILE : STATUS_IO_ERROR;
    struct stat info;
    status_t status = STATUS_OK;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        status = STATUS_IO_ERROR;
    else if (info.st_uid != geteuid() || (info.st_mode & 077) != 0)
        status = STATUS_UNSAFE_PERMISSIONS;
    close(fd);
    return status;
}

static status_t count_tables(sqlite_session_t *self, bool *is_new)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->database, "SELECT count(*) FROM sqlite_schema", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *is_new = sqlite3_column_int64(statement, 0) == 0;
    sqlite3_finalize(statement);
    return sqlite_status(rc);
}

status_t sqlite_session_open(sqlite_session_t *self, const char *path, bool may_make, bool *is_new)
{
    *self = (sqlite_session_t){0};
    status_t status = make_private_file(path, may_make);
    if (status != STATUS_OK)
        return status;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    status = sqlite_status(sqlite3_open_v2(path, &self->database, flags, NULL));
    if (status == STATUS_OK)
        status = sqlite_status(sqlite3_busy_timeout(self->database, busy_timeout_ms));
    if (status == STATUS_OK)
        status = sqlite_session_run(self, pragmas);
    if (status == STATUS_OK)
        status = count_tables(self, is_new);
    if (status != STATUS_OK)
        sqlite_session_close(self);
    return status;
}

void sqlite_session_close(sqlite_session_t *self)
{
    for (size_t i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(self->statements[i]);
    sqlite3_close(self->database);
    *self = (sqlite_session_t){0};
}

status_t sqlite_session_take(sqlite_session_t *self, sql_t sql, sqlite3_stmt **out)
{
    *out = self->statements[sql];
    self->statements[sql] = NULL;
    if (*out)
        return STATUS_OK;
    return sqlite_status(sqlite3_prepare_v3(self->database, sql_texts[sql], -1,
                                            SQLITE_PREPARE_PERSISTENT, out, NULL));
}

void sqlite_session_done(sqlite_session_t *self, sql_t sql, sqlite3_stmt *statement)
{
    if (self->statements[sql]) {
        sqlite3_finalize(statement);
        return;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    self->statements[sql] = statement;
}

status_t sqlite_session_step(sqlite_session_t *self, sql_t sql, const bytes_t *first,
                             const bytes_t *second)
{
    sqlite3_stmt *statement = NULL;
    status_t status = sqlite_session_take(self, sql, &statement);
    if (status != STATUS_OK)
        return status;
    if (first)
        status = sqlite_bind(statement, 1, *first);
    if (second && status == STATUS_OK)
        status = sqlite_bind(statement, 2, *second);
    if (status == STATUS_OK)
        status = sqlite_status(sqlite3_step(statement));
    sqlite_session_done(self, sql, statement);
    return status;
}

status_t sqlite_bind(sqlite3_stmt *statement, int index, bytes_t bytes)
{
    const void *data = bytes.size > 0 ? (const void *)bytes.data : ""; /* NULL would bind NULL */
    return sqlite_status(
        sqlite3_bind_blob64(statement, index, data, (sqlite3_uint64)bytes.size, SQLITE_STATIC));
}

bytes_t sqlite_column(sqlite3_stmt *statement, int index)
{
    const void *data = sqlite3_column_blob(statement, index);
    return (bytes_t){data, data ? (size_t)sqlite3_column_bytes(statement, index) : 0};
}
