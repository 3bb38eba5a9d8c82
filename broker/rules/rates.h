/* SPDX-License-Identifier: MPL-2.0 */
/* Token buckets. */
#ifndef CONCLAVE_BROKER_RULES_RATES_H
#define CONCLAVE_BROKER_RULES_RATES_H

#include "broker/rules/rules.h"

/* All zero is a bucket not used yet, that is, full. */
typedef struct {
    uint64_t refilled_ms; /* 0: never used */
    uint64_t millitokens;
} bucket_t;

/* Takes a token. False if there is none. */
bool bucket_take(bucket_t *self, rules_rate_t rate, uint64_t mono_ms);

#endif
