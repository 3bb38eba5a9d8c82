/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Secrets made visible to valgrind's memcheck: a secret's bytes are marked as undefined, memcheck
 * carries the marks along with every copy and computation, and reports each conditional jump and
 * each address that depends on them (the method of A. Langley's ctgrind).
 */
#ifndef CONCLAVE_TESTS_CONSTANT_TIME_TAINT_H
#define CONCLAVE_TESTS_CONSTANT_TIME_TAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False without memcheck: nothing is shown then. */
bool taint_is_watched(void);

void taint_secret(const void *bytes, size_t size);
/* The bytes are known to everybody from here on. */
void taint_public(const void *bytes, size_t size);
/* Is any bit of them secret? */
bool taint_is_secret(const void *bytes, size_t size);

/* How often memcheck has complained so far. */
unsigned taint_reports(void);

/*
 * Marks set aside during a call whose own timing is not ours to judge: taint_lift saves them and
 * makes the bytes public, taint_restore puts them back.
 */
typedef struct {
    void *bytes;
    size_t size;
    uint8_t *marks; /* owned */
} lifted_t;

lifted_t taint_lift(const void *bytes, size_t size);
void taint_restore(lifted_t *lifted);

/*
 * Marks that travel with a ciphertext: what was secret when it was sealed is secret when it opens.
 * What was sealed by nobody here is secret as a whole.
 */
void taint_sealed(const uint8_t *sealed, size_t sealed_size, const lifted_t *plain);
void taint_opened(const uint8_t *sealed, size_t sealed_size, uint8_t *plain, size_t size);

#endif
