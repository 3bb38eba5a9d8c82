/* SPDX-License-Identifier: MPL-2.0 */
/* The clocks, as one number. */
#ifndef CONCLAVE_BROKER_CLOCK_H
#define CONCLAVE_BROKER_CLOCK_H

#include <stdint.h>

/* Since 1970: for people, logs and clients. It may be set back. */
uint64_t wall_clock_us(void);
uint64_t wall_clock_ms(void);
/* Since the machine started, sleep excluded: for durations. Milliseconds are signed, so that what is
   left until a deadline can be below zero. */
uint64_t monotonic_clock_us(void);
int64_t monotonic_clock_ms(void);
/* Since the machine started, sleep included: for deadlines of clients, who go on while we sleep. */
uint64_t boot_clock_ms(void);

#endif
