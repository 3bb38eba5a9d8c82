/* SPDX-License-Identifier: MPL-2.0 */
/* The file of an operator's key pair, by which a broker elsewhere lets its tools in. */
#ifndef CONCLAVE_BROKER_OPERATOR_CLIENT_OPERATOR_KEY_H
#define CONCLAVE_BROKER_OPERATOR_CLIENT_OPERATOR_KEY_H

#include "broker/key_pair.h"

#include <stddef.h>

/* A file of one line, the secret key as 43 characters, mode 0600. False, with a line for people in
 * problem. */
bool operator_key_read(key_pair_t *out, const char *path, char *problem, size_t problem_size);

/* Makes a pair and writes a new file; an existing one is left alone. */
bool operator_key_make(key_pair_t *out, const char *path, char *problem, size_t problem_size);

#endif
