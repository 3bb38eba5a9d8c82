/* SPDX-License-Identifier: MPL-2.0 */
/* What every fuzz target offers: libFuzzer calls it, or replay_main.c with the files of a corpus.
 */
#ifndef CONCLAVE_TESTS_FUZZ_FUZZ_H
#define CONCLAVE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: it must hold in every build. */
#define FUZZ_MUST(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
