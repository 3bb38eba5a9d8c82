/* SPDX-License-Identifier: MPL-2.0 */
/* What a client makes durable, caught by the linker's --wrap: the vaults' commits and checkpoints,
   and a file put in its place. */
#include "tests/rehearsal/durable_write.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int __real_sqlite3_step(sqlite3_stmt *);
int __wrap_sqlite3_step(sqlite3_stmt *);
int __real_sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                        char **);
int __wrap_sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                        char **);
int __real_sqlite3_wal_checkpoint_v2(sqlite3 *, const char *, int, int *, int *);
int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *, const char *, int, int *, int *);
int __real_renameat(int, const char *, int, const char *);
int __wrap_renameat(int, const char *, int, const char *);
int __real_linkat(int, const char *, int, const char *, int);
int __wrap_linkat(int, const char *, int, const char *, int);

/* A commit that is to be lost is rolled back, so that the connection can go on. */
int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
    if (strcmp(sqlite3_sql(statement), "COMMIT") != 0)
        return __real_sqlite3_step(statement);
    int result = SQLITE_DONE;
    if (durable_write_begin())
        result = __real_sqlite3_step(statement);
    else
        (void)__real_sqlite3_exec(sqlite3_db_handle(statement), "ROLLBACK", NULL, NULL, NULL);
    durable_write_end();
    return result;
}

int __wrap_sqlite3_exec(sqlite3 *database, const char *sql,
                        int (*row)(void *, int, char **, char **), void *context, char **error)
{
    if (strcmp(sql, "COMMIT") != 0)
        return __real_sqlite3_exec(database, sql, row, context, error);
    const char *carried_out = durable_write_begin() ? sql : "ROLLBACK";
    int result = __real_sqlite3_exec(database, carried_out, row, context, error);
    durable_write_end();
    return result;
}

int __wrap_sqlite3_wal_checkpoint_v2(sqlite3 *database, const char *name, int mode, int *frames,
                                     int *done)
{
    int result = durable_write_begin()
                     ? __real_sqlite3_wal_checkpoint_v2(database, name, mode, frames, done)
                     : SQLITE_OK;
    durable_write_end();
    return result;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int result = durable_write_begin() ? __real_renameat(from_dir, from, to_dir, to) : 0;
    durable_write_end();
    return result;
}

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    int result = durable_write_begin() ? __real_linkat(from_dir, from, to_dir, to, flags) : 0;
    durable_write_end();
    return result;
}
