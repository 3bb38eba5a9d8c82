/* SPDX-License-Identifier: MPL-2.0 */
/* Which handler a verb has and what it needs, and what every request passes through. */
#include "broker/rules/cache.h"
#include "broker/rules/handlers.h"
#include "broker/rules/output.h"
#include "broker/rules/sessions.h"
#include "broker/rules/trace_emit.h"
#include "proto/commit.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

typedef enum { NEEDS_NOTHING, NEEDS_HELLO, NEEDS_LOGIN } needs_t;

/* Reading goes on while draining and while the disk is full; what only opens sessions goes on while
 * the disk is full. */
typedef enum { READS, OPENS, STORES } effect_t;

typedef struct {
    status_t (*handle)(request_t *request);
    needs_t needs;
    effect_t effect;
} row_t;

/* A verb without a row is refused. */
static const row_t rows[COUNTED_VERBS] = {
    [VERB_hello] = {handle_hello, NEEDS_NOTHING, READS},
    [VERB_register] = {handle_register, NEEDS_HELLO, STORES},
    [VERB_register_invited] = {handle_register_invited, NEEDS_HELLO, STORES},
    [VERB_challenge] = {handle_challenge, NEEDS_HELLO, OPENS},
    [VERB_login] = {handle_login, NEEDS_HELLO, OPENS},
    [VERB_logout] = {handle_logout, NEEDS_LOGIN, READS},
    [VERB_unregister] = {handle_unregister, NEEDS_LOGIN, STORES},
    [VERB_whois] = {handle_whois, NEEDS_HELLO, READS},
    [VERB_lookup] = {handle_lookup, NEEDS_HELLO, READS},
    [VERB_groups] = {handle_groups, NEEDS_LOGIN, READS},
    [VERB_create] = {handle_create, NEEDS_LOGIN, STORES},
    [VERB_join] = {handle_join, NEEDS_LOGIN, STORES},
    [VERB_leave] = {handle_leave, NEEDS_LOGIN, STORES},
    [VERB_send] = {handle_send, NEEDS_LOGIN, STORES},
    [VERB_commit] = {handle_commit, NEEDS_LOGIN, STORES},
    [VERB_roster] = {handle_roster, NEEDS_LOGIN, READS},
    [VERB_roster_proof] = {handle_roster_proof, NEEDS_LOGIN, READS},
    [VERB_restored] = {handle_restored, NEEDS_LOGIN, READS},
    [VERB_poll_messages] = {handle_poll_messages, NEEDS_LOGIN, READS},
    [VERB_poll_keys] = {handle_poll_keys, NEEDS_LOGIN, READS},
    [VERB_poll_joins] = {handle_poll_joins, NEEDS_LOGIN, READS},
    [VERB_poll_leaves] = {handle_poll_leaves, NEEDS_LOGIN, READS},
};

/* Buckets of users who are long gone make room; theirs would be full again. */
enum { BUCKETS_MAX = 65536 };

typedef struct {
    name_t user;
    bucket_t bucket;
} user_rate_t;

void drop_oldest_rate(rules_t *self)
{
    user_rate_t *oldest = table_oldest(self->rates);
    table_remove(self->rates, oldest->user.text, name_size(&oldest->user));
    free(oldest);
}

status_t take_membership_token(rules_t *self, const name_t *user)
{
    user_rate_t *bucket = table_find(self->rates, user->text, name_size(user));
    if (!bucket) {
        bucket = mem_zalloc(1, sizeof *bucket);
        bucket->user = *user;
        table_add(self->rates, user->text, name_size(user), bucket);
        if (table_count(self->rates) > BUCKETS_MAX)
            drop_oldest_rate(self);
    }
    bool taken = bucket_take(&bucket->bucket, self->config.membership_user, self->mono_ms);
    return taken ? STATUS_OK : STATUS_RATE_LIMITED;
}

status_t request_member(request_t *request, const uint8_t *id, group_t **group_out,
                        member_t **member_out)
{
    status_t status = cache_group(request->rules, id, false, group_out);
    if (status != STATUS_OK)
        return status;
    request->group = *group_out;
    status = cache_member(request->rules, *group_out, &request->user->name, member_out);
    if (status == STATUS_OK && !member_is_current(*member_out))
        return STATUS_NOT_MEMBER;
    return status;
}

status_t request_admin(request_t *request, const uint8_t *id, group_t **group_out,
                       member_t **member_out)
{
    status_t status = request_member(request, id, group_out, member_out);
    if (status == STATUS_OK && (*member_out)->record.role != ROLE_ADMIN)
        return STATUS_NOT_ADMIN;
    return status;
}

static status_t check_state(request_t *request, const row_t *row)
{
    rules_t *rules = request->rules;
    peer_t *peer = request->peer;
    if (row->needs >= NEEDS_HELLO && !peer->greeted)
        return STATUS_HELLO_FIRST;
    if (row->needs == NEEDS_LOGIN) {
        status_t status = session_check(rules, peer, request->message->token, &request->session);
        if (status != STATUS_OK)
            return status;
        request->user = request->session->user;
        request->user_name = request->user->name;
    }
    if (peer->requests > IN_FLIGHT_MAX)
        return STATUS_TOO_MANY;
    if (output_size(peer) > rules->config.output_max_bytes)
        return STATUS_RATE_LIMITED;
    if (rules->draining && row->effect != READS)
        return STATUS_DRAINING;
    if (rules->mono_ms < rules->full_until_ms && row->effect == STORES)
        return STATUS_STORE_FULL;
    return row->needs == NEEDS_LOGIN ? cache_load_user(rules, request->user) : STATUS_OK;
}

static status_t carry_out(request_t *request)
{
    rules_t *rules = request->rules;
    verb_t verb = request->message->verb;
    const row_t *row = verb < COUNTED_VERBS ? &rows[verb] : &rows[0];
    if (!row->handle)
        return STATUS_UNKNOWN_VERB;
    status_t status = check_state(request, row);
    if (status != STATUS_OK)
        return status;
    overlay_mark_t mark = overlay_mark(rules->overlay);
    status = row->handle(request);
    if (status != STATUS_OK)
        overlay_rollback(rules->overlay, mark);
    return status;
}

bool rules_turn_writes(const rules_t *self)
{
    return !overlay_is_empty(self->overlay) || self->dirty_groups.count > 0;
}

void dispatch(rules_t *self, peer_t *peer, const message_t *message, size_t size_bytes,
              status_t read_status)
{
    request_t request = {.rules = self, .peer = peer, .message = message, .size_bytes = size_bytes};
    peer->requests++;
    trace_received(self, &request);
    status_t status = read_status == STATUS_OK ? carry_out(&request) : read_status;
    self->counters.reads_failed += status == STATUS_STORE_FAILED;
    bool with_fields = status == STATUS_OK || request.reply_despite_refusal;
    output_reply(self, peer, message->verb, message->id, status,
                 with_fields ? &request.reply : NULL, rules_turn_writes(self));
    trace_answered(self, &request, status);
    rules_return_lent(self);
}
