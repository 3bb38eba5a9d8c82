/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/load_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void figures_record(figures_t *self, const char *name, const char *unit, double value)
{
    for (size_t i = 0; i < self->count; i++) {
        figure_t *figure = &self->figures[i];
        if (strcmp(figure->name, name) == 0) {
            figure->values[figure->count++] = value;
            return;
        }
    }
    figure_t *figure = &self->figures[self->count++];
    *figure = (figure_t){.name = name, .unit = unit, .values = {value}, .count = 1};
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void figures_print(figures_t *self, const char *json_path)
{
    FILE *json = json_path ? fopen(json_path, "w") : NULL;
    if (json) {
        fprintf(json, "{");
    }
    printf("%-24s %12s   %12s .. %-12s %s\n", "figure", "median", "least", "most", "unit");
    for (size_t i = 0; i < self->count; i++) {
        figure_t *figure = &self->figures[i];
        qsort(figure->values, figure->count, sizeof(double), compare_doubles);
        double median = figure->values[figure->count / 2];
        double least = figure->values[0];
        double most = figure->values[figure->count - 1];
        printf("%-24s %12.2f   %12.2f .. %-12.2f %s\n", figure->name, median, least, most,
               figure->unit);
        if (json) {
            fprintf(json,
                    "%s\"%s\":{\"median\":%.3f,\"least\":%.3f,\"most\":%.3f,\"rounds\":%zu,"
                    "\"unit\":\"%s\"}",
                    i ? "," : "", figure->name, median, least, most, figure->count, figure->unit);
        }
    }
    if (json) {
        fprintf(json, "}\n");
        fclose(json);
    }
}
