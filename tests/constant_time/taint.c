/* SPDX-License-Identifier: MPL-2.0 */
/* Marks of secrets, kept by memcheck. */
#include "tests/constant_time/taint.h"

#include <stdlib.h>
#include <string.h>

#include <valgrind/memcheck.h>

#include "proto/memory.h"

bool taint_is_watched(void)
{
    uint8_t byte = 0, marks = 0;
    return VALGRIND_GET_VBITS(&byte, &marks, 1) == 1;
}

void taint_secret(const void *bytes, size_t size)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, size);
}

void taint_public(const void *bytes, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, size);
}

static uint8_t *marks_of(const void *bytes, size_t size)
{
    uint8_t *marks = mem_zalloc(size, 1);
    if (size)
        (void)VALGRIND_GET_VBITS(bytes, marks, size);
    return marks;
}

bool taint_is_secret(const void *bytes, size_t size)
{
    uint8_t *marks = marks_of(bytes, size);
    bool is_secret = false;
    for (size_t i = 0; i < size; i++)
        is_secret |= marks[i] != 0;
    free(marks);
    return is_secret;
}

unsigned taint_reports(void)
{
    return VALGRIND_COUNT_ERRORS;
}

lifted_t taint_lift(const void *bytes, size_t size)
{
    lifted_t lifted = {(void *)(uintptr_t)bytes, size, marks_of(bytes, size)};
    taint_public(bytes, size);
    return lifted;
}

void taint_restore(lifted_t *lifted)
{
    if (lifted->size)
        (void)VALGRIND_SET_VBITS(lifted->bytes, lifted->marks, lifted->size);
    free(lifted->marks);
    lifted->marks = NULL;
}

/* All that was sealed. */
typedef struct sealed sealed_t;
struct sealed {
    sealed_t *older;
    uint8_t *bytes, *marks;
    size_t size;
};

static sealed_t *newest;

void taint_sealed(const uint8_t *sealed, size_t sealed_size, const lifted_t *plain)
{
    sealed_t *entry = mem_alloc(sizeof *entry);
    *entry = (sealed_t){newest, mem_dup(sealed, sealed_size), mem_dup(plain->marks, plain->size),
                        sealed_size};
    newest = entry;
}

void taint_opened(const uint8_t *sealed, size_t sealed_size, uint8_t *plain, size_t size)
{
    const sealed_t *entry = newest;
    while (entry && (entry->size != sealed_size || memcmp(entry->bytes, sealed, sealed_size) != 0))
        entry = entry->older;
    if (!entry)
        taint_secret(plain, size);
    else if (size)
        (void)VALGRIND_SET_VBITS(plain, entry->marks, size);
}
