/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t wall_clock_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t wall_clock_ms(void)
{
    return wall_clock_us() / 1000;
}

uint64_t monotonic_clock_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t monotonic_clock_ms(void)
{
    return (int64_t)(monotonic_clock_us() / 1000);
}

uint64_t boot_clock_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}
