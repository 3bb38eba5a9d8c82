/* SPDX-License-Identifier: MPL-2.0 */
/* The clocks of the I/O side, in milliseconds. */
#ifndef CONCLAVE_CLIENT_HOME_CLOCK_H
#define CONCLAVE_CLIENT_HOME_CLOCK_H

#include <stdint.h>

/* Since 1970: for people and statements. */
uint64_t clock_wall_ms(void);
/* Since the machine started, sleep included: for deadlines. */
uint64_t clock_boot_ms(void);
void clock_sleep_ms(uint64_t milliseconds);

#endif
