/* SPDX-License-Identifier: MPL-2.0 */
/* What goes out to a peer: messages put together to few frames, and taken back when the turn's
 * write fails. */
#ifndef CONCLAVE_BROKER_RULES_OUTPUT_H
#define CONCLAVE_BROKER_RULES_OUTPUT_H

#include "broker/rules/state.h"

/* Appends a reply. Tentative: it depends on the turn's write, and so does all that follows for this
 * peer. */
void output_reply(rules_t *self, peer_t *peer, verb_t verb, uint64_t id, status_t status,
                  const void *body, bool tentative);

/* Appends a push to a session, with its next number. Dropped if the session has ended. */
void output_push(rules_t *self, session_t *session, verb_t verb, const void *body);

/*
 * Appends a push of `count` events that are encoded already, each as an element of the list in the
 * events push. No room is made twice: the bytes are copied once into the peer's frame. step: what
 * the listener calls the push.
 */
void output_push_events(rules_t *self, session_t *session, bytes_t events, uint32_t count,
                        uint64_t step);

/* Appends a push of no events, which asks the client for nothing, to a session that nothing waits
 * for. It doesn't count as a push: nobody misses it. */
void output_probe(rules_t *self, session_t *session);

/* Bytes that wait for this peer. */
size_t output_size(const peer_t *peer);

/* Replaces all tentative replies by refusals with this status / drops all that waits. */
void output_refuse_tentative(rules_t *self, status_t status);
void output_drop_all(rules_t *self);

/* Between turns: what was taken is forgotten. */
void output_begin(rules_t *self);
void output_free(output_t *self);

/* The bytes of one event as it stands in a list of events. */
void output_encode_event(const event_record_t *event, buffer_t *out);

#endif
