/* SPDX-License-Identifier: MPL-2.0 */
/* What the operator's requests are answered with. */
#ifndef CONCLAVE_BROKER_OPERATOR_ANSWER_H
#define CONCLAVE_BROKER_OPERATOR_ANSWER_H

#include "broker/operator/operator.h"
#include "broker/operator/session.h"

typedef struct {
    uint64_t uptime_ms; /* the broker's */
    int call_ms;        /* how long the router may be waited for */
} answer_times_t;

/* Carries out one request and appends its reply to out. */
void operator_answer(const operator_options_t *with, operator_session_t *session,
                     const message_t *request, answer_times_t times, buffer_t *out);

#endif
