/* SPDX-License-Identifier: MPL-2.0 */
/* Since when is stored in terms of the wall clock; the rest is counted by the boot clock. */
#include "broker/rules/hold.h"

void hold_begin(const rules_t *self, group_t *group)
{
    const head_t *head = &group->head;
    uint64_t since = head->rekey_due_since_ms;
    uint64_t passed = self->now_ms > since ? self->now_ms - since : 0;
    uint64_t left = head->hold_ms > passed ? head->hold_ms - passed : 0;
    bool is_forever = head->hold_ms == HOLD_FOREVER || left > UINT64_MAX - self->mono_ms;
    group->hold_until_ms = is_forever ? UINT64_MAX : self->mono_ms + left;
    group->hold_told = false;
}

bool hold_is_on(const rules_t *self, const group_t *group)
{
    return group->head.leaves_due > 0 && self->mono_ms < group->hold_until_ms;
}
