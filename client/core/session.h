/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One side's life with the broker: connect, hello, challenge, login, then REQ-style calls until the
 * connection is lost, and all over again.
 *
 *   CLOSED -start-> OPENING -link up-> GREETING -hello-> CHALLENGING -challenge-> LOGGING_IN
 * -token-> READY any of the last five -lost, timed out, told to log in again-> OPENING, or RESTING
 * first if the last attempt failed too RESTING -rest over-> OPENING          any -refused for good,
 * replaced-> STOPPED
 *
 * A call is answered exactly once, however many connections that takes: after a timeout or a
 * disconnect the socket is opened anew and every unanswered request goes out again, oldest first,
 * with the same body. Owned by one core.
 */
#ifndef CONCLAVE_CLIENT_CORE_SESSION_H
#define CONCLAVE_CLIENT_CORE_SESSION_H

#include "client/core/calls.h"
#include "client/core/core.h"

#define SESSION_STATES(STATE)                                                                      \
    STATE(CLOSED)                                                                                  \
    STATE(OPENING)                                                                                 \
    STATE(GREETING)                                                                                \
    STATE(CHALLENGING)                                                                             \
    STATE(LOGGING_IN)                                                                              \
    STATE(READY)                                                                                   \
    STATE(RESTING)                                                                                 \
    STATE(STOPPED)
#define SESSION_EVENTS(EVENT)                                                                      \
    EVENT(START)                                                                                   \
    EVENT(UP)                                                                                      \
    EVENT(CONNECTED)                                                                               \
    EVENT(DOWN)                                                                                    \
    EVENT(WRONG_BROKER)                                                                            \
    EVENT(ANSWER)      /* the handshake step's OK */                                               \
    EVENT(LATER)       /* a transient refusal of the handshake step, or a stale challenge */       \
    EVENT(REFUSAL)     /* a definite one */                                                        \
    EVENT(LOGIN_AGAIN) /* a call was answered that the session is over */                          \
    EVENT(REPLACED)                                                                                \
    EVENT(FAULT) /* the broker broke the protocol */                                               \
    EVENT(DEADLINE)

typedef enum {
#define STATE(name) SESSION_##name,
    SESSION_STATES(STATE)
#undef STATE
        SESSION_STATE_COUNT
} session_state_t;

typedef enum {
#define EVENT(name) SESSION_ON_##name,
    SESSION_EVENTS(EVENT)
#undef EVENT
        SESSION_EVENT_COUNT
} session_event_t;

const char *session_state_name(session_state_t state);
const char *session_event_name(session_event_t event);

/* What the session tells its core. A call is gone from the queue when answered is called; reply is
 * NULL if the session stopped. */
typedef struct {
    void (*ready)(void *owner, moment_t now, effects_t *effects);
    void (*answered)(void *owner, moment_t now, const call_t *call, status_t status,
                     const message_t *reply, effects_t *effects);
    void (*pushed)(void *owner, moment_t now, const message_t *push, effects_t *effects);
    /* cause: STATUS_OK while reachable; else why not. Called on changes only. */
    void (*reachable)(void *owner, moment_t now, status_t cause, const char *reason,
                      effects_t *effects);
    /* Each change of state, by name. May be NULL. */
    void (*trace)(void *owner, session_state_t from, session_event_t event, session_state_t to);
} session_owner_t;

typedef struct {
    const session_owner_t *ops;
    void *owner;
    const struct identity *identity;
    uint8_t broker_key[KEY_BYTES];
    uint8_t purpose; /* PURPOSE_EVENTS, PURPOSE_DUTIES */
    uint64_t call_deadline_ms;
} session_config_t;

typedef struct {
    session_config_t config;
    session_state_t state;
    calls_t calls;
    uint8_t link_key[KEY_BYTES];
    uint8_t token[TOKEN_BYTES];
    uint8_t incarnation[INCARNATION_BYTES];
    uint64_t step_id;     /* of the handshake's open request */
    verb_t step_verb;     /* what it asks */
    uint64_t deadline_ms; /* of the state; UINT64_MAX none */
    unsigned failures;    /* attempts in a row without an answered call */
    status_t cause;       /* why it is not reachable, STATUS_OK if it is */
    status_t stopped;     /* why it stopped */
    char reason[160];
    uint64_t rejected; /* events that had no cell in the table */
    uint64_t faults;   /* frames of the broker that could not be read */
} session_t;

/* For a core that was configured so. */
session_config_t session_config_of(const core_config_t *config, const struct identity *identity,
                                   uint8_t purpose, const session_owner_t *ops, void *owner);
void session_init(session_t *self, const session_config_t *config);
void session_wipe(session_t *self);

void session_start(session_t *self, moment_t now, effects_t *effects);
void session_link(session_t *self, moment_t now, link_event_t event, const uint8_t *key,
                  effects_t *effects);
void session_frame(session_t *self, moment_t now, bytes_t frame, effects_t *effects);
void session_time(session_t *self, moment_t now, effects_t *effects);
uint64_t session_deadline(const session_t *self);

/* The queue is bounded by its owner: a few calls of each group, and those that screens wait for.
 * Queues a request and sends it as soon as it may. Returns its id. A stopped session answers it at
 * the next session_time. */
uint64_t session_call(session_t *self, moment_t now, verb_t verb, const uint8_t *group,
                      uint64_t subject, const void *request, effects_t *effects);
/* The same, on behalf of a user's action: the request carries its trace context each time it is
 * sent. NULL or none: as above. */
uint64_t session_call_traced(session_t *self, moment_t now, const trace_context_t *trace,
                             verb_t verb, const uint8_t *group, uint64_t subject,
                             const void *request, effects_t *effects);
/* Nobody wants these carried out any more: they are neither sent again nor answered. */
void session_forget(session_t *self, verb_t verb, const uint8_t group[static GROUP_ID_BYTES]);
bool session_is_ready(const session_t *self);
/* Why nothing can be asked of the broker until people do something: it stopped, or another broker
 * answers. STATUS_OK: it is there, or tried again soon. */
status_t session_refusal(const session_t *self);

/* One cell of the table, for tests: false if the event is rejected in that state. */
bool session_accepts(session_state_t state, session_event_t event);

#endif
