/* SPDX-License-Identifier: MPL-2.0 */
/* A folder of its own for each test, made before and removed after it. */
#ifndef CONCLAVE_TESTS_UNIT_CLIENT_TEMP_DIR_H
#define CONCLAVE_TESTS_UNIT_CLIENT_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char temp_dir[64];

static inline int temp_dir_setup(void **state)
{
    (void)state;
    snprintf(temp_dir, sizeof temp_dir, "/tmp/conclave-test-XXXXXX");
    return mkdtemp(temp_dir) ? 0 : -1;
}

static inline int temp_dir_remove_one(const char *path, const struct stat *info, int type,
                                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int temp_dir_teardown(void **state)
{
    (void)state;
    return nftw(temp_dir, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* temp_dir/name. The caller frees it. */
static inline char *temp_path(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", temp_dir, name) < 0)
        abort();
    return path;
}

#endif
