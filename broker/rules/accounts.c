/* SPDX-License-Identifier: MPL-2.0 */
/* Accounts: a name, its public key, and the signature that published them. */
#include "broker/rules/cache.h"
#include "broker/rules/handlers.h"
#include "broker/rules/sessions.h"
#include "broker/rules/storage.h"
#include "proto/statement.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static status_t verify_registration(const rules_t *rules, const register_request_t *asked)
{
    buffer_t statement = {0};
    statement_register(&statement, rules->config.broker_key, asked->name.text, asked->identity_key);
    status_t status =
        signature_verify(asked->signature, asked->identity_key, buffer_view(&statement));
    buffer_free(&statement);
    return status;
}

/* Whether a name without an account may be registered now. STATUS_OK also uses the invite up. */
static status_t admit(rules_t *rules, const register_request_t *asked, bool was_reset,
                      const uint8_t *invite)
{
    store_key_t key = key_of_name(KEY_INVITE, &asked->name);
    invite_t known;
    uint8_t hash[HASH_BYTES];
    status_t status = load_invite(rules, &asked->name, &known);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    bool is_invited = status == STATUS_OK && rules->now_ms < known.until_ms;
    if (rules->config.registration == REGISTRATION_CLOSED)
        return STATUS_REGISTRATION_CLOSED;
    /* A name that somebody is invited by is theirs; one that was reset must not fall to anybody. */
    bool needs_invite =
        was_reset || is_invited || rules->config.registration == REGISTRATION_INVITE;
    if (needs_invite && !invite)
        return STATUS_INVITE_NEEDED;
    if (needs_invite) {
        invite_hash(hash, invite);
        if (!is_invited || sodium_memcmp(hash, known.hash, HASH_BYTES) != 0)
            return STATUS_BAD_INVITE;
    }
    if (status == STATUS_OK)
        erase(rules, &key);
    return STATUS_OK;
}

static status_t register_user(request_t *request, const register_request_t *asked,
                              const uint8_t *invite)
{
    rules_t *rules = request->rules;
    if (name_size(&asked->name) == 0)
        return STATUS_BAD_NAME;
    if (sodium_is_zero(asked->identity_key, KEY_BYTES))
        return STATUS_BAD_KEY;
    if (!bucket_take(&request->peer->bucket, rules->config.challenge_connection, rules->mono_ms) ||
        !bucket_take(&rules->register_bucket, rules->config.register_all, rules->mono_ms))
        return STATUS_RATE_LIMITED;
    status_t status = verify_registration(rules, asked);
    if (status != STATUS_OK)
        return status;
    account_t account;
    status = load_account(rules, &asked->name, &account);
    bool was_reset = status == STATUS_OK && account.state == ACCOUNT_RESET;
    if (status == STATUS_OK && !was_reset) {
        bool same = sodium_memcmp(account.identity_key, asked->identity_key, KEY_BYTES) == 0;
        return same && account_is_alive(&account) ? STATUS_OK : STATUS_NAME_TAKEN;
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = admit(rules, asked, was_reset, invite);
    if (status != STATUS_OK)
        return status;
    account = (account_t){.since_ms = rules->now_ms, .state = ACCOUNT_ALIVE};
    memcpy(account.identity_key, asked->identity_key, KEY_BYTES);
    memcpy(account.signature, asked->signature, SIGNATURE_BYTES);
    save_account(rules, &asked->name, &account);
    return STATUS_OK;
}

status_t handle_register(request_t *request)
{
    return register_user(request, &request->message->body.register_request, NULL);
}

status_t handle_register_invited(request_t *request)
{
    const register_invited_request_t *asked = &request->message->body.register_invited_request;
    register_request_t plain = {.name = asked->name};
    memcpy(plain.identity_key, asked->identity_key, KEY_BYTES);
    memcpy(plain.signature, asked->signature, SIGNATURE_BYTES);
    return register_user(request, &plain, asked->invite);
}

status_t handle_whois(request_t *request)
{
    const whois_request_t *asked = &request->message->body.whois_request;
    if (name_size(&asked->name) == 0)
        return STATUS_BAD_NAME;
    account_t account;
    status_t status = load_account(request->rules, &asked->name, &account);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !account_is_alive(&account)))
        return STATUS_UNKNOWN_USER;
    if (status != STATUS_OK)
        return status;
    whois_reply_t *reply = &request->reply.whois_reply;
    memcpy(reply->identity_key, account.identity_key, KEY_BYTES);
    memcpy(reply->signature, account.signature, SIGNATURE_BYTES);
    reply->since_ms = account.since_ms;
    return STATUS_OK;
}

/* Takes back the join requests that still wait: nobody should be added who can't log in. */
static status_t withdraw_joins(rules_t *rules, const name_t *user)
{
    group_ids_t asked;
    status_t status = load_groups_of(rules, KEY_ASKED, user, GROUPS_PER_USER_MAX, &asked);
    group_t **groups = rules_lend(rules, (asked.count + 1) * sizeof *groups);
    for (size_t i = 0; i < asked.count && status == STATUS_OK; i++) {
        status = cache_group(rules, asked.ids[i], true, &groups[i]);
        if (status == STATUS_UNKNOWN_GROUP)
            status = STATUS_OK;
    }
    for (size_t i = 0; i < asked.count && status == STATUS_OK; i++) {
        store_key_t join = key_of_group_name(KEY_JOIN, asked.ids[i], user);
        store_key_t mark = key_of_name_group(KEY_ASKED, user, asked.ids[i]);
        erase(rules, &join);
        erase(rules, &mark);
        if (groups[i] && groups[i]->head.pending_joins > 0) {
            groups[i]->head.pending_joins--;
            cache_group_changed(rules, groups[i]);
        }
    }
    return status;
}

status_t handle_unregister(request_t *request)
{
    rules_t *rules = request->rules;
    name_t name = request->user->name;
    account_t account;
    status_t status = load_account(rules, &name, &account);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_UNKNOWN_USER : status;
    buffer_t statement = {0};
    statement_unregister(&statement, rules->config.broker_key, name.text);
    status = signature_verify(request->message->body.unregister_request.signature,
                              account.identity_key, buffer_view(&statement));
    buffer_free(&statement);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < request->user->member_count; i++)
        if (member_is_current(request->user->members[i]))
            return STATUS_STILL_MEMBER;
    store_key_t welcomes = key_of_name(KEY_WELCOME, &name);
    status = withdraw_joins(rules, &name);
    if (status == STATUS_OK)
        status = erase_prefix(rules, &welcomes);
    if (status != STATUS_OK)
        return status;
    account.state = ACCOUNT_GONE;
    save_account(rules, &name, &account);
    sessions_end_user(rules, &name, STATUS_NOT_LOGGED_IN);
    request->user = NULL;
    return STATUS_OK;
}
