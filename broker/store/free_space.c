/* SPDX-License-Identifier: MPL-2.0 */
/* statvfs with a short memory. */
#include "broker/store/free_space.h"

#include "broker/clock.h"

#include <sys/statvfs.h>

#define ASK_AGAIN_MS 100

uint64_t free_space_bytes(free_space_t *self, const char *path)
{
    const uint64_t now = (uint64_t)monotonic_clock_ms() + 1; /* 0: not asked yet */
    if (self->asked_ms != 0 && now - self->asked_ms < ASK_AGAIN_MS)
        return self->bytes;
    struct statvfs system;
    self->bytes = 0;
    if (statvfs(path, &system) == 0)
        self->bytes = (uint64_t)system.f_bavail * system.f_frsize;
    self->asked_ms = now;
    return self->bytes;
}

void free_space_spend(free_space_t *self, uint64_t bytes)
{
    self->bytes -= bytes < self->bytes ? bytes : self->bytes;
}
