/* SPDX-License-Identifier: MPL-2.0 */
/* What the operator does to accounts: invites, disabling, freeing a name. On the store itself:
 * offline, or between two turns of the rules. */
#ifndef CONCLAVE_BROKER_RULES_USERS_H
#define CONCLAVE_BROKER_RULES_USERS_H

#include "broker/store/store.h"
#include "proto/message.h"
#include "proto/name.h"

/* Of user_entry_record_t: USER_INVITED is a name that was invited and has no account. */
typedef enum { USER_GONE, USER_ALIVE, USER_DISABLED, USER_RESET, USER_INVITED } user_state_t;

/*
 * All statuses besides those named: STATUS_BAD_NAME, STATUS_STORE_FAILED, STATUS_STORE_FULL. Each
 * change is one synced write.
 */

/* Makes an invite by which NAME, and nobody else, may register once until now + valid_ms; an older
 * one is void. The store keeps the invite's hash only. STATUS_NAME_TAKEN: there is an account. */
MUST_CHECK status_t users_invite(store_t *store, const name_t *name, uint64_t now_ms,
                                 uint64_t valid_ms, uint8_t invite[static INVITE_BYTES]);

/* Gives the name of an account free, to be registered with another key by this invite only.
 * STATUS_UNKNOWN_USER. STATUS_STILL_MEMBER: it is in a group, or waits to be let into one: the key
 * of a member can't be replaced behind the others' backs. */
MUST_CHECK status_t users_reset(store_t *store, const name_t *name, uint64_t now_ms,
                                uint64_t valid_ms, uint8_t invite[static INVITE_BYTES]);

/* A disabled account can't log in. Its sessions are the caller's to end. STATUS_UNKNOWN_USER. */
MUST_CHECK status_t users_enable(store_t *store, const name_t *name, bool is_enabled);

/* Fills reply->users.items[0..capacity) with accounts, or with who is invited and has none, in the
 * store's order, from behind `after` (empty: from the start). */
MUST_CHECK status_t users_list(store_t *store, const name_t *after, bool invited, size_t capacity,
                               user_list_reply_t *reply);

#endif
