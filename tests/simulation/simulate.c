/* SPDX-License-Identifier: MPL-2.0 */
/* The command: random worlds by seed, and what to do about one that fails. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/simulation/coverage.h"
#include "tests/simulation/replay.h"
#include "tests/simulation/report.h"
#include "tests/simulation/self_test.h"
#include "tests/simulation/shrink.h"

#define WHOLE 500 /* worlds in which all is seen that is usual */

static const char usage[] =
    "usage: simulate [OPTIONS] SEEDS [FIRST]\n"
    "Plays that many random worlds, from seed FIRST (1) on, and stops at one that fails.\n"
    "  --tap           a TAP line a seed; does not stop\n"
    "  --loud          prints what people see\n"
    "  --trace         prints that, and a line a step: time, who, what\n"
    "  --shrink        reduces the plan of a seed that fails, and prints what is left\n"
    "  --coverage      names what was never seen of the state tables\n"
    "  --only LIST     plays only these deeds: 3,7,9 (none: no deed)\n"
    "  --without LIST  leaves these faults out: loss,cut (--faults names them)\n"
    "  --absent LIST   leaves these clients out: 2,4\n"
    "  --faults        lists the kinds of faults\n"
    "  --self-test     shows that a failure is found again and reduced\n";

typedef struct {
    const char *program;
    bool is_tap, is_loud, is_traced, shrinks, names_coverage;
    replay_t replay;
    unsigned long long numbers[2]; /* how many, the first */
    size_t given;
    report_t report;
} command_t;

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void reduce(const command_t *self, plan_t *plan, const char *kind)
{
    size_t deeds = plan->schedule.count;
    unsigned runs = shrink(plan, kind, NULL);
    verdict_t verdict = plan_run(plan, NULL, NULL);
    printf("# reduced from %zu deeds to %zu in %u runs: %s\n", deeds, plan->schedule.count, runs,
           verdict.failure);
    schedule_print(&plan->schedule);
    printf("# replay: ");
    replay_print(self->program, plan);
}

static bool play(command_t *self, uint64_t seed)
{
    plan_t plan = plan_of(seed);
    plan.options.is_loud = self->is_loud;
    plan.options.is_traced = self->is_traced;
    if (!replay_reduce(&self->replay, &plan))
        exit(2);
    uint64_t start_us = now_us();
    verdict_t verdict = plan_run(&plan, NULL, &self->report.total);
    uint64_t took_us = now_us() - start_us;
    self->report.seeds++;
    self->report.took_us += took_us;
    if (took_us > self->report.longest_us) {
        self->report.longest_us = took_us;
        self->report.longest_seed = seed;
    }
    if (verdict.failure[0]) {
        printf("# seed %llu failed: %s\n# replay: ", (unsigned long long)seed, verdict.failure);
        replay_print(self->program, &plan);
        plan.options.is_loud = plan.options.is_traced = false;
        if (self->shrinks)
            reduce(self, &plan, verdict.kind);
        fflush(stdout);
    }
    plan_free(&plan);
    return !verdict.failure[0];
}

static int run(command_t *self)
{
    bool is_good = true;
    bool asks_all = self->is_tap && self->numbers[0] >= WHOLE;
    if (self->is_tap)
        printf("1..%llu\n", self->numbers[0] + asks_all);
    for (unsigned long long i = 0; i < self->numbers[0] && (is_good || self->is_tap); i++) {
        bool passes = play(self, self->numbers[1] + i);
        is_good = is_good && passes;
        if (self->is_tap)
            printf("%s %llu - world of seed %llu\n", passes ? "ok" : "not ok", i + 1,
                   self->numbers[1] + i);
    }
    if (asks_all) {
        bool is_whole = coverage_is_whole(&self->report.total);
        printf("%s %llu - what coverage.def calls usual was seen\n", is_whole ? "ok" : "not ok",
               self->numbers[0] + 1);
        is_good = is_good && is_whole;
    }
    if (self->is_tap)
        return is_good ? 0 : 1;
    report_print(&self->report);
    if (self->names_coverage)
        coverage_print(&self->report.total, true);
    if (is_good)
        printf("%llu worlds from seed %llu: all good\n", self->numbers[0], self->numbers[1]);
    return is_good ? 0 : 1;
}

static int list_faults(void)
{
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf("%-20s %s\n", fault_name((fault_t)i), fault_text((fault_t)i));
    return 0;
}

static int complain(const char *argument)
{
    fprintf(stderr, "simulate: what is %s?\n%s", argument, usage);
    return 2;
}

/* Whether it was a switch or, with its value, an option. */
static bool take_option(command_t *self, char **argv, int *at)
{
    const struct {
        const char *name;
        bool *flag;
        const char **value;
    } options[] = {
        {"--tap", &self->is_tap, NULL},
        {"--loud", &self->is_loud, NULL},
        {"--trace", &self->is_traced, NULL},
        {"--shrink", &self->shrinks, NULL},
        {"--coverage", &self->names_coverage, NULL},
        {"--only", NULL, &self->replay.only},
        {"--without", NULL, &self->replay.without},
        {"--absent", NULL, &self->replay.absent},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(argv[*at], options[i].name))
            continue;
        if (options[i].flag)
            *options[i].flag = true;
        else if (argv[*at + 1])
            *options[i].value = argv[++*at];
        else
            return false;
        return true;
    }
    return false;
}

static bool take_number(command_t *self, const char *text)
{
    char *end;
    if (self->given == 2)
        return false;
    self->numbers[self->given++] = strtoull(text, &end, 10);
    return end != text && !*end;
}

int main(int argc, char **argv)
{
    command_t command = {.program = argv[0], .numbers = {20, 1}};
    chance_install();
    if (sodium_init() < 0)
        return 2;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help"))
            return fputs(usage, stdout) < 0;
        if (!strcmp(argv[i], "--faults"))
            return list_faults();
        if (!strcmp(argv[i], "--self-test"))
            return self_test();
        if (!take_option(&command, argv, &i) && !take_number(&command, argv[i]))
            return complain(argv[i]);
    }
    command.is_loud = command.is_loud || command.is_traced;
    return run(&command);
}
