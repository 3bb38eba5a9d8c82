/* SPDX-License-Identifier: MPL-2.0 */
/* The verbs of a connection: hello, challenge, login, logout. */
#include "broker/rules/handlers.h"
#include "broker/rules/sessions.h"
#include "broker/rules/storage.h"
#include "proto/statement.h"

#include <sodium.h>
#include <string.h>

status_t handle_hello(request_t *request)
{
    const rules_t *rules = request->rules;
    const hello_request_t *hello = &request->message->body.hello_request;
    hello_reply_t *reply = &request->reply.hello_reply;
    if (hello->version_min > hello->version_max || hello->version_min > PROTOCOL_VERSION_MAX ||
        hello->version_max < PROTOCOL_VERSION_MIN)
        return STATUS_UNSUPPORTED_VERSION;
    request->peer->greeted = true;
    reply->version =
        hello->version_max < PROTOCOL_VERSION_MAX ? hello->version_max : PROTOCOL_VERSION_MAX;
    reply->time_ms = rules->now_ms;
    memcpy(reply->incarnation, rules->incarnation, INCARNATION_BYTES);
    reply->software = (text_t){rules->config.software, strlen(rules->config.software)};
    reply->frame_max_bytes = FRAME_MAX_BYTES;
    reply->in_flight_max = IN_FLIGHT_MAX;
    return STATUS_OK;
}

status_t handle_challenge(request_t *request)
{
    rules_t *rules = request->rules;
    peer_t *peer = request->peer;
    const challenge_request_t *asked = &request->message->body.challenge_request;
    if (name_size(&asked->name) == 0)
        return STATUS_BAD_NAME;
    if (!bucket_take(&peer->bucket, rules->config.challenge_connection, rules->mono_ms))
        return STATUS_RATE_LIMITED;
    randombytes_buf(peer->challenge, CHALLENGE_BYTES);
    peer->challenge_name = asked->name;
    peer->challenge_ms = rules->mono_ms;
    peer->has_challenge = true;
    memcpy(request->reply.challenge_reply.challenge, peer->challenge, CHALLENGE_BYTES);
    return STATUS_OK;
}

/* Uses up the connection's challenge. */
static bool take_challenge(request_t *request, const login_request_t *login)
{
    peer_t *peer = request->peer;
    bool fits = peer->has_challenge &&
                sodium_memcmp(peer->challenge, login->challenge, CHALLENGE_BYTES) == 0 &&
                name_equal(&peer->challenge_name, &login->name) &&
                request->rules->mono_ms - peer->challenge_ms < CHALLENGE_LIFETIME_MS;
    peer->has_challenge = false;
    sodium_memzero(peer->challenge, CHALLENGE_BYTES);
    return fits;
}

static status_t verify_login(request_t *request, const login_request_t *login)
{
    rules_t *rules = request->rules;
    account_t account;
    status_t status = load_account(rules, &login->name, &account);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !account_is_alive(&account)))
        return STATUS_BAD_SIGNATURE;
    if (status != STATUS_OK)
        return status;
    buffer_t statement = {0};
    statement_login(&statement, rules->config.broker_key, login->name.text, login->challenge,
                    request->peer->address.curve_key, (uint8_t)login->purpose);
    status = signature_verify(login->signature, account.identity_key, buffer_view(&statement));
    buffer_free(&statement);
    /* Only who holds the key learns that the account is disabled. */
    return status == STATUS_OK && account.state == ACCOUNT_DISABLED ? STATUS_DISABLED : status;
}

status_t handle_login(request_t *request)
{
    rules_t *rules = request->rules;
    const login_request_t *login = &request->message->body.login_request;
    if (name_size(&login->name) == 0)
        return STATUS_BAD_NAME;
    if (login->purpose != PURPOSE_EVENTS && login->purpose != PURPOSE_DUTIES)
        return STATUS_BAD_TYPE;
    if (!take_challenge(request, login))
        return STATUS_CHALLENGE_EXPIRED;
    status_t status = verify_login(request, login);
    if (status != STATUS_OK)
        return status;
    login_reply_t *reply = &request->reply.login_reply;
    session_open(rules, request->peer, &login->name, (uint8_t)login->purpose, reply->token);
    request->session = request->peer->session;
    request->user = request->session->user;
    request->user_name = login->name;
    reply->idle_ms = rules->config.idle_ms;
    reply->absolute_ms = rules->config.absolute_ms;
    return STATUS_OK;
}

status_t handle_logout(request_t *request)
{
    session_end(request->rules, request->session, STATUS_NOT_LOGGED_IN);
    request->user = NULL;
    return STATUS_OK;
}
