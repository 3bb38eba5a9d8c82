/* SPDX-License-Identifier: MPL-2.0 */
/* Connections and sessions, in memory only: a session is a token, a CURVE key and a routing id
 * together. */
#ifndef CONCLAVE_BROKER_RULES_SESSIONS_H
#define CONCLAVE_BROKER_RULES_SESSIONS_H

#include "broker/rules/state.h"

/*
 *   new --hello--> greeted --login--> logged in --logout, expiry, replaced, gone--> ended
 *
 * An ended session stays with its peer, so that its token is answered with the reason, until the
 * peer logs in anew or goes.
 */

/* The peer of this address, made if need be. NULL if there are too many. */
peer_t *session_peer(rules_t *self, const rules_peer_t *address);

/* Checks the token of a request that needs a login. STATUS_OK: *out lives. STATUS_NOT_LOGGED_IN,
 * STATUS_BAD_TOKEN, STATUS_WRONG_CONNECTION, or why it ended. */
MUST_CHECK status_t session_check(rules_t *self, const peer_t *peer, bytes_t token,
                                  session_t **out);

/* Opens a session for the user on this peer, and fills in the token. Ends an older one of the same
 * purpose. */
void session_open(rules_t *self, peer_t *peer, const name_t *user, uint8_t purpose,
                  uint8_t token[static TOKEN_BYTES]);

/* Ends one; why: STATUS_NOT_LOGGED_IN for a logout. */
void session_end(rules_t *self, session_t *session, status_t why);
void sessions_end_user(rules_t *self, const name_t *user, status_t why);

/* Those that idled or are too old; peers that were silent for as long. */
void sessions_expire(rules_t *self);
/* Sends a sign of life to sessions whose connection was silent for config.probe_ms, unless something
 * is sent there anyway: the caller's send finds out who has gone. */
void sessions_probe(rules_t *self);
/* Ends all that were opened in this turn, or only those opened after its first write. */
void sessions_end_opened(rules_t *self, bool only_tentative);

void session_peer_gone(rules_t *self, peer_t *peer);
/* Frees what went. Between turns. */
void sessions_begin(rules_t *self);
void sessions_free_all(rules_t *self);

#endif
