/* SPDX-License-Identifier: MPL-2.0 */
/* Measures synced writes of the RocksDB store: lists of 100 units, each an event of 300 bytes, its
   group's head and an index record of 60 bytes. Usage: store_bench [DIRECTORY [LISTS]] */
#include "broker/store/overlay.h"
#include "broker/store/store_rocksdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GROUPS = 10000, UNITS = 100, RECORDS_PER_UNIT = 3 };

static uint64_t versions[GROUPS];

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t make_key(uint8_t key[static 24], char kind, uint32_t group, uint64_t number)
{
    memset(key, 0, 24);
    key[0] = (uint8_t)kind;
    memcpy(key + 1, "conclave-bench", 11);
    for (int i = 0; i < 4; i++)
        key[12 + i] = (uint8_t)(group >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        key[16 + i] = (uint8_t)(number >> (56 - 8 * i));
    return number ? 24 : 16;
}

static void fill_unit(store_unit_t *unit, uint32_t group, const uint8_t *value)
{
    uint8_t key[24];
    size_t size = make_key(key, 'h', group, 0);
    store_unit_expect(unit, key, size, versions[group]);
    store_unit_put(unit, key, size, value, 60);
    versions[group]++;
    size = make_key(key, 'e', group, versions[group]);
    store_unit_put_new(unit, key, size, value, 300);
    size = make_key(key, 'i', group, versions[group]);
    store_unit_put_new(unit, key, size, value, 60);
}

static status_t fill_overlay(overlay_t *overlay, uint32_t group, const uint8_t *value)
{
    uint8_t key[24];
    size_t size = make_key(key, 'h', group, 0);
    status_t status = overlay_expect(overlay, key, size, versions[group]);
    if (status == STATUS_OK)
        status = overlay_put(overlay, key, size, value, 60);
    versions[group]++;
    size = make_key(key, 'e', group, versions[group]);
    overlay_put_new(overlay, key, size, value, 300);
    size = make_key(key, 'i', group, versions[group]);
    overlay_put_new(overlay, key, size, value, 60);
    return status;
}

static bool write_units(store_t *store, store_unit_t *units, size_t count)
{
    status_t outcomes[UNITS] = {0};
    bool good = store_write(store, units, count, outcomes) == STATUS_OK;
    for (size_t i = 0; i < count; i++) {
        good &= outcomes[i] == STATUS_OK;
        store_unit_clear(&units[i]);
    }
    return good;
}

static void report(const char *name, double seconds, int lists)
{
    double records = (double)lists * UNITS * RECORDS_PER_UNIT;
    printf("%-8s %d lists, %.0f records/s, %.0f units/s, %.3f ms a list\n", name, lists,
           records / seconds, (double)lists * UNITS / seconds, seconds * 1000 / lists);
}

static bool bench_units(store_t *store, int lists, const uint8_t *value)
{
    store_unit_t units[UNITS] = {0};
    double start = now_s();
    bool good = true;
    for (int list = 0; good && list < lists; list++) {
        for (size_t i = 0; i < UNITS; i++)
            fill_unit(&units[i], (uint32_t)random() % GROUPS, value);
        good = write_units(store, units, UNITS);
    }
    report("units", now_s() - start, lists);
    for (size_t i = 0; i < UNITS; i++)
        store_unit_wipe(&units[i]);
    return good;
}

static bool bench_overlay(store_t *store, int lists, const uint8_t *value)
{
    overlay_t *overlay = overlay_new(store);
    store_unit_t unit = {0};
    double start = now_s();
    bool good = true;
    for (int list = 0; good && list < lists; list++) {
        for (int i = 0; good && i < UNITS; i++)
            good = fill_overlay(overlay, (uint32_t)random() % GROUPS, value) == STATUS_OK;
        overlay_take_unit(overlay, &unit);
        good &= write_units(store, &unit, 1);
        overlay_clear(overlay);
    }
    report("overlay", now_s() - start, lists);
    store_unit_wipe(&unit);
    overlay_destroy(&overlay);
    return good;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/conclave-bench-XXXXXX";
    const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
    int lists = argc > 2 ? atoi(argv[2]) : 2000;
    store_t *store = NULL;
    status_t status = dir ? store_rocksdb_open(dir, NULL, &store) : STATUS_IO_ERROR;
    if (status != STATUS_OK) {
        fprintf(stderr, "%s\n", status_text(status));
        return 1;
    }
    uint8_t value[300];
    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (uint8_t)random();
    bool good = bench_units(store, lists, value) && bench_overlay(store, lists, value);
    uint64_t bytes = 0;
    if (store_size_bytes(store, &bytes) == STATUS_OK)
        printf("on disk  %.1f MiB in %s\n", (double)bytes / 1048576, dir);
    store_destroy(&store);
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", made);
    return !good || (argc <= 1 && system(command) != 0);
}
