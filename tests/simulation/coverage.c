/* SPDX-License-Identifier: MPL-2.0 */
/* The tables of coverage.def against what was counted. */
#include "tests/simulation/coverage.h"

#include <stdio.h>

/* Set where something is expected. */
static const tally_t expected = {
#define ANSWER(verb, status) .answered[VERB_##verb][STATUS_##status] = 1,
#define PHASE(from, to)      .phases[GROUP_##from][GROUP_##to] = 1,
#define SESSION(from, to)    .sessions[SESSION_##from][SESSION_##to] = 1,
#define OUTCOME(outcome)     .outcomes[OUTCOME_##outcome] = 1,
#define OUTCOME_FOLLOWED     COMMIT_FOLLOWED
#define OUTCOME_REMOVED_ME   COMMIT_REMOVED_ME
#define OUTCOME_REFUSED      (OUTCOMES - 1)
#include "tests/simulation/coverage.def"
#undef ANSWER
#undef PHASE
#undef SESSION
#undef OUTCOME
};

typedef void name_fn(size_t row, size_t column);

typedef struct {
    const char *title;
    const uint64_t *expected, *seen;
    size_t rows, columns;
    name_fn *name;
} table_t;

static void name_answer(size_t verb, size_t status)
{
    const char *name = verb_name(verb);
    printf(" %s-%s", name ? name : "unknown", status_name((status_t)status));
}

static const char *phase_name(size_t phase)
{
    static const char *const names[PHASES] = {"NONE",    "JOINING", "WELCOMED", "ACTIVE",
                                              "LEAVING", "LEFT",    "LOST"};
    return names[phase];
}

static void name_phase(size_t from, size_t to)
{
    printf(" %s-%s", phase_name(from), phase_name(to));
}

static void name_session(size_t from, size_t to)
{
    printf(" %s-%s", session_state_name((session_state_t)from),
           session_state_name((session_state_t)to));
}

static void name_outcome(size_t row, size_t outcome)
{
    static const char *const names[OUTCOMES] = {"FOLLOWED", "REMOVED_ME", "REFRESHED_ME",
                                                "REFUSED"};
    (void)row;
    printf(" %s", names[outcome]);
}

static size_t count(const table_t *table, bool in_seen)
{
    size_t count = 0;
    for (size_t i = 0; i < table->rows * table->columns; i++)
        count += table->expected[i] && (!in_seen || table->seen[i]);
    return count;
}

/* Those where exactly one of the two is set. */
static void print_names(const table_t *table, const char *heading, bool is_expected)
{
    bool any = false;
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        if ((table->expected[i] != 0) != is_expected || (table->seen[i] != 0) == is_expected)
            continue;
        if (!any)
            printf("  %s, %s:", table->title, heading);
        any = true;
        table->name(i / table->columns, i % table->columns);
    }
    if (any)
        putchar('\n');
}

void coverage_print(const tally_t *tally, bool with_names)
{
    const table_t tables[] = {
        {"broker's answers", expected.answered[0], tally->answered[0], COUNTED_VERBS,
         COUNTED_STATUSES, name_answer},
        {"group phases", expected.phases[0], tally->phases[0], PHASES, PHASES, name_phase},
        {"sessions", expected.sessions[0], tally->sessions[0], SESSION_STATE_COUNT,
         SESSION_STATE_COUNT, name_session},
        {"commit outcomes", expected.outcomes, tally->outcomes, 1, OUTCOMES, name_outcome},
    };
    size_t tables_count = sizeof tables / sizeof tables[0];
    printf("seen:");
    for (size_t i = 0; i < tables_count; i++)
        printf("%s %s %zu/%zu", i ? "," : "", tables[i].title, count(&tables[i], true),
               count(&tables[i], false));
    putchar('\n');
    for (size_t i = 0; with_names && i < tables_count; i++) {
        print_names(&tables[i], "never seen", true);
        print_names(&tables[i], "seen and not in coverage.def", false);
    }
}
