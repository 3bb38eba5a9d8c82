/* SPDX-License-Identifier: MPL-2.0 */
/* Where the rules make their trace records; without a listener each is one comparison. */
#ifndef CONCLAVE_BROKER_RULES_TRACE_EMIT_H
#define CONCLAVE_BROKER_RULES_TRACE_EMIT_H

#include "broker/rules/state.h"

void trace_received(rules_t *self, const request_t *request);
/* Counts the outcome too. */
void trace_answered(rules_t *self, const request_t *request, status_t status);
void trace_stored(rules_t *self, status_t status, size_t size_bytes);
/* What the listener calls it. */
uint64_t trace_pushed(rules_t *self, const member_t *member, const chunk_t *chunk);
void trace_push_dropped(rules_t *self, const member_t *member, const chunk_t *chunk,
                        trace_reason_t reason);
void trace_fanned_out(rules_t *self, const group_t *group, size_t pushed);
/* `count` events that a poll takes, without gaps. */
void trace_fetched(rules_t *self, const request_t *request, const group_t *group,
                   const event_record_t *events, size_t count);
void trace_cursor_moved(rules_t *self, const member_t *member);
void trace_session(rules_t *self, const session_t *session, status_t why);

#endif
