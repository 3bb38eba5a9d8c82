/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/operator/answer.h"

#include "broker/clock.h"
#include "broker/rules/inspect.h"
#include "broker/rules/users.h"
#include "proto/memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void answer_watch(const operator_options_t *with, operator_session_t *session,
                         const message_t *request, buffer_t *out)
{
    watch_reply_t reply = {.time_us = wall_clock_us(),
                           .remembered = trace_hub_remembered(with->trace)};
    status_t status = session_watch(session, with->trace, &request->body.watch_request);
    message_write_reply(out, VERB_watch, request->id, status, &reply);
}

/* --- One message ----------------------------------------------------------------------------- */

typedef struct {
    const explain_request_t *request;
    rules_explained_t *out;
} explain_call_t;

static status_t call_explain(void *context, rules_t *rules, store_t *store)
{
    explain_call_t *self = context;
    (void)store;
    return rules_explain(rules, &self->request->group, self->request->sequence, self->out);
}

static void answer_explain(const operator_options_t *with, const message_t *request, int call_ms,
                           buffer_t *out)
{
    rules_explained_t *explained = mem_zalloc(1, sizeof *explained);
    explain_call_t call = {.request = &request->body.explain_request, .out = explained};
    status_t status = router_calls_do(with->calls, call_explain, &call, call_ms);
    message_write_reply(out, VERB_explain, request->id, status,
                        status == STATUS_OK ? &explained->reply : NULL);
    free(explained);
}

/* --- The whole ------------------------------------------------------------------------------- */

typedef struct {
    rules_counters_t counters;
    rules_pending_t pending;
    rules_loads_t loads;
} overview_t;

static status_t call_overview(void *context, rules_t *rules, store_t *store)
{
    overview_t *self = context;
    (void)store;
    self->counters = *rules_counters(rules);
    status_t status = rules_pending(rules, &self->pending);
    return status == STATUS_OK ? rules_loads(rules, &self->loads) : status;
}

static void count_answers(const rules_counters_t *counters, overview_reply_t *reply)
{
    for (size_t verb = 0; verb < COUNTED_VERBS; verb++)
        for (size_t status = 0; status < COUNTED_STATUSES; status++)
            *(status == STATUS_OK ? &reply->requests_done : &reply->requests_refused) +=
                counters->answered[verb][status];
}

static void answer_overview(const operator_options_t *with, const message_t *request,
                            answer_times_t times, buffer_t *out)
{
    overview_t *overview = mem_zalloc(1, sizeof *overview);
    const rules_counters_t *rules = &overview->counters;
    status_t status = router_calls_do(with->calls, call_overview, overview, times.call_ms);
    overview_reply_t reply = {
        .uptime_ms = times.uptime_ms,
        .connections = counter_get(&with->counters->connections),
        .sessions = rules->sessions,
        .users_online = rules->users_online,
        .groups = rules->groups_cached,
        .events_appended = rules->events_appended,
        .events_pushed = rules->events_pushed,
        .events_fetched = rules->events_fetched,
        .pushes_dropped = rules->pushes_dropped + counter_get(&with->counters->pushes_dropped),
        .writes = rules->writes,
        .writes_failed = rules->writes_failed,
        .pending_joins = overview->pending.joins,
        .oldest_join_ms = overview->pending.oldest_join_ms,
        .pending_leaves = overview->pending.leaves,
        .oldest_leave_ms = overview->pending.oldest_leave_ms,
        .trace_dropped = trace_hub_dropped(with->trace),
        .loads = {.items = overview->loads.groups, .count = overview->loads.group_count},
        .slow = {.items = overview->loads.slow, .count = overview->loads.slow_count}};
    count_answers(rules, &reply);
    message_write_reply(out, VERB_overview, request->id, status,
                        status == STATUS_OK ? &reply : NULL);
    free(overview);
}

/* --- Accounts -------------------------------------------------------------------------------- */

typedef struct {
    const message_t *request;
    message_t reply;
    user_entry_record_t *entries;
} user_call_t;

static status_t call_user_invite(void *context, rules_t *rules, store_t *store)
{
    user_call_t *self = context;
    const user_invite_request_t *asked = &self->request->body.user_invite_request;
    user_invite_reply_t *reply = &self->reply.body.user_invite_reply;
    uint64_t now_ms = wall_clock_ms();
    (void)rules;
    reply->until_ms = asked->valid_ms < UINT64_MAX - now_ms ? now_ms + asked->valid_ms : UINT64_MAX;
    return asked->reset ? users_reset(store, &asked->name, now_ms, asked->valid_ms, reply->invite)
                        : users_invite(store, &asked->name, now_ms, asked->valid_ms, reply->invite);
}

static status_t call_user_enable(void *context, rules_t *rules, store_t *store)
{
    const user_call_t *self = context;
    const user_enable_request_t *asked = &self->request->body.user_enable_request;
    status_t status = users_enable(store, &asked->name, asked->enabled != 0);
    if (status == STATUS_OK && !asked->enabled)
        rules_end_sessions(rules, &asked->name);
    return status;
}

static status_t call_user_list(void *context, rules_t *rules, store_t *store)
{
    user_call_t *self = context;
    const user_list_request_t *asked = &self->request->body.user_list_request;
    user_list_reply_t *reply = &self->reply.body.user_list_reply;
    (void)rules;
    reply->users.items = self->entries;
    return users_list(store, &asked->after, asked->invited != 0, USERS_PER_REPLY_MAX, reply);
}

/* Not for who connects from elsewhere: those may watch. */
static void answer_users(const operator_options_t *with, const operator_session_t *session,
                         const message_t *request, int call_ms, buffer_t *out)
{
    router_call_t *call = request->verb == VERB_user_invite   ? call_user_invite
                          : request->verb == VERB_user_enable ? call_user_enable
                                                              : call_user_list;
    user_call_t context = {.request = request};
    context.entries = mem_zalloc(USERS_PER_REPLY_MAX, sizeof *context.entries);
    status_t status = session->is_local ? router_calls_do(with->calls, call, &context, call_ms)
                                        : STATUS_UNKNOWN_VERB;
    LOG(with->log, LEVEL_INFO, log_event("operator_request"),
        log_text("verb", verb_name(request->verb)), log_status("status", status));
    message_write_reply(out, request->verb, request->id, status,
                        status == STATUS_OK ? &context.reply.body : NULL);
    free(context.entries);
    sodium_memzero(&context, sizeof context);
}

void operator_answer(const operator_options_t *with, operator_session_t *session,
                     const message_t *request, answer_times_t times, buffer_t *out)
{
    switch (request->verb) {
    case VERB_watch:
        answer_watch(with, session, request, out);
        break;
    case VERB_unwatch:
        session_end_watch(session);
        message_write_reply(out, VERB_unwatch, request->id, STATUS_OK, NULL);
        break;
    case VERB_explain:
        answer_explain(with, request, times.call_ms, out);
        break;
    case VERB_overview:
        answer_overview(with, request, times, out);
        break;
    case VERB_user_invite:
    case VERB_user_enable:
    case VERB_user_list:
        answer_users(with, session, request, times.call_ms, out);
        break;
    default:
        message_write_reply(out, request->verb, request->id, STATUS_UNKNOWN_VERB, NULL);
    }
}
