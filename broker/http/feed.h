/* SPDX-License-Identifier: MPL-2.0 */
/* Server-sent events for any number of readers: each is encoded once, and the last ones are kept.
 */
#ifndef CONCLAVE_BROKER_HTTP_FEED_H
#define CONCLAVE_BROKER_HTTP_FEED_H

#include "proto/bytes.h"

#include <stdbool.h>

#define FEED_KEPT 32

/* Owned by one thread. Zeroed is empty. */
typedef struct {
    buffer_t texts[FEED_KEPT]; /* the event with number n in [n % FEED_KEPT] */
    uint64_t next;             /* number of the event to come */
} feed_t;

/* Where a reader is. feed_reader_begin starts it. */
typedef struct {
    buffer_t first; /* what it gets before the feed; owned */
    size_t offset;
    uint64_t at;
} feed_reader_t;

void feed_free(feed_t *self);

/* data: one line, copied. The oldest event makes room. */
void feed_put(feed_t *self, const char *event, bytes_t data);
/* Appends an event as it goes over the wire. */
void feed_format(buffer_t *out, const char *event, bytes_t data);

/* Reads `first` (taken over), then what is put from now on. */
void feed_reader_begin(feed_reader_t *self, const feed_t *feed, buffer_t first);
void feed_reader_end(feed_reader_t *self);

/* Copies at most `size` bytes and says how many; 0: there is nothing now. False: the reader was too
   slow, what it should read is gone. */
bool feed_read(const feed_t *self, feed_reader_t *reader, char *out, size_t size, size_t *got);

#endif
