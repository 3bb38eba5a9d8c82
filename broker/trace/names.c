/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/names.h"

static const char *const steps[] = {
#define X(step, name) name,
    TRACE_STEPS(X)
#undef X
};

static const char *const reasons[] = {
#define X(reason, name) name,
    TRACE_REASONS(X)
#undef X
};

const char *trace_step_name(uint64_t step)
{
    return step < TRACE_STEP_COUNT ? steps[step] : "?";
}

const char *trace_reason_name(uint64_t reason)
{
    return reason < TRACE_REASON_COUNT ? reasons[reason] : "?";
}

static bool is_same(const char *name, const char *given)
{
    for (; *name; name++, given++) {
        bool is_gap = *name == ' ' && (*given == '-' || *given == '_');
        if (*name != *given && !is_gap)
            return false;
    }
    return *given == '\0';
}

bool trace_step_find(const char *name, trace_step_t *out)
{
    for (unsigned step = 0; step < TRACE_STEP_COUNT; step++)
        if (is_same(steps[step], name)) {
            *out = (trace_step_t)step;
            return true;
        }
    return false;
}
