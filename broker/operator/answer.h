/* SPDX-License-Identifier: MPL-2.0 */
/* What the operator's requests are answered with. */
#ifndef CONCLAVE_BROKER_OPERATOR_ANSWER_H
#define CONCLAVE_BROKER_OPERATOR_ANSWER_H

#include "broker/operator/operator.h"
#include "broker/operator/session.h"

/* Carries out one request and appends its reply to out. started_ms: when the broker did. */
void operator_answer(const operator_options_t *with, operator_session_t *session,
                     const message_t *request, uint64_t uptime_ms, buffer_t *out);

#endif
