/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every derivation and every wrap that anybody in the world ever made, as edges from one key to
 * another, and what can be reached over them. R, transcripts and wraps are public, so who holds a
 * key gets all that follows from it; as the derivations are one-way, nothing else. One for the
 * process, since the derivations have no argument to pass it by.
 */
#ifndef CONCLAVE_TESTS_SIMULATION_DERIVATIONS_H
#define CONCLAVE_TESTS_SIMULATION_DERIVATIONS_H

#include <stdbool.h>

#include "client/keys/secret.h"
#include "proto/bytes.h"

#define KEY_UNKNOWN UINT32_MAX

void derivations_open(void);
void derivations_close(void);

/* By link-time wrapping; without effect while closed. */
void derivations_derived(const secret_t *from, const secret_t *to);
void derivations_wrapped(const secret_t *key, const secret_t *content);

/* A key's number; a new one if nobody ever used it. */
uint32_t derivations_key(const secret_t *key);
/* What it was derived from; KEY_UNKNOWN if it was drawn at random. */
uint32_t derivations_source(uint32_t key);

typedef void derivations_found_fn(void *context, uint32_t key);
/* Every key of anybody's that stands anywhere in these bytes. */
void derivations_scan(bytes_t bytes, derivations_found_fn *found, void *context);

/* A search: start, add what the attacker holds, finish; then ask. KEY_UNKNOWN may be added. */
void derivations_search(void);
void derivations_hold(uint32_t key);
void derivations_finish(void);
bool derivations_reached(uint32_t key);
/* The key or one that is derived from it directly. */
bool derivations_reached_near(uint32_t key);

#endif
