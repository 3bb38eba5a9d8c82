/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How a command reaches its home: it holds the home itself, with an engine of its own, or is
 * attached to the process that does. Either way it speaks over a screen.
 *
 *   access_open: lock free -> password -> engine -> screen      (holding)
 *                held by serve, chat or listen -> screen         (attached: no password)
 *                held by anything else -> waits, then STATUS_HOME_IN_USE
 */
#ifndef CONCLAVE_CLIENT_UI_ACCESS_H
#define CONCLAVE_CLIENT_UI_ACCESS_H

#include "client/home/home.h"
#include "client/home/screen.h"
#include "client/local/local.h"
#include "client/ui/command.h"

struct engine;
struct identity;

/* A push that came while something else was waited for. The message lives during the call. */
typedef void (*access_push_fn)(void *context, const local_message_t *push);

/* Zero-initialised is closed. Owned by the main thread. */
typedef struct {
    invocation_t *invocation;
    const char *role;
    bool accepts_screens;
    home_t *home;
    struct identity *identity; /* while holding */
    struct engine *engine;
    screen_t *screen;
    char broker_url[HOME_BROKER_URL_BYTES];
    bool is_remembered; /* that address is in the home's config */

    uint64_t last_id;
    buffer_t frame;
    local_message_t message; /* the last one received, in frame */
    trace_context_t trace;   /* of the last action sent; none without --trace */
    access_push_fn on_push;
    void *context;

    bool link_known, reachable;
    text_buffer_t link_reason;   /* why it isn't reachable */
    text_buffer_t ending_reason; /* what the holder said when it ended */
} access_t;

/*
 * Opens the home of the invocation for a command. accepts_screens: this process takes commands of
 * others while it holds the home. Complains on failure. Waits up to --timeout for the home. Ends
 * with access_close, also after a failure.
 */
status_t access_open(access_t *self, invocation_t *invocation, const char *role,
                     bool accepts_screens) MUST_CHECK;
/* The same with what is open already: the locked home and its identity are taken over, also on
 * failure. */
status_t access_open_with(access_t *self, invocation_t *invocation, const char *role,
                          bool accepts_screens, home_t *home, struct identity *identity) MUST_CHECK;
/* After STATUS_HOLDER_ENDED of another process: holds the home now, or is attached to its next
 * holder. Complains on failure. */
status_t access_take_over(access_t *self) MUST_CHECK;
/* The engine ends with a last checkpoint, and the lock goes. reason is told to attached screens;
 * NULL: "NAME ended". */
void access_close(access_t *self, const char *reason);
/* The engine ends, the lock stays. */
void access_close_engine(access_t *self);
bool access_is_attached(const access_t *self);

/* Sends a request; *id names its reply. With --trace a user's action gets a trace context, of its
 * own. */
status_t access_send(access_t *self, local_verb_t verb, const void *body, uint64_t *id) MUST_CHECK;

/*
 * The next message, in self->message until the next call; waits until until_ms (boot clock). Pushes
 * `link` and `ending` are noted too. STATUS_TIMED_OUT; STATUS_INTERRUPTED: the invocation's
 * signal_number says which; STATUS_HOLDER_ENDED or the reason why the own engine stopped, with a
 * complaint.
 */
status_t access_receive(access_t *self, uint64_t until_ms) MUST_CHECK;
/* Until the reply to id has come, other messages going to on_push. The reply's status is in
 * self->message. */
status_t access_await(access_t *self, uint64_t id, uint64_t until_ms) MUST_CHECK;

/*
 * One request and its reply within --timeout. Returns the reply's status; complains with `what`
 * happened otherwise, the reply's detail as cause. The reply's body is in self->message until the
 * next call.
 */
status_t access_call(access_t *self, local_verb_t verb, const void *body,
                     const char *what) MUST_CHECK;
/* The same within some time. */
status_t access_call_until(access_t *self, local_verb_t verb, const void *body, uint64_t until_ms,
                           const char *what) MUST_CHECK;

/* One pass of all four polling tasks, and what waits in the outbox has gone out if it could. The
 * broker's address is remembered then. */
status_t access_pass(access_t *self, const char *what) MUST_CHECK;

/* The same where it is not what the command was about: after a refusal. */
void access_pass_quietly(access_t *self);

/* When --timeout is over, from now. */
uint64_t access_deadline(const access_t *self);
uint64_t access_now(void);

/* A connection that is back sooner is not worth a word. */
#define OFFLINE_PATIENCE_MS 1500

/* Why the broker isn't reachable, as far as it is known; NULL if nothing was said. */
const char *access_link_reason(const access_t *self);

/* The detail of a reply, where its verb has one. Lives as long as the message. */
text_t access_detail(const local_message_t *reply);

#endif
