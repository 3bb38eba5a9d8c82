/* SPDX-License-Identifier: MPL-2.0 */
/* Figures measured in rounds: their medians and spreads. */
#ifndef CONCLAVE_TESTS_BENCH_LOAD_FIGURES_H
#define CONCLAVE_TESTS_BENCH_LOAD_FIGURES_H

#include <stddef.h>

#define FIGURES_MAX        32
#define FIGURES_ROUNDS_MAX 32

typedef struct {
    const char *name;
    const char *unit;
    double values[FIGURES_ROUNDS_MAX];
    size_t count;
} figure_t;

/* All zero: none. */
typedef struct {
    figure_t figures[FIGURES_MAX];
    size_t count;
} figures_t;

/* A further value; both texts must last. */
void figures_record(figures_t *self, const char *name, const char *unit, double value);
/* A line each; and all as JSON to the file, unless that is NULL. */
void figures_print(figures_t *self, const char *json_path);

#endif
