/* SPDX-License-Identifier: MPL-2.0 */
/* Which steps a listener wants. */
#ifndef CONCLAVE_BROKER_TRACE_FILTER_H
#define CONCLAVE_BROKER_TRACE_FILTER_H

#include "broker/rules/trace.h"

#define TRACE_SHARE_WHOLE 1000

/* All zero passes everything. */
typedef struct {
    name_t user;
    name_t group;
    uint64_t verb;
    uint64_t status;
    bool refused_only; /* refusals, drops and failures */
    uint64_t steps;    /* mask of 1 << trace_step_t */
    uint64_t share;    /* of TRACE_SHARE_WHOLE turns; 0: all */
    uint64_t turn;     /* the last one of which a record passed: kept by trace_filter_passes */
} trace_filter_t;

/*
 * Of a turn all is taken or nothing, so that the story of what was taken is whole. The write of a
 * turn has no user, group or verb: it passes if something of its turn did.
 */
bool trace_filter_passes(trace_filter_t *self, const trace_record_t *record);

#endif
