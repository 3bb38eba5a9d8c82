/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Looks for many byte strings at once in files of any size.
 *
 *   search NEEDLES FILE...
 *
 * NEEDLES has a line a needle: its name without spaces, and its bytes in hex, 8 or more. Prints
 * "FILE OFFSET NAME" for each place where one stands. Exit code 0 whether or not there are any, 2
 * if something can't be read.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/memory.h"

#define PREFIX_BYTES 8 /* of a needle, by which it is found first */
#define SLOT_BITS    20
#define LINE_BYTES   65536

typedef struct {
    char *name;
    uint8_t *bytes;
    size_t size;
    size_t next; /* needle of the same slot, plus 1; 0 ends */
} needle_t;

typedef struct {
    needle_t *needles;
    size_t count;
    size_t slots[1u << SLOT_BITS]; /* hash of the first bytes -> needle plus 1 */
} needles_t;

static size_t slot_of(const uint8_t *bytes)
{
    uint64_t prefix;
    memcpy(&prefix, bytes, sizeof prefix);
    return (size_t)((prefix * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - SLOT_BITS));
}

static void fail(const char *what)
{
    fprintf(stderr, "search: %s can't be read\n", what);
    exit(2);
}

static bool needle_read(needle_t *self, char *line)
{
    char *hex = strchr(line, ' ');
    if (!hex)
        return false;
    *hex++ = '\0';
    hex[strcspn(hex, "\n")] = '\0';
    self->size = strlen(hex) / 2;
    self->name = mem_strdup(line);
    self->bytes = mem_zalloc(self->size + 1, 1);
    for (size_t i = 0; i < self->size; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            return false;
        self->bytes[i] = (uint8_t)byte;
    }
    return self->size >= PREFIX_BYTES;
}

static void needles_read(needles_t *self, const char *path)
{
    static char line[LINE_BYTES];
    FILE *file = fopen(path, "r");
    if (!file)
        fail(path);
    while (fgets(line, sizeof line, file)) {
        self->needles = mem_realloc(self->needles, self->count + 1, sizeof *self->needles);
        needle_t *needle = &self->needles[self->count++];
        if (!needle_read(needle, line))
            fail(path);
        size_t *slot = &self->slots[slot_of(needle->bytes)];
        needle->next = *slot;
        *slot = self->count;
    }
    fclose(file);
}

static void search_bytes(const needles_t *self, const char *path, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + PREFIX_BYTES <= size; at++)
        for (size_t found = self->slots[slot_of(bytes + at)]; found;) {
            const needle_t *needle = &self->needles[found - 1];
            if (needle->size <= size - at && !memcmp(needle->bytes, bytes + at, needle->size))
                printf("%s %zu %s\n", path, at, needle->name);
            found = needle->next;
        }
}

static void search_file(const needles_t *self, const char *path)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) < 0)
        fail(path);
    size_t size = (size_t)about.st_size;
    if (size) {
        uint8_t *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
        if (bytes == MAP_FAILED)
            fail(path);
        search_bytes(self, path, bytes, size);
        munmap(bytes, size);
    }
    close(file);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: search NEEDLES FILE...\n", stderr);
        return 2;
    }
    static needles_t needles;
    needles_read(&needles, argv[1]);
    for (int i = 2; i < argc; i++)
        search_file(&needles, argv[i]);
    for (size_t i = 0; i < needles.count; i++) {
        free(needles.needles[i].name);
        free(needles.needles[i].bytes);
    }
    free(needles.needles);
    return fflush(stdout) ? 2 : 0;
}
