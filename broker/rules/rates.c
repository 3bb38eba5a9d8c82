/* SPDX-License-Identifier: MPL-2.0 */
/* Token buckets. */
#include "broker/rules/rates.h"

bool bucket_take(bucket_t *self, rules_rate_t rate, uint64_t mono_ms)
{
    if (rate.burst == 0)
        return true;
    uint64_t full = (uint64_t)rate.burst * 1000;
    uint64_t passed_ms = mono_ms - self->refilled_ms;
    /* What fills the bucket in any case must not overflow the product. */
    uint64_t gained = passed_ms > UINT32_MAX ? full : passed_ms * rate.per_minute / 60;
    if (self->refilled_ms == 0 || self->millitokens + gained > full)
        self->millitokens = full;
    else
        self->millitokens += gained;
    if (self->refilled_ms == 0 || gained > 0)
        self->refilled_ms = mono_ms ? mono_ms : 1;
    if (self->millitokens < 1000)
        return false;
    self->millitokens -= 1000;
    return true;
}
