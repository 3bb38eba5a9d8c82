/* SPDX-License-Identifier: MPL-2.0 */
/* What happened in a run, or in many: counts only. */
#ifndef CONCLAVE_TESTS_SIMULATION_TALLY_H
#define CONCLAVE_TESTS_SIMULATION_TALLY_H

#include "broker/rules/trace.h"
#include "client/core/member.h"
#include "tests/simulation/actions.h"
#include "tests/simulation/faults.h"

#define PHASES   (GROUP_LOST + 1)
#define OUTCOMES (COMMIT_REFRESHED_ME + 2) /* the last one: refused */

typedef enum {
#define LIE(name, text) LIE_##name,
#include "tests/simulation/lies.def"
#undef LIE
    LIE_COUNT
} lie_t;

/* Nothing but uint64_t in it: tally_add relies on it. */
typedef struct {
    uint64_t steps, turns, simulated_ms;
    uint64_t clients, crashes, restarts;
    uint64_t writes, broker_writes; /* durable ones: crash_before and crash_after lie around them */
    uint64_t texts, lines, late_lines, refusals;
    uint64_t lies[LIE_COUNT];
    uint64_t injected[FAULT_COUNT];
    uint64_t deeds[ACTION_COUNT];
    uint64_t answered[COUNTED_VERBS][COUNTED_STATUSES]; /* by the broker */
    uint64_t phases[PHASES][PHASES];                    /* of a client's groups: old, new */
    uint64_t sessions[SESSION_STATE_COUNT][SESSION_STATE_COUNT];
    uint64_t outcomes[OUTCOMES]; /* of commits that clients applied */
} tally_t;

const char *lie_name(lie_t lie);

void tally_add(tally_t *self, const tally_t *more);

#endif
