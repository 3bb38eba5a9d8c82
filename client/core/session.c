/* SPDX-License-Identifier: MPL-2.0 */
/* The session's state machine: a table of states and events; an empty cell rejects. */
#include "client/core/session.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "client/keys/identity.h"
#include "proto/statement.h"

#define REST_MIN_MS 100
#define REST_MAX_MS 5000

/* What one event carries. */
typedef struct {
    moment_t now;
    session_event_t event;
    const uint8_t *key;     /* UP */
    const message_t *reply; /* ANSWER */
    status_t cause;
    effects_t *effects;
} turn_t;

typedef void handler_fn(session_t *self, const turn_t *turn);

static void enter(session_t *self, const turn_t *turn, session_state_t state, uint64_t deadline_ms)
{
    session_state_t from = self->state;
    self->state = state;
    self->deadline_ms = deadline_ms;
    if (self->config.ops->trace)
        self->config.ops->trace(self->config.owner, from, turn->event, state);
}

static void tell_reachable(session_t *self, const turn_t *turn, status_t cause)
{
    if (self->cause == cause)
        return;
    self->cause = cause;
    snprintf(self->reason, sizeof self->reason, "%s", cause ? status_text(cause) : "");
    self->config.ops->reachable(self->config.owner, turn->now, cause, self->reason, turn->effects);
}

static uint64_t step_deadline(const session_t *self, const turn_t *turn)
{
    return turn->now.boot_ms + self->config.call_deadline_ms;
}

/* A request of the handshake: not queued, since each connection makes its own. */
static void ask(session_t *self, const turn_t *turn, session_state_t state, verb_t verb,
                const void *request)
{
    self->step_id = ++self->calls.last_id;
    self->step_verb = verb;
    buffer_t frame = {0};
    message_write_request(&frame, verb, self->step_id, (bytes_t){0}, (text_t){0}, request);
    frames_add(&turn->effects->frames, 0, &frame);
    enter(self, turn, state, step_deadline(self, turn));
}

static void open_link(session_t *self, const turn_t *turn)
{
    calls_mark_all_unsent(&self->calls);
    sodium_memzero(self->token, sizeof self->token);
    frames_wipe(
        &turn->effects->frames); /* none of the old connection's may go out on the new one */
    turn->effects->link = LINK_OPEN;
    enter(self, turn, SESSION_OPENING, step_deadline(self, turn));
}

static uint64_t rest_ms(unsigned failures)
{
    uint64_t longest = REST_MIN_MS;
    for (unsigned i = 1; i < failures && longest < REST_MAX_MS; i++)
        longest *= 2;
    longest = longest > REST_MAX_MS ? REST_MAX_MS : longest;
    return longest / 2 + randombytes_uniform((uint32_t)(longest / 2 + 1));
}

/* The connection is of no use any more: a new one, at once the first time, after a growing rest
 * when that fails too. */
static void lost(session_t *self, const turn_t *turn, status_t cause)
{
    tell_reachable(self, turn, cause);
    if (self->failures++ == 0) {
        open_link(self, turn);
        return;
    }
    calls_mark_all_unsent(&self->calls);
    sodium_memzero(self->token, sizeof self->token);
    frames_wipe(&turn->effects->frames);
    turn->effects->link = LINK_CLOSE;
    enter(self, turn, SESSION_RESTING, turn->now.boot_ms + rest_ms(self->failures - 1));
}

static void stop(session_t *self, const turn_t *turn, status_t cause)
{
    self->stopped = cause;
    calls_mark_all_unsent(&self->calls);
    sodium_memzero(self->token, sizeof self->token);
    frames_wipe(&turn->effects->frames);
    turn->effects->link = LINK_CLOSE;
    enter(self, turn, SESSION_STOPPED, UINT64_MAX);
    tell_reachable(self, turn, cause);
}

static void on_start(session_t *self, const turn_t *turn)
{
    open_link(self, turn);
}

static void on_up(session_t *self, const turn_t *turn)
{
    memcpy(self->link_key, turn->key, KEY_BYTES);
    static const char software[] = "conclave/" CONCLAVE_VERSION;
    hello_request_t request = {.version_min = PROTOCOL_VERSION_MIN,
                               .version_max = PROTOCOL_VERSION_MAX,
                               .software = {software, sizeof software - 1}};
    ask(self, turn, SESSION_GREETING, VERB_hello, &request);
}

static void on_connected(session_t *self, const turn_t *turn)
{
    (void)self;
    (void)turn;
}

static void on_greeted(session_t *self, const turn_t *turn)
{
    const hello_reply_t *hello = &turn->reply->body.hello_reply;
    if (hello->version < PROTOCOL_VERSION_MIN || hello->version > PROTOCOL_VERSION_MAX) {
        stop(self, turn, STATUS_UNSUPPORTED_VERSION);
        return;
    }
    memcpy(self->incarnation, hello->incarnation, INCARNATION_BYTES);
    challenge_request_t request = {.name = *identity_name(self->config.identity)};
    ask(self, turn, SESSION_CHALLENGING, VERB_challenge, &request);
}

static void on_challenged(session_t *self, const turn_t *turn)
{
    const name_t *name = identity_name(self->config.identity);
    login_request_t request = {.name = *name, .purpose = self->config.purpose};
    memcpy(request.challenge, turn->reply->body.challenge_reply.challenge, CHALLENGE_BYTES);
    buffer_t statement = {0};
    statement_login(&statement, self->config.broker_key, name->text, request.challenge,
                    self->link_key, self->config.purpose);
    identity_sign(self->config.identity, buffer_view(&statement), request.signature);
    buffer_free(&statement);
    ask(self, turn, SESSION_LOGGING_IN, VERB_login, &request);
}

static void send_waiting(session_t *self, moment_t now, effects_t *effects)
{
    call_t *call;
    while (self->state == SESSION_READY && (call = calls_next(&self->calls, now.boot_ms))) {
        buffer_t frame = {0};
        char text[TRACE_CONTEXT_CHARS + 1];
        text_t traceparent = trace_context_text(&call->trace, text);
        message_write_request_around(&frame, call->verb, call->id,
                                     (bytes_t){self->token, TOKEN_BYTES}, traceparent,
                                     buffer_view(&call->body));
        frames_add(&effects->frames, 0, &frame);
        calls_mark_sent(&self->calls, call, now.boot_ms + self->config.call_deadline_ms);
    }
}

static void on_token(session_t *self, const turn_t *turn)
{
    memcpy(self->token, turn->reply->body.login_reply.token, TOKEN_BYTES);
    enter(self, turn, SESSION_READY, UINT64_MAX);
    tell_reachable(self, turn, STATUS_OK);
    send_waiting(self, turn->now, turn->effects);
    self->config.ops->ready(self->config.owner, turn->now, turn->effects);
}

static void on_down(session_t *self, const turn_t *turn)
{
    lost(self, turn, STATUS_UNREACHABLE);
}

static void on_deadline(session_t *self, const turn_t *turn)
{
    lost(self, turn, self->state == SESSION_READY ? STATUS_TIMED_OUT : STATUS_UNREACHABLE);
}

static void on_login_again(session_t *self, const turn_t *turn)
{
    lost(self, turn, STATUS_OK);
}

/* Its key may be a mistake of today: tried again, slowly, and said loudly meanwhile. */
static void on_wrong_broker(session_t *self, const turn_t *turn)
{
    self->failures += 8;
    lost(self, turn, STATUS_WRONG_BROKER);
}

static void on_later(session_t *self, const turn_t *turn)
{
    self->failures++;
    lost(self, turn, turn->cause);
}

static void on_fault(session_t *self, const turn_t *turn)
{
    self->failures++;
    lost(self, turn, STATUS_MALFORMED);
}

static void on_refusal(session_t *self, const turn_t *turn)
{
    stop(self, turn, turn->cause);
}

static void on_rested(session_t *self, const turn_t *turn)
{
    open_link(self, turn);
}

static handler_fn *const table[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
    [SESSION_CLOSED] = {[SESSION_ON_START] = on_start},
    [SESSION_OPENING] = {[SESSION_ON_UP] = on_up,
                         [SESSION_ON_DOWN] = on_down,
                         [SESSION_ON_WRONG_BROKER] = on_wrong_broker,
                         [SESSION_ON_DEADLINE] = on_deadline},
    [SESSION_GREETING] = {[SESSION_ON_CONNECTED] = on_connected,
                          [SESSION_ON_DOWN] = on_down,
                          [SESSION_ON_WRONG_BROKER] = on_wrong_broker,
                          [SESSION_ON_ANSWER] = on_greeted,
                          [SESSION_ON_LATER] = on_later,
                          [SESSION_ON_REFUSAL] = on_refusal,
                          [SESSION_ON_FAULT] = on_fault,
                          [SESSION_ON_DEADLINE] = on_deadline},
    [SESSION_CHALLENGING] = {[SESSION_ON_CONNECTED] = on_connected,
                             [SESSION_ON_DOWN] = on_down,
                             [SESSION_ON_WRONG_BROKER] = on_wrong_broker,
                             [SESSION_ON_ANSWER] = on_challenged,
                             [SESSION_ON_LATER] = on_later,
                             [SESSION_ON_REFUSAL] = on_refusal,
                             [SESSION_ON_FAULT] = on_fault,
                             [SESSION_ON_DEADLINE] = on_deadline},
    [SESSION_LOGGING_IN] = {[SESSION_ON_CONNECTED] = on_connected,
                            [SESSION_ON_DOWN] = on_down,
                            [SESSION_ON_WRONG_BROKER] = on_wrong_broker,
                            [SESSION_ON_ANSWER] = on_token,
                            [SESSION_ON_LATER] = on_later,
                            [SESSION_ON_REFUSAL] = on_refusal,
                            [SESSION_ON_FAULT] = on_fault,
                            [SESSION_ON_DEADLINE] = on_deadline},
    [SESSION_READY] = {[SESSION_ON_CONNECTED] = on_connected,
                       [SESSION_ON_DOWN] = on_down,
                       [SESSION_ON_WRONG_BROKER] = on_wrong_broker,
                       [SESSION_ON_LOGIN_AGAIN] = on_login_again,
                       [SESSION_ON_REPLACED] = on_refusal,
                       [SESSION_ON_FAULT] = on_fault,
                       [SESSION_ON_DEADLINE] = on_deadline},
    [SESSION_RESTING] = {[SESSION_ON_DEADLINE] = on_rested},
};

bool session_accepts(session_state_t state, session_event_t event)
{
    return table[state][event] != NULL;
}

static void handle(session_t *self, const turn_t *turn)
{
    handler_fn *handler = table[self->state][turn->event];
    if (handler)
        handler(self, turn);
    else
        self->rejected++;
}

session_config_t session_config_of(const core_config_t *config, const struct identity *identity,
                                   uint8_t purpose, const session_owner_t *ops, void *owner)
{
    session_config_t out = {.ops = ops,
                            .owner = owner,
                            .identity = identity,
                            .purpose = purpose,
                            .call_deadline_ms = config->call_deadline_ms};
    memcpy(out.broker_key, config->broker_key, KEY_BYTES);
    return out;
}

void session_init(session_t *self, const session_config_t *config)
{
    *self = (session_t){.config = *config, .deadline_ms = UINT64_MAX, .cause = STATUS_UNREACHABLE};
    snprintf(self->reason, sizeof self->reason, "nothing has answered at its address yet");
}

void session_wipe(session_t *self)
{
    calls_wipe(&self->calls);
    sodium_memzero(self, sizeof *self);
}

void session_start(session_t *self, moment_t now, effects_t *effects)
{
    handle(self, &(turn_t){.now = now, .event = SESSION_ON_START, .effects = effects});
}

void session_link(session_t *self, moment_t now, link_event_t event, const uint8_t *key,
                  effects_t *effects)
{
    static const session_event_t events[] = {
        [LINK_UP] = SESSION_ON_UP,
        [LINK_CONNECTED] = SESSION_ON_CONNECTED,
        [LINK_DOWN] = SESSION_ON_DOWN,
        [LINK_WRONG_BROKER] = SESSION_ON_WRONG_BROKER,
    };
    handle(self, &(turn_t){.now = now, .event = events[event], .key = key, .effects = effects});
}

static bool is_transient(status_t status)
{
    return status == STATUS_RATE_LIMITED || status == STATUS_STORE_FULL ||
           status == STATUS_STORE_FAILED || status == STATUS_DRAINING || status == STATUS_CONFLICT;
}

static bool asks_for_login(status_t status)
{
    return status == STATUS_HELLO_FIRST || status == STATUS_NOT_LOGGED_IN ||
           status == STATUS_BAD_TOKEN || status == STATUS_WRONG_CONNECTION ||
           status == STATUS_SESSION_EXPIRED;
}

static void handle_step(session_t *self, turn_t turn, const message_t *reply)
{
    turn.reply = reply;
    turn.cause = reply->status;
    if (!reply->status)
        turn.event = SESSION_ON_ANSWER;
    else if (is_transient(reply->status) || asks_for_login(reply->status) ||
             reply->status == STATUS_CHALLENGE_EXPIRED)
        turn.event = SESSION_ON_LATER;
    else
        turn.event = SESSION_ON_REFUSAL;
    handle(self, &turn);
}

static void handle_reply(session_t *self, turn_t turn, const message_t *reply)
{
    call_t *waiting = calls_find(&self->calls, reply->id);
    if (self->state != SESSION_READY || !waiting || !waiting->in_flight ||
        waiting->verb != reply->verb)
        return; /* answered before, or never asked */
    if (asks_for_login(reply->status) || reply->status == STATUS_REPLACED) {
        turn.event =
            reply->status == STATUS_REPLACED ? SESSION_ON_REPLACED : SESSION_ON_LOGIN_AGAIN;
        turn.cause = reply->status;
        handle(self, &turn);
        return;
    }
    if (is_transient(reply->status)) {
        calls_mark_resting(&self->calls, waiting,
                           turn.now.boot_ms + rest_ms(waiting->refusals + 1));
        return;
    }
    self->failures = 0;
    call_t call;
    if (!calls_take(&self->calls, reply->id, &call))
        return;
    self->config.ops->answered(self->config.owner, turn.now, &call, reply->status, reply,
                               turn.effects);
    call_wipe(&call);
}

static void handle_push(session_t *self, turn_t turn, const message_t *push)
{
    if (self->state != SESSION_READY)
        return;
    if (push->verb == VERB_replaced) {
        turn.event = SESSION_ON_REPLACED;
        turn.cause = STATUS_REPLACED;
        handle(self, &turn);
        return;
    }
    self->config.ops->pushed(self->config.owner, turn.now, push, turn.effects);
}

void session_frame(session_t *self, moment_t now, bytes_t frame, effects_t *effects)
{
    turn_t turn = {.now = now, .effects = effects};
    unsigned accept = 1u << MESSAGE_REPLY | 1u << MESSAGE_PUSH;
    for (;;) {
        message_t message = {0};
        status_t status = message_read(&message, &frame, accept);
        if (!status && message.kind == MESSAGE_PUSH)
            handle_push(self, turn, &message);
        else if (!status && self->step_id && message.id == self->step_id &&
                 message.verb == self->step_verb)
            handle_step(self, turn, &message);
        else if (!status)
            handle_reply(self, turn, &message);
        message_wipe(&message);
        if (status && status != STATUS_NOT_FOUND) {
            self->faults++;
            turn.event = SESSION_ON_FAULT;
            handle(self, &turn);
        }
        if (status)
            break;
    }
    send_waiting(self, now, effects);
}

/* A stopped session's calls are answered with why it stopped. */
static void answer_all(session_t *self, moment_t now, effects_t *effects)
{
    for (size_t left = self->calls.count; left; left--) {
        call_t call;
        if (!calls_take_first(&self->calls, &call))
            return;
        self->config.ops->answered(self->config.owner, now, &call, self->stopped, NULL, effects);
        call_wipe(&call);
    }
}

void session_time(session_t *self, moment_t now, effects_t *effects)
{
    if (self->state == SESSION_STOPPED)
        answer_all(self, now, effects);
    bool late = self->state == SESSION_READY ? calls_first_deadline(&self->calls) <= now.boot_ms
                                             : self->deadline_ms <= now.boot_ms;
    if (late)
        handle(self, &(turn_t){.now = now, .event = SESSION_ON_DEADLINE, .effects = effects});
    send_waiting(self, now, effects);
}

uint64_t session_deadline(const session_t *self)
{
    if (self->state == SESSION_STOPPED)
        return self->calls.count ? 0 : UINT64_MAX;
    if (self->state != SESSION_READY)
        return self->deadline_ms;
    uint64_t deadline = calls_first_deadline(&self->calls);
    uint64_t sendable = calls_first_sendable(&self->calls);
    return deadline < sendable ? deadline : sendable;
}

uint64_t session_call(session_t *self, moment_t now, verb_t verb, const uint8_t *group,
                      uint64_t subject, const void *request, effects_t *effects)
{
    return session_call_traced(self, now, NULL, verb, group, subject, request, effects);
}

uint64_t session_call_traced(session_t *self, moment_t now, const trace_context_t *trace,
                             verb_t verb, const uint8_t *group, uint64_t subject,
                             const void *request, effects_t *effects)
{
    uint64_t id = calls_add(&self->calls, verb, group, subject, request);
    if (trace)
        calls_find(&self->calls, id)->trace = *trace;
    send_waiting(self, now, effects);
    return id;
}

void session_forget(session_t *self, verb_t verb, const uint8_t group[static GROUP_ID_BYTES])
{
    for (size_t i = self->calls.count; i-- > 0;) {
        const call_t *call = &self->calls.items[i];
        call_t taken;
        if (call->verb == verb && !memcmp(call->group, group, GROUP_ID_BYTES) &&
            calls_take(&self->calls, call->id, &taken))
            call_wipe(&taken);
    }
}

bool session_is_ready(const session_t *self)
{
    return self->state == SESSION_READY;
}

status_t session_refusal(const session_t *self)
{
    if (self->stopped)
        return self->stopped;
    return self->cause == STATUS_WRONG_BROKER ? STATUS_WRONG_BROKER : STATUS_OK;
}
