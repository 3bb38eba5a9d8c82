/* SPDX-License-Identifier: MPL-2.0 */
/* That a failure is found again, and reduced. */
#ifndef CONCLAVE_TESTS_SIMULATION_SELF_TEST_H
#define CONCLAVE_TESTS_SIMULATION_SELF_TEST_H

/* Prints TAP. 0 if all is well. */
int self_test(void);

#endif
