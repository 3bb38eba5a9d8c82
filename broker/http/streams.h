/* SPDX-License-Identifier: MPL-2.0 */
/* The live pages' streams: an answer each that goes on while there are events. */
#ifndef CONCLAVE_BROKER_HTTP_STREAMS_H
#define CONCLAVE_BROKER_HTTP_STREAMS_H

#include "broker/http/live.h"

#include <microhttpd.h>

#define HTTP_STREAMS_MAX 16

typedef struct http_streams http_streams_t;

typedef struct {
    http_streams_t *all;
    struct MHD_Connection *connection; /* NULL: the place is free */
    feed_reader_t reader;
    bool is_suspended;
} http_stream_t;

/* Owned by one thread, libmicrohttpd's. Zeroed but for `live`, which is borrowed. */
struct http_streams {
    live_t *live;
    http_stream_t places[HTTP_STREAMS_MAX];
    uint64_t open;
    uint64_t dropped; /* that were too slow */
};

/* Why no further stream can be had, in a line for people; NULL: it can. */
const char *http_streams_problem(const http_streams_t *self);

/* The events from now on, as the connection's answer. To be called while there is no problem. NULL:
   the trace has too many listeners. */
struct MHD_Response *http_streams_open(http_streams_t *self, struct MHD_Connection *connection,
                                       uint64_t now_ms);
/* What a HEAD is answered: as a stream, but without its events and its place. */
struct MHD_Response *http_streams_head(void);

/* There is something new to send. A connection without is suspended. */
void http_streams_resume(http_streams_t *self);

#endif
