/* SPDX-License-Identifier: MPL-2.0 */
/* What the live page is told: listens to the trace while somebody looks, and makes events of it. */
#ifndef CONCLAVE_BROKER_HTTP_LIVE_H
#define CONCLAVE_BROKER_HTTP_LIVE_H

#include "broker/http/feed.h"
#include "broker/http/numbers.h"

/* Owned by one thread, the server's. */
typedef struct live live_t;

/* `numbers` is borrowed, and so is what it is taken from. started_ms: since 1970. */
live_t *live_new(numbers_t *numbers, uint64_t started_ms);
void live_destroy(live_t **self);

/* The first reader starts the listening, the last one ends it. False: there is no trace to be had.
 */
bool live_open(live_t *self, feed_reader_t *reader, uint64_t now_ms);
void live_close(live_t *self, feed_reader_t *reader);

/* As feed_read. */
bool live_read(const live_t *self, feed_reader_t *reader, char *out, size_t size, size_t *got);

/* To be called at the time that live_next said. True: there is something new to read. */
bool live_tick(live_t *self, uint64_t now_ms);
/* When live_tick has something to do; UINT64_MAX: nobody looks. */
uint64_t live_next(const live_t *self);

/* Nothing more comes: live_read says false from now on, and the trace is not listened to. */
void live_end(live_t *self);
bool live_has_ended(const live_t *self);

/* How often: in ms. */
#define LIVE_TAKE_MS   20   /* records are taken, so that few are lost */
#define LIVE_TICK_MS   200  /* `tick`: what happened */
#define LIVE_SEALED_MS 1000 /* `sealed`: one message as the broker has it */
#define LIVE_STATE_MS  2000 /* `state`: who is there */

#define LIVE_USERS        64   /* named in `state` */
#define LIVE_SEALED_BYTES 1024 /* shown of a message */

#endif
