/* SPDX-License-Identifier: MPL-2.0 */
/* The broker's loop: takes requests in batches through the rules, the writer and back out. */
#ifndef CONCLAVE_BROKER_ROUTER_ROUTER_H
#define CONCLAVE_BROKER_ROUTER_ROUTER_H

#include "broker/histogram.h"
#include "broker/log.h"
#include "broker/process/service.h"
#include "broker/process/signals.h"
#include "broker/router/router_calls.h"
#include "broker/router/router_socket.h"
#include "broker/rules/rules.h"
#include "broker/trace/hub.h"

/* Told in the router's thread. SIGNAL_RELOAD: between turns and writes, so rules, store and
   report_ms may be changed. SIGNAL_STOP: once, before the drain, after which signal_fd is not read
   any more. */
typedef void router_signal_t(void *context, signal_kind_t kind);

/* How long things take: from a request frame's arrival to the release of its replies, and one
   write to the store with its sync. Filled by the router, read in any thread. */
typedef struct {
    histogram_t requests;
    histogram_t writes;
} router_times_t;

/* All is borrowed, and used by nobody else while router_run runs (the counters, the log apart). */
typedef struct {
    router_socket_t *socket;
    rules_t *rules;
    store_t *store;
    counters_t *counters;
    const counters_t *operator_counters; /* two: of the tools here, and of those from elsewhere; NULL:
                                            none. For the report */
    log_t *log;
    router_times_t *times; /* NULL: not measured */
    trace_hub_t *trace;    /* NULL: nobody ever listens */
    router_calls_t *calls; /* NULL: nobody calls. Closed when router_run returns */
    service_t *service;    /* NULL: no service manager */
    int signal_fd;         /* of signals_open */
    router_signal_t *on_signal;
    void *signal_context;
    uint64_t report_ms; /* between two lines of counters, with one at the end; 0: none */
} router_options_t;

/*
 * Runs until SIGTERM or SIGINT, then drains: new requests are refused with DRAINING, the batch in
 * progress is finished and answered.
 *
 *   receive -> rules -> [write in the writer's thread, meanwhile receive] -> replies, pushes -> ...
 *
 * After a failed write nothing of that batch is answered; the store is closed and opened again, at
 * first after 100 ms, then less and less often, down to every 5 s.
 * STATUS_IO_ERROR: the writer's thread or the poll failed.
 */
MUST_CHECK status_t router_run(const router_options_t *options);

#endif
