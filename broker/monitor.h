/* SPDX-License-Identifier: MPL-2.0 */
/* Watches the ROUTER's connections: counts them for the quota, and logs them at debug. */
#ifndef CONCLAVE_BROKER_MONITOR_H
#define CONCLAVE_BROKER_MONITOR_H

#include "broker/counters.h"
#include "broker/log.h"
#include "broker/trace/hub.h"

#include <czmq.h>

/* Must live, unchanged, until the actor is destroyed. */
typedef struct {
    log_t *log;
    counters_t *counters;
    trace_hub_t *trace; /* hears of failed handshakes; NULL: nobody */
    zsock_t *watched;
    atomic_bool is_started; /* set before zactor_new returns */
} monitor_options_t;

/* A zactor: zactor_new(monitor_actor, &options). Make it before the socket is bound. Destroy it
   after monitor_stop and before the socket. */
void monitor_actor(zsock_t *pipe, void *options);

/* Called by the thread that owns the socket. */
void monitor_stop(zsock_t *watched);

#endif
