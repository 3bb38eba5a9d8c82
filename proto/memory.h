/* SPDX-License-Identifier: MPL-2.0 */
/* Allocation that never returns NULL: out of memory aborts, everywhere and only here. Release with free(). */
#ifndef CONCLAVE_PROTO_MEMORY_H
#define CONCLAVE_PROTO_MEMORY_H

#include <stddef.h>

void *mem_alloc(size_t size);                     /* uninitialised; size 0 gives a valid pointer */
void *mem_zalloc(size_t count, size_t size);      /* zeroed array; an overflowing product aborts */
void *mem_realloc(void *old, size_t count, size_t size);
void *mem_dup(const void *bytes, size_t size);
char *mem_strdup(const char *text);

#endif
