/* SPDX-License-Identifier: MPL-2.0 */
/* What the broker makes durable, caught by the linker's --wrap: the store's write, and a file put
   in its place. */
#include "tests/rehearsal/durable_write.h"

#include <rocksdb/c.h>
#include <stdio.h>

void __real_rocksdb_write(rocksdb_t *, const rocksdb_writeoptions_t *, rocksdb_writebatch_t *,
                          char **);
void __wrap_rocksdb_write(rocksdb_t *, const rocksdb_writeoptions_t *, rocksdb_writebatch_t *,
                          char **);
int __real_renameat(int, const char *, int, const char *);
int __wrap_renameat(int, const char *, int, const char *);

void __wrap_rocksdb_write(rocksdb_t *database, const rocksdb_writeoptions_t *options,
                          rocksdb_writebatch_t *batch, char **error)
{
    if (durable_write_begin())
        __real_rocksdb_write(database, options, batch, error);
    durable_write_end();
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int result = durable_write_begin() ? __real_renameat(from_dir, from, to_dir, to) : 0;
    durable_write_end();
    return result;
}
