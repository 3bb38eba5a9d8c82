/* SPDX-License-Identifier: MPL-2.0 */
/* Reads and writes what was left out of a plan. */
#include "tests/simulation/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool lists_number(const char *list, size_t number)
{
    for (const char *at = list; *at;) {
        char *end;
        unsigned long long value = strtoull(at, &end, 10);
        if (end != at && value == number)
            return true;
        at = *end ? end + 1 : end;
    }
    return false;
}

static void keep_only(const char *list, schedule_t *schedule)
{
    size_t kept = 0;
    for (size_t i = 0; i < schedule->count; i++)
        if (lists_number(list, schedule->deeds[i].number))
            schedule->deeds[kept++] = schedule->deeds[i];
    schedule->count = kept;
}

static bool leave_out(const char *list, faults_t *faults)
{
    while (*list) {
        size_t size = strcspn(list, ",");
        fault_t fault = fault_named(list, size);
        if (fault == FAULT_COUNT) {
            fprintf(stderr, "simulate: no fault is called %.*s\n", (int)size, list);
            return false;
        }
        faults->rates[fault] = 0;
        list += size + (list[size] == ',');
    }
    return true;
}

bool replay_reduce(const replay_t *self, plan_t *plan)
{
    if (self->only)
        keep_only(self->only, &plan->schedule);
    for (unsigned i = 0; self->absent && i < plan->options.clients; i++)
        if (lists_number(self->absent, i))
            plan->options.absent |= UINT64_C(1) << i;
    return !self->without || leave_out(self->without, &plan->options.faults);
}

static void print_only(const schedule_t *schedule)
{
    printf(" --only %s", schedule->count ? "" : "none");
    for (size_t i = 0; i < schedule->count; i++)
        printf("%s%zu", i ? "," : "", schedule->deeds[i].number);
}

static void print_without(const faults_t *faults, const faults_t *all)
{
    const char *separator = " --without ";
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (faults->rates[i] == all->rates[i])
            continue;
        printf("%s%s", separator, fault_name((fault_t)i));
        separator = ",";
    }
}

static void print_absent(uint64_t absent)
{
    const char *separator = " --absent ";
    for (unsigned i = 0; i < 64; i++) {
        if (!(absent >> i & 1))
            continue;
        printf("%s%u", separator, i);
        separator = ",";
    }
}

void replay_print(const char *program, const plan_t *plan)
{
    plan_t whole = plan_of(plan->options.seed);
    printf("%s --trace", program);
    if (plan->schedule.count != whole.schedule.count)
        print_only(&plan->schedule);
    print_without(&plan->options.faults, &whole.options.faults);
    print_absent(plan->options.absent);
    printf(" 1 %llu\n", (unsigned long long)plan->options.seed);
    plan_free(&whole);
}
