/* SPDX-License-Identifier: MPL-2.0 */
/* What each outcome means to the shell, and what its user can do about it. */
#ifndef CONCLAVE_CLIENT_UI_EXIT_CODE_H
#define CONCLAVE_CLIENT_UI_EXIT_CODE_H

#include "proto/status.h"

enum {
    EXIT_DONE = 0,
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,     /* by the broker; the status is named */
    EXIT_UNREACHABLE = 4, /* or timed out */
    EXIT_PASSWORD = 5,
    EXIT_DAMAGED = 6,   /* a local file is damaged, unsafe, missing or can't be read */
    EXIT_IN_USE = 7,    /* the home, by another process */
    EXIT_UNTRUSTED = 8, /* a key changed, a bad signature, a fork */
    EXIT_SIGNAL = 128,  /* plus the signal's number, as shells do */
};

int exit_code_of(status_t status);

/* The next step, without a final stop; NULL where there is none to name. Static storage. */
const char *exit_code_advice(status_t status);

#endif
