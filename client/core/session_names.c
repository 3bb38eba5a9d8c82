/* SPDX-License-Identifier: MPL-2.0 */
/* How the session's states and events are called in traces. */
#include "client/core/session.h"

static const char *const state_names[] = {
#define STATE(name) #name,
    SESSION_STATES(STATE)
#undef STATE
};

static const char *const event_names[] = {
#define EVENT(name) #name,
    SESSION_EVENTS(EVENT)
#undef EVENT
};

const char *session_state_name(session_state_t state)
{
    return state < SESSION_STATE_COUNT ? state_names[state] : "?";
}

const char *session_event_name(session_event_t event)
{
    return event < SESSION_EVENT_COUNT ? event_names[event] : "?";
}
