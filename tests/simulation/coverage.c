/* SPDX-License-Identifier: MPL-2.0 */
/* The tables of coverage.def against what was counted. */
#include "tests/simulation/coverage.h"

#include <stdio.h>

enum { SELDOM = 1, USUAL }; /* in a run of hundreds of worlds */
#define FEW 5

/* Set where something is expected. */
static const tally_t expected = {
#define ANSWER(verb, status) .answered[VERB_##verb][STATUS_##status] = USUAL,
#define RARE(verb, status)   .answered[VERB_##verb][STATUS_##status] = SELDOM,
#define PHASE(from, to)      .phases[GROUP_##from][GROUP_##to] = USUAL,
#define SESSION(from, to)    .sessions[SESSION_##from][SESSION_##to] = USUAL,
#define OUTCOME(outcome)     .outcomes[OUTCOME_##outcome] = USUAL,
#define OUTCOME_FOLLOWED     COMMIT_FOLLOWED
#define OUTCOME_REMOVED_ME   COMMIT_REMOVED_ME
#define OUTCOME_REFUSED      (OUTCOMES - 1)
#include "tests/simulation/coverage.def"
#undef ANSWER
#undef RARE
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

enum { TABLES = 4 };

static void make_tables(const tally_t *tally, table_t tables[static TABLES])
{
    tables[0] = (table_t){"broker's answers", expected.answered[0], tally->answered[0],
                          COUNTED_VERBS,      COUNTED_STATUSES,     name_answer};
    tables[1] =
        (table_t){"group phases", expected.phases[0], tally->phases[0], PHASES, PHASES, name_phase};
    tables[2] = (table_t){"sessions",          expected.sessions[0], tally->sessions[0],
                          SESSION_STATE_COUNT, SESSION_STATE_COUNT,  name_session};
    tables[3] =
        (table_t){"commit outcomes", expected.outcomes, tally->outcomes, 1, OUTCOMES, name_outcome};
}

/* Those that are usual and were seen fewer than `least` times. */
static bool print_missing(const table_t *table, const char *heading, uint64_t least)
{
    bool any = false;
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        if (table->expected[i] != USUAL || table->seen[i] >= least)
            continue;
        if (!any)
            printf("# %s, %s:", table->title, heading);
        any = true;
        table->name(i / table->columns, i % table->columns);
        printf(" (%llu)", (unsigned long long)table->seen[i]);
    }
    if (any)
        putchar('\n');
    return any;
}

bool coverage_is_whole(const tally_t *tally)
{
    table_t tables[TABLES];
    bool is_whole = true;
    make_tables(tally, tables);
    for (size_t i = 0; i < TABLES; i++)
        is_whole = !print_missing(&tables[i], "never seen", 1) && is_whole;
    if (!is_whole)
        printf(
            "# Can it still be reached? If not, its row of coverage.def goes, with the reason; if "
            "it became rare, it is RARE there; else these worlds need what leads to it.\n");
    return is_whole;
}

void coverage_print(const tally_t *tally, bool with_names)
{
    table_t tables[TABLES];
    make_tables(tally, tables);
    printf("seen:");
    for (size_t i = 0; i < TABLES; i++)
        printf("%s %s %zu/%zu", i ? "," : "", tables[i].title, count(&tables[i], true),
               count(&tables[i], false));
    putchar('\n');
    for (size_t i = 0; with_names && i < TABLES; i++) {
        (void)print_missing(&tables[i], "hardly seen, and not RARE", FEW);
        print_names(&tables[i], "never seen", true);
        print_names(&tables[i], "seen and not in coverage.def", false);
    }
}
