/* SPDX-License-Identifier: MPL-2.0 */
/* Totals since the start, so that a lost line loses nothing. */
#include "broker/router/router_report.h"

static void report_transport(log_t *log, const counters_t *counters)
{
    const log_field_t fields[] = {log_event("transport_counters"),
#define X(name) log_count(#name, counter_get(&counters->name)),
                                  COUNTERS(X)
#undef X
    };
    log_write(log, LEVEL_INFO, fields, sizeof fields / sizeof *fields);
}

static uint64_t answered(const rules_counters_t *rules, size_t status)
{
    uint64_t total = 0;
    for (size_t verb = 0; verb < COUNTED_VERBS; verb++) {
        total += rules->answered[verb][status];
    }
    return total;
}

void router_report(log_t *log, const counters_t *counters, const rules_counters_t *rules)
{
    if (!log_wants(log, LEVEL_INFO)) {
        return;
    }
    report_transport(log, counters);
    LOG(log, LEVEL_INFO, log_event("rules_counters"),
        log_count("requests_done", answered(rules, STATUS_OK)),
        log_count("sends", rules->answered[VERB_send][STATUS_OK]),
        log_count("commits", rules->answered[VERB_commit][STATUS_OK]),
        log_count("events", rules->events_appended),
        log_count("events_pushed", rules->events_pushed),
        log_count("events_fetched", rules->events_fetched),
        log_count("pushes_dropped", rules->pushes_dropped), log_count("sessions", rules->sessions),
        log_count("users_online", rules->users_online));
    for (size_t status = 1; status < COUNTED_STATUSES; status++) {
        uint64_t count = answered(rules, status);
        if (count > 0) {
            LOG(log, LEVEL_INFO, log_event("refusals"), log_status("status", (status_t)status),
                log_count("count", count));
        }
    }
}

void router_report_trace(log_t *log, const counters_t *operators, trace_hub_t *trace)
{
    for (size_t i = 0; operators && i < 2; i++) {
        LOG(log, LEVEL_INFO, log_event("operator_counters"),
            log_text("from", i == 0 ? "here" : "elsewhere"),
            log_count("connections", counter_get(&operators[i].connections)),
            log_count("accepted", counter_get(&operators[i].connections_accepted)),
            log_count("refused", counter_get(&operators[i].connections_refused)),
            log_count("handshakes_failed", counter_get(&operators[i].handshakes_failed)));
    }
    LOG(log, LEVEL_INFO, log_event("trace_counters"),
        log_count("listeners", trace_hub_listeners(trace)),
        log_count("records_dropped", trace_hub_dropped(trace)),
        log_count("listener_records_dropped", trace_hub_lost(trace)));
}
