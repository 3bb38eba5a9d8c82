/* SPDX-License-Identifier: MPL-2.0 */
/* The counters as lines of the log. */
#ifndef CONCLAVE_BROKER_ROUTER_ROUTER_REPORT_H
#define CONCLAVE_BROKER_ROUTER_ROUTER_REPORT_H

#include "broker/counters.h"
#include "broker/log.h"
#include "broker/rules/trace.h"
#include "broker/trace/hub.h"

/* At info: connections and frames, requests, and one line for each status of refusal met. */
void router_report(log_t *log, const counters_t *counters, const rules_counters_t *rules);

/* At info: the tools' connections (two counters_t: here, and from elsewhere; or NULL), and what was
 * lost of the trace. */
void router_report_trace(log_t *log, const counters_t *operators, trace_hub_t *trace);

#endif
