/* SPDX-License-Identifier: MPL-2.0 */
/* Figures of many runs. */
#include "tests/simulation/report.h"

#include <stdio.h>

#include "tests/simulation/coverage.h"

#define WIDTH 100

static void list(size_t *column, const char *name, uint64_t count)
{
    char text[64];
    int size = snprintf(text, sizeof text, " %s %llu", name, (unsigned long long)count);
    if (*column + (size_t)size > WIDTH) {
        printf("\n   ");
        *column = 4;
    }
    fputs(text, stdout);
    *column += (size_t)size;
}

static void print_speed(const report_t *self)
{
    double seconds = (double)self->took_us / 1e6;
    printf("%llu seeds in %.1f s: %.1f a second, %.1f ms each; the longest %.0f ms (seed %llu)\n",
           (unsigned long long)self->seeds, seconds, (double)self->seeds / seconds,
           seconds * 1000 / (double)self->seeds, (double)self->longest_us / 1000,
           (unsigned long long)self->longest_seed);
}

static void print_work(const tally_t *total)
{
    size_t column = 5;
    printf("work:");
    list(&column, "clients", total->clients);
    list(&column, "steps", total->steps);
    list(&column, "broker turns", total->turns);
    list(&column, "starts", total->restarts);
    list(&column, "ends by a fault", total->crashes);
    list(&column, "texts", total->texts);
    list(&column, "lines shown", total->lines);
    list(&column, "shown late", total->late_lines);
    list(&column, "refusals", total->refusals);
    list(&column, "simulated hours", total->simulated_ms / 3600000);
    putchar('\n');
}

static void print_around(const char *whose, uint64_t writes, uint64_t before, uint64_t after)
{
    double hundredth = writes ? (double)writes / 100 : 1;
    printf(" %s %llu, crashes before one %llu (%.1f %%), after one %llu (%.1f %%)", whose,
           (unsigned long long)writes, (unsigned long long)before, (double)before / hundredth,
           (unsigned long long)after, (double)after / hundredth);
}

/* What is durable, and how often somebody crashed right before or after it. */
static void print_writes(const tally_t *total)
{
    const uint64_t *faults = total->injected;
    printf("writes:");
    print_around("of clients", total->writes, faults[FAULT_crash_before],
                 faults[FAULT_crash_after]);
    printf(",\n   ");
    print_around("of the broker", total->broker_writes, faults[FAULT_broker_crash_before],
                 faults[FAULT_broker_crash_after]);
    putchar('\n');
}

void report_print(const report_t *self)
{
    print_speed(self);
    print_work(&self->total);
    print_writes(&self->total);
    size_t column = 7;
    printf("faults:");
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        list(&column, fault_name((fault_t)i), self->total.injected[i]);
    column = 5;
    printf("\nlies:");
    for (unsigned i = 0; i < LIE_COUNT; i++)
        list(&column, lie_name((lie_t)i), self->total.lies[i]);
    column = 8;
    printf("\nactions:");
    for (unsigned i = 0; i < ACTION_COUNT; i++)
        list(&column, action_name((action_t)i), self->total.deeds[i]);
    putchar('\n');
    coverage_print(&self->total, false);
}
