/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/trace/filter.h"

static bool is_refusal(const trace_record_t *record)
{
    switch (record->step) {
    case TRACE_REFUSED:
    case TRACE_STORE_FAILED:
    case TRACE_PUSH_DROPPED:
    case TRACE_HANDSHAKE_FAILED:
        return true;
    default:
        return false;
    }
}

/* Spreads the turns evenly (Fibonacci hashing). */
static bool is_sampled(const trace_filter_t *self, uint64_t turn)
{
    uint64_t hash = turn * 0x9e3779b97f4a7c15u;
    return self->share == 0 || (hash >> 32) % TRACE_SHARE_WHOLE < self->share;
}

static bool is_wanted_name(const name_t *wanted, const name_t *name)
{
    return wanted->text[0] == '\0' || name_equal(wanted, name);
}

static bool is_wanted_subject(const trace_filter_t *self, const trace_record_t *record)
{
    return is_wanted_name(&self->user, &record->user) &&
           is_wanted_name(&self->group, &record->group) &&
           (self->verb == 0 || self->verb == record->verb) &&
           (self->status == 0 || self->status == record->status);
}

static bool has_subject(const trace_filter_t *self)
{
    return self->user.text[0] || self->group.text[0] || self->verb || self->status;
}

bool trace_filter_passes(trace_filter_t *self, const trace_record_t *record)
{
    if (!is_sampled(self, record->turn))
        return false;
    bool is_write = record->step == TRACE_STORED || record->step == TRACE_STORE_FAILED;
    bool subject_passes = is_write && has_subject(self)
                              ? self->turn != 0 && self->turn == record->turn
                              : is_wanted_subject(self, record);
    if (!subject_passes)
        return false;
    self->turn = record->turn;
    return (self->steps == 0 || (self->steps >> record->step & 1) != 0) &&
           (!self->refused_only || is_refusal(record));
}
