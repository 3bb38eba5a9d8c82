/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/http/metrics.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

typedef struct {
    const char *name;
    metric_kind_t kind;
    const char *help;
    size_t offset; /* of the number */
} row_t;

#define TRANSPORT(field) offsetof(counters_t, field)
static const row_t transport_rows[] = {
    {"connections", METRIC_GAUGE, "Clients connected now.", TRANSPORT(connections)},
    {"connections_accepted_total", METRIC_COUNTER, "TCP connections accepted.",
     TRANSPORT(connections_accepted)},
    {"connections_refused_total", METRIC_COUNTER, "Connections turned away by the quota.",
     TRANSPORT(connections_refused)},
    {"handshakes_total", METRIC_COUNTER, "CURVE handshakes that succeeded.", TRANSPORT(handshakes)},
    {"handshake_failures_total", METRIC_COUNTER,
     "Handshakes that failed: wrong key, another protocol, too slow.",
     TRANSPORT(handshakes_failed)},
    {"frames_received_total", METRIC_COUNTER, "Frames received from clients.",
     TRANSPORT(frames_received)},
    {"frames_sent_total", METRIC_COUNTER, "Frames sent to clients.", TRANSPORT(frames_sent)},
    {"replies_dropped_total", METRIC_COUNTER,
     "Replies dropped since the client does not read or is gone; it asks again.",
     TRANSPORT(replies_dropped)},
    {"peers_gone_total", METRIC_COUNTER, "Connections found closed when sending.",
     TRANSPORT(peers_gone)},
    {"batches_total", METRIC_COUNTER, "Turns of the router.", TRANSPORT(batches)},
    {"queued_frames", METRIC_GAUGE, "Request frames that wait for their batch.",
     TRANSPORT(queued_frames)},
    {"queued_bytes", METRIC_GAUGE, "Bytes of the request frames that wait.",
     TRANSPORT(queued_bytes)},
    {"draining", METRIC_GAUGE, "1 from the signal to stop on.", TRANSPORT(draining)},
    {"store_closed", METRIC_GAUGE, "1 after a failed write until the store is open again.",
     TRANSPORT(store_closed)},
};

#define RULES(field) offsetof(rules_counters_t, field)
static const row_t rules_rows[] = {
    {"sessions", METRIC_GAUGE, "Sessions open now.", RULES(sessions)},
    {"users_online", METRIC_GAUGE, "Users with at least one session.", RULES(users_online)},
    {"groups_cached", METRIC_GAUGE, "Groups in memory.", RULES(groups_cached)},
    {"members_cached", METRIC_GAUGE, "Memberships in memory.", RULES(members_cached)},
    {"events_appended_total", METRIC_COUNTER, "Events that got their place in a group's log.",
     RULES(events_appended)},
    {"events_pushed_total", METRIC_COUNTER, "Events pushed, once for each member.",
     RULES(events_pushed)},
    {"events_fetched_total", METRIC_COUNTER, "Events fetched by polls.", RULES(events_fetched)},
    {"events_swept_total", METRIC_COUNTER, "Events deleted: read by all, or too old.",
     RULES(events_swept)},
    {"store_read_failures_total", METRIC_COUNTER,
     "Requests refused since a record could not be read or is damaged.", RULES(reads_failed)},
};

typedef struct {
    const numbers_t *numbers;
    const metrics_sink_t *sink;
} visit_t;

static void family(const visit_t *self, const char *name, metric_kind_t kind, const char *help)
{
    const metric_family_t it = {.name = name, .help = help, .kind = kind};
    self->sink->family(self->sink->context, &it);
}

static void labelled_family(const visit_t *self, const char *name, metric_kind_t kind,
                            const char *help)
{
    const metric_family_t it = {.name = name, .help = help, .kind = kind, .has_labels = true};
    self->sink->family(self->sink->context, &it);
}

static void sample(const visit_t *self, uint64_t value)
{
    static const metric_label_t none = {0};
    self->sink->sample(self->sink->context, &none, value, 0);
}

static void labelled(const visit_t *self, const char *name, const char *label, uint64_t value)
{
    const metric_label_t labels[] = {{name, label}, {0}};
    self->sink->sample(self->sink->context, labels, value, 0);
}

static void single(const visit_t *self, const char *name, metric_kind_t kind, const char *help,
                   uint64_t value)
{
    family(self, name, kind, help);
    sample(self, value);
}

static void milliseconds(const visit_t *self, const char *name, const char *help, uint64_t value_ms)
{
    static const metric_label_t none = {0};
    family(self, name, METRIC_GAUGE, help);
    self->sink->sample(self->sink->context, &none, value_ms, 3);
}

static void visit_requests(const visit_t *self)
{
    const rules_counters_t *rules = &self->numbers->rules;
    labelled_family(self, "requests_total", METRIC_COUNTER, "Requests by verb and outcome.");
    for (unsigned verb = 0; verb < COUNTED_VERBS; verb++) {
        for (unsigned status = 0; status < COUNTED_STATUSES; status++) {
            const metric_label_t labels[] = {
                {"verb", verb == VERB_none ? "unknown" : verb_name(verb)},
                {"status", status_name((status_t)status)},
                {0}};
            if (rules->answered[verb][status] > 0) {
                self->sink->sample(self->sink->context, labels, rules->answered[verb][status], 0);
            }
        }
    }
}

static uint64_t done(const rules_counters_t *rules, verb_t verb)
{
    return rules->answered[verb][STATUS_OK];
}

static void visit_times(const visit_t *self)
{
    histogram_counts_t counts;
    family(self, "request_duration_seconds", METRIC_HISTOGRAM,
           "From a request frame's arrival to the release of its replies.");
    histogram_read(&self->numbers->from.times->requests, &counts);
    self->sink->histogram(self->sink->context, &counts);
    family(self, "write_duration_seconds", METRIC_HISTOGRAM,
           "One batch written to the store, with its sync.");
    histogram_read(&self->numbers->from.times->writes, &counts);
    self->sink->histogram(self->sink->context, &counts);
}

static void visit_drops(const visit_t *self)
{
    const counters_t *counters = self->numbers->from.counters;
    labelled_family(self, "frames_dropped_total", METRIC_COUNTER,
                    "Frames dropped unread, by reason.");
    labelled(self, "reason", "no_key", counter_get(&counters->frames_without_user));
    labelled(self, "reason", "multipart", counter_get(&counters->frames_multipart));
    labelled_family(self, "pushes_dropped_total", METRIC_COUNTER,
                    "Pushes dropped, by reason; the member polls instead.");
    labelled(self, "reason", "connection", counter_get(&counters->pushes_dropped));
    labelled(self, "reason", "behind", self->numbers->rules.pushes_dropped);
    labelled_family(self, "writes_total", METRIC_COUNTER,
                    "Batches written to the store, by outcome.");
    labelled(self, "result", "stored", counter_get(&counters->writes));
    labelled(self, "result", "failed", counter_get(&counters->writes_failed));
    labelled(self, "result", "full", counter_get(&counters->writes_refused));
}

/* One sample for the tools of this machine, one for those from elsewhere. */
static void of_operators(const visit_t *self, const char *name, metric_kind_t kind,
                         const char *help, size_t offset)
{
    static const char *const from[] = {"here", "elsewhere"};
    labelled_family(self, name, kind, help);
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        const char *counters = (const char *)&self->numbers->from.operator_counters[i];
        const void *field = counters + offset;
        labelled(self, "from", from[i], counter_get((const atomic_uint_fast64_t *)field));
    }
}

static void visit_operators(const visit_t *self)
{
    of_operators(self, "operator_connections", METRIC_GAUGE, "Operators' tools connected now.",
                 TRANSPORT(connections));
    of_operators(self, "operator_connections_accepted_total", METRIC_COUNTER,
                 "Connections of operators' tools.", TRANSPORT(connections_accepted));
    of_operators(self, "operator_connections_refused_total", METRIC_COUNTER,
                 "Those turned away since too many were there.", TRANSPORT(connections_refused));
    of_operators(self, "operator_handshake_failures_total", METRIC_COUNTER,
                 "Those whose handshake failed: no operator's key, another protocol, too slow.",
                 TRANSPORT(handshakes_failed));
}

static void visit_trace(const visit_t *self)
{
    trace_hub_t *trace = self->numbers->from.trace;
    single(self, "trace_records_dropped_total", METRIC_COUNTER,
           "Trace records that the broker's own queue had no room for.", trace_hub_dropped(trace));
    single(self, "trace_listeners", METRIC_GAUGE,
           "Who listens to the trace now: tools that watch, and one for all live pages.",
           trace_hub_listeners(trace));
    single(self, "trace_listener_records_dropped_total", METRIC_COUNTER,
           "Trace records that a listener was too slow for.", trace_hub_lost(trace));
}

static uint64_t age_ms(const metrics_self_t *own, uint64_t since_ms)
{
    return since_ms != 0 && own->wall_ms > since_ms ? own->wall_ms - since_ms : 0;
}

static void visit_waiting(const visit_t *self, const metrics_self_t *own)
{
    const rules_pending_t *pending = &self->numbers->pending;
    single(self, "pending_joins", METRIC_GAUGE, "Join requests that wait for an admin.",
           pending->joins);
    milliseconds(self, "pending_join_oldest_seconds", "How long the oldest of them waits.",
                 age_ms(own, pending->oldest_join_ms));
    single(self, "pending_leaves", METRIC_GAUGE, "Leaves that no new group key followed yet.",
           pending->leaves);
    milliseconds(self, "pending_leave_oldest_seconds", "How long the oldest of them waits.",
                 age_ms(own, pending->oldest_leave_ms));
}

static void visit_process(const visit_t *self, const metrics_self_t *own)
{
    const metric_label_t version[] = {{"version", CONCLAVE_VERSION}, {0}};
    const numbers_t *numbers = self->numbers;
    labelled_family(self, "build_info", METRIC_GAUGE, "The program that runs.");
    self->sink->sample(self->sink->context, version, 1, 0);
    milliseconds(self, "start_time_seconds", "When it started, since 1970.", own->started_ms);
    single(self, "ready", METRIC_GAUGE, "Whether requests can be served now, as /readyz says.",
           numbers_problem(numbers, own->now_ms) ? 0 : 1);
    milliseconds(self, "snapshot_age_seconds", "Age of the router's numbers below.",
                 numbers->taken_ms ? own->now_ms - numbers->taken_ms : 0);
    single(self, "store_bytes", METRIC_GAUGE, "Bytes that the store takes on disk.",
           numbers->store_bytes);
    single(self, "http_connections", METRIC_GAUGE, "Connections to this server.", own->connections);
    single(self, "http_streams", METRIC_GAUGE, "Open live pages.", own->streams);
    single(self, "http_streams_dropped_total", METRIC_COUNTER,
           "Live pages that did not read in time.", own->streams_dropped);
    single(self, "http_requests_total", METRIC_COUNTER, "Requests to this server.", own->requests);
    single(self, "http_requests_refused_total", METRIC_COUNTER, "Those answered with 4xx or 5xx.",
           own->refused);
}

void metrics_visit(const numbers_t *numbers, const metrics_self_t *own, const metrics_sink_t *sink)
{
    const visit_t self = {.numbers = numbers, .sink = sink};
    const char *transport = (const char *)numbers->from.counters;
    const char *rules = (const char *)&numbers->rules;
    visit_process(&self, own);
    for (const row_t *row = transport_rows; row < transport_rows + COUNT_OF(transport_rows);
         row++) {
        const void *field = transport + row->offset;
        single(&self, row->name, row->kind, row->help,
               counter_get((const atomic_uint_fast64_t *)field));
    }
    for (const row_t *row = rules_rows; row < rules_rows + COUNT_OF(rules_rows); row++) {
        const void *field = rules + row->offset;
        single(&self, row->name, row->kind, row->help, *(const uint64_t *)field);
    }
    visit_requests(&self);
    single(&self, "rekeys_total", METRIC_COUNTER,
           "Commits accepted: each starts an epoch with a new group key.",
           done(&numbers->rules, VERB_commit));
    visit_drops(&self);
    visit_waiting(&self, own);
    if (numbers->from.operator_counters) {
        visit_operators(&self);
    }
    if (numbers->from.trace) {
        visit_trace(&self);
    }
    visit_times(&self);
}
