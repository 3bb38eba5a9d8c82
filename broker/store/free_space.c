/* SPDX-License-Identifier: MPL-2.0 */
/* statvfs with a short memory. */
#include "broker/store/free_space.h"

#include <sys/statvfs.h>
#include <time.h>

#define ASK_AGAIN_MS 100

static uint64_t now_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

uint64_t free_space_bytes(free_space_t *self, const char *path)
{
    uint64_t now = now_ms();
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
