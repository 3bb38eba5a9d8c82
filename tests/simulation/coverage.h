/* SPDX-License-Identifier: MPL-2.0 */
/* How much of what honest clients can reach was reached: answers of the broker, changes of groups'
 * phases and of sessions, outcomes of commits. */
#ifndef CONCLAVE_TESTS_SIMULATION_COVERAGE_H
#define CONCLAVE_TESTS_SIMULATION_COVERAGE_H

#include "tests/simulation/tally.h"

/* One line: seen of how many. With names: also each that was never seen, and each that was seen and
 * is not in coverage.def. */
void coverage_print(const tally_t *tally, bool with_names);

/* Whether all was seen that is not marked as rare; names to a line of TAP what was not. */
bool coverage_is_whole(const tally_t *tally);

#endif
