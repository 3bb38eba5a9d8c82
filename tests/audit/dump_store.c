/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every record of a broker's store that doesn't run, key and value one after the other, on standard
 * output: what the files say however the engine lays them out.
 *
 *   dump_store STORE
 */
#include <stdio.h>

#include "broker/store/store_rocksdb.h"

static bool print_record(void *context, const store_record_t *record)
{
    (void)context;
    fwrite(record->key, 1, record->key_size, stdout);
    fwrite(record->value, 1, record->value_size, stdout);
    return !ferror(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: dump_store STORE\n", stderr);
        return 2;
    }
    store_t *store = NULL;
    status_t status = store_rocksdb_open(argv[1], NULL, &store);
    if (!status)
        status = store_range(store, &(store_range_t){0}, print_record, NULL);
    if (status)
        fprintf(stderr, "dump_store: %s: %s\n", argv[1], status_name(status));
    store_destroy(&store);
    return status || fflush(stdout) ? 1 : 0;
}
