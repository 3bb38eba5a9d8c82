/* SPDX-License-Identifier: MPL-2.0 */
/* Runs a fuzz target once for each file given, and for each file of each folder given. Prints TAP,
 * for tests/run. */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static size_t replayed;

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    uint8_t *data = NULL;
    size_t size = 0, got;
    do {
        uint8_t *larger = realloc(data, size + 65536);
        if (!larger)
            abort();
        data = larger;
        got = fread(data + size, 1, 65536, file);
        size += got;
    } while (got);
    fclose(file);
    /* Of the exact size, so that a sanitizer sees each byte read beyond it. */
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    replayed++;
    return true;
}

static bool replay(const char *path);

static bool replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    bool ok = true;
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        int size = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        ok = size > 0 && (size_t)size < sizeof name && replay(name) && ok;
    }
    closedir(folder);
    return ok;
}

static bool replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return false;
    return S_ISDIR(info.st_mode) ? replay_folder(path) : replay_file(path);
}

int main(int argc, char **argv)
{
    bool ok = true, is_tap = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tap") == 0)
            is_tap = true;
        else
            ok = replay(argv[i]) && ok;
    }
    ok = ok && replayed > 0;
    if (is_tap)
        printf("1..1\n%s 1 - %zu inputs replayed\n", ok ? "ok" : "not ok", replayed);
    else
        printf("%zu inputs replayed%s\n", replayed, ok ? "" : ", but some could not be read");
    return ok ? 0 : 1;
}
