/* SPDX-License-Identifier: MPL-2.0 */
/* Connections and sessions. */
#include "broker/rules/sessions.h"

#include "broker/rules/cache.h"
#include "broker/rules/output.h"
#include "broker/rules/trace_emit.h"
#include "proto/memory.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* How many of the oldest peers are looked at when a new one needs the room; and how many are sent a
 * sign of life in one second, those silent for the longest time first. */
enum { EVICTION_LOOKS = 16, PROBES_A_SECOND = 2048 };

static void hash_token(uint8_t out[static HASH_BYTES], bytes_t token)
{
    (void)crypto_generichash(out, HASH_BYTES, token.data, token.size, NULL, 0);
}

void session_peer_gone(rules_t *self, peer_t *peer)
{
    if (peer->gone)
        return;
    peer->gone = true;
    if (peer->session)
        session_end(self, peer->session, STATUS_NOT_LOGGED_IN);
    table_remove(self->peers, peer->address.id, peer->address.id_size);
    pointers_add(&self->gone_peers, peer);
}

/* A peer without a session, among those silent for the longest time, makes room. */
static bool evict_peer(rules_t *self)
{
    for (unsigned i = 0; i < EVICTION_LOOKS; i++) {
        peer_t *peer = table_oldest(self->peers);
        if (!peer->session || peer->session->ended != STATUS_OK) {
            session_peer_gone(self, peer);
            return true;
        }
        table_renew_oldest(self->peers);
    }
    return false;
}

peer_t *session_peer(rules_t *self, const rules_peer_t *address)
{
    size_t id_size = address->id_size <= ROUTING_ID_MAX_BYTES ? address->id_size : 0;
    peer_t *peer = table_find(self->peers, address->id, id_size);
    if (peer && sodium_memcmp(peer->address.curve_key, address->curve_key, KEY_BYTES) != 0) {
        session_peer_gone(self, peer); /* a new connection got the old one's id */
        peer = NULL;
    }
    if (!peer) {
        if (table_count(self->peers) >= self->config.peers_max && !evict_peer(self))
            return NULL;
        peer = mem_zalloc(1, sizeof *peer);
        peer->address = *address;
        peer->address.id_size = (uint8_t)id_size;
        table_add(self->peers, address->id, id_size, peer);
    }
    peer->used_ms = self->mono_ms;
    return peer;
}

static status_t expiry_of(const rules_t *self, const session_t *session)
{
    bool expired = self->mono_ms - session->used_ms >= self->config.idle_ms ||
                   self->mono_ms - session->opened_ms >= self->config.absolute_ms;
    return expired ? STATUS_SESSION_EXPIRED : STATUS_OK;
}

status_t session_check(rules_t *self, const peer_t *peer, bytes_t token, session_t **out)
{
    if (token.size == 0)
        return STATUS_NOT_LOGGED_IN;
    uint8_t hash[HASH_BYTES];
    hash_token(hash, token);
    session_t *session = peer->session;
    if (!session || sodium_memcmp(session->token_hash, hash, HASH_BYTES) != 0)
        return table_find(self->sessions, hash, HASH_BYTES) ? STATUS_WRONG_CONNECTION
                                                            : STATUS_BAD_TOKEN;
    if (session->ended == STATUS_OK && expiry_of(self, session) != STATUS_OK)
        session_end(self, session, STATUS_SESSION_EXPIRED);
    if (session->ended != STATUS_OK)
        return session->ended;
    session->used_ms = self->mono_ms;
    *out = session;
    return STATUS_OK;
}

static void free_session(rules_t *self, session_t *session)
{
    table_remove(self->sessions, session->token_hash, HASH_BYTES);
    free(session);
}

void session_end(rules_t *self, session_t *session, status_t why)
{
    if (session->ended != STATUS_OK)
        return;
    trace_session(self, session, why);
    session->ended = why;
    user_t *user = session->user;
    session->user = NULL;
    if (user->sessions[session->purpose] == session)
        user->sessions[session->purpose] = NULL;
    self->counters.sessions--;
    if (session->purpose == PURPOSE_EVENTS)
        for (size_t i = 0; i < user->member_count; i++)
            user->members[i]->listening = false;
    if (!user->sessions[PURPOSE_EVENTS] && !user->sessions[PURPOSE_DUTIES])
        cache_drop_user(self, user);
}

void sessions_end_user(rules_t *self, const name_t *name, status_t why)
{
    for (unsigned purpose = PURPOSE_EVENTS; purpose <= PURPOSE_DUTIES; purpose++) {
        user_t *user = cache_find_user(self, name);
        if (user && user->sessions[purpose])
            session_end(self, user->sessions[purpose], why);
    }
}

void session_open(rules_t *self, peer_t *peer, const name_t *name, uint8_t purpose,
                  uint8_t token[static TOKEN_BYTES])
{
    user_t *user = cache_user(self, name);
    session_t *session = mem_zalloc(1, sizeof *session);
    session_t *older = user->sessions[purpose];
    user->sessions[purpose] = session; /* first, so that the user doesn't go with the older one */
    if (older) {
        replaced_push_t push = {.purpose = purpose};
        if (older->peer != peer)
            output_push(self, older, VERB_replaced, &push);
        session_end(self, older, STATUS_REPLACED);
    }
    if (peer->session) {
        session_end(self, peer->session, STATUS_REPLACED);
        free_session(self, peer->session);
    }
    randombytes_buf(token, TOKEN_BYTES);
    hash_token(session->token_hash, (bytes_t){token, TOKEN_BYTES});
    session->peer = peer;
    session->user = user;
    session->purpose = purpose;
    session->opened_ms = session->used_ms = self->mono_ms;
    session->turn = self->turn;
    session->tentative = rules_turn_writes(self);
    peer->session = session;
    table_add(self->sessions, session->token_hash, HASH_BYTES, session);
    self->counters.sessions++;
    trace_session(self, session, STATUS_OK);
}

void sessions_expire(rules_t *self)
{
    void *cursor = NULL;
    for (peer_t *peer; (peer = table_next(self->peers, &cursor));) {
        session_t *session = peer->session;
        if (session && session->ended == STATUS_OK && expiry_of(self, session) != STATUS_OK)
            session_end(self, session, STATUS_SESSION_EXPIRED);
        if ((!session || session->ended != STATUS_OK) &&
            self->mono_ms - peer->used_ms >= self->config.idle_ms)
            session_peer_gone(self, peer);
    }
}

static bool wants_probe(const rules_t *self, const peer_t *peer)
{
    uint64_t since_ms = peer->probed_ms > peer->used_ms ? peer->probed_ms : peer->used_ms;
    return peer->session && peer->session->ended == STATUS_OK && !peer->touched &&
           self->mono_ms - since_ms >= self->config.probe_ms;
}

void sessions_probe(rules_t *self)
{
    void *cursor = NULL;
    unsigned sent = 0;
    for (peer_t *peer; sent < PROBES_A_SECOND && (peer = table_next(self->peers, &cursor));)
        if (wants_probe(self, peer)) {
            output_probe(self, peer->session);
            peer->probed_ms = self->mono_ms;
            sent++;
        }
}

void sessions_end_opened(rules_t *self, bool only_tentative)
{
    void *cursor = NULL;
    for (session_t *session; (session = table_next(self->sessions, &cursor));)
        if (session->turn == self->turn && session->ended == STATUS_OK &&
            (session->tentative || !only_tentative))
            session_end(self, session, STATUS_NOT_LOGGED_IN);
}

static void free_peer(rules_t *self, peer_t *peer)
{
    if (peer->session)
        free_session(self, peer->session);
    output_free(&peer->output);
    free(peer);
}

void sessions_begin(rules_t *self)
{
    for (size_t i = 0; i < self->gone_peers.count; i++)
        free_peer(self, self->gone_peers.items[i]);
    self->gone_peers.count = 0;
}

void sessions_free_all(rules_t *self)
{
    sessions_begin(self);
    while (table_count(self->peers) > 0)
        session_peer_gone(self, table_oldest(self->peers));
    sessions_begin(self);
}
