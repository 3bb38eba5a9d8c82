/* SPDX-License-Identifier: MPL-2.0 */
/* Coming into groups: lookup, join requests with their prekeys, welcomes. A creator comes in the
 * same way as everybody. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "client/keys/words.h"
#include "proto/memory.h"
#include "proto/statement.h"

#define JOIN_ROW_FORMAT 1

void join_try_wipe(join_try_t *self)
{
    buffer_free(&self->request);
    sodium_memzero(self, sizeof *self);
}

void join_row_write(const join_try_t *self, buffer_t *out)
{
    buffer_u8(out, JOIN_ROW_FORMAT);
    buffer_u64(out, self->index);
    buffer_u64(out, self->epoch);
    buffer_append(out, self->prekey.bytes, KEY_BYTES);
    buffer_lp(out, self->request.data, self->request.size);
}

status_t join_row_read(join_try_t *self, bytes_t bytes)
{
    *self = (join_try_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > JOIN_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    self->index = reader_u64(&in);
    self->epoch = reader_u64(&in);
    reader_copy(&in, self->prekey.bytes, KEY_BYTES);
    uint32_t size = reader_u32(&in);
    const uint8_t *request = reader_take(&in, size);
    if (!reader_done(&in) || !size)
        return STATUS_DAMAGED_FILE;
    buffer_append(&self->request, request, size);
    return STATUS_OK;
}

static void answer_join(member_core_t *self, ask_t *ask)
{
    local_join_reply_t body = {.admin = ask->admin};
    memcpy(body.group, ask->group, GROUP_ID_BYTES);
    char words[WORDS_TEXT_BYTES] = "";
    const pin_t *pin = member_pin(self, &ask->admin);
    if (pin)
        words_of_key(words, pin->identity_key, WORDS_VERIFY);
    body.admin_words = text_of(words);
    member_reply(self, ask->screen, ask->request, LOCAL_VERB_join, STATUS_OK, &body);
    member_ask_done(self, ask);
}

void member_joined(member_core_t *self, const uint8_t group[static GROUP_ID_BYTES])
{
    size_t at = 0;
    ask_t *ask;
    while ((ask = member_find_ask(self, &at, LOCAL_VERB_join, group)))
        answer_join(self, ask);
}

void member_tries_erase(member_core_t *self, group_t *group)
{
    for (size_t i = 0; i < group->try_count; i++)
        join_try_wipe(&group->tries[i]);
    group->try_count = 0;
    /* A request that was served must not arrive once more, after a leave, in place of a newer one.
     */
    session_forget(&self->session, VERB_join, group->id);
    group->is_asking = false;
    row_key_t prefix = row_key_of_group(ROW_JOIN, group->id);
    writes_delete_prefix(&self->effects->writes, row_key_view(&prefix));
    self->effects->writes.erases_keys = true;
}

static void drop_oldest_try(member_core_t *self, group_t *group)
{
    row_key_t key = row_key_of_number(ROW_JOIN, group->id, group->tries[0].index);
    writes_delete(&self->effects->writes, row_key_view(&key));
    self->effects->writes.erases_keys = true;
    join_try_wipe(&group->tries[0]);
    group->try_count--;
    memmove(&group->tries[0], &group->tries[1], group->try_count * sizeof *group->tries);
}

/* A request with a fresh prekey, stored in this step, before anything of it leaves. */
static join_try_t *make_try(member_core_t *self, group_t *group,
                            const uint8_t transcript[static HASH_BYTES], uint64_t epoch)
{
    if (!group->tries)
        group->tries = mem_zalloc(JOIN_TRIES_MAX, sizeof *group->tries);
    if (group->try_count == JOIN_TRIES_MAX)
        drop_oldest_try(self, group);
    join_try_t *try = &group->tries[group->try_count++];
    *try = (join_try_t){.index = group->next_try++, .epoch = epoch};
    identity_make_join_request(self->identity, group->id, transcript, &try->request, &try->prekey);
    row_key_t key = row_key_of_number(ROW_JOIN, group->id, try->index);
    buffer_t value = {0};
    join_row_write(try, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_wipe(&value);
    group->is_dirty = true;
    return try;
}

static void call_lookup(member_core_t *self, const name_t *name, const uint8_t *group,
                        const ask_t *ask)
{
    lookup_request_t request = {.name = *name};
    session_call_traced(&self->session, self->now, ask ? &ask->trace : NULL, VERB_lookup, group,
                        ask ? ask->subject : 0, &request, self->effects);
}

void member_join(member_core_t *self, uint64_t screen, uint64_t request, const name_t *name)
{
    const group_t *group = member_group_named(self, name);
    bool may_join = !group || group->phase == GROUP_LEFT ||
                    (group->phase == GROUP_JOINING && !group->is_creating);
    if (!may_join) {
        bool is_lost = group->phase == GROUP_LOST;
        member_refuse(self, screen, request, LOCAL_VERB_join,
                      is_lost ? STATUS_OUT_OF_STEP : STATUS_ALREADY_MEMBER,
                      is_lost ? "this device lost the group's keys: leave, then join again" : NULL);
        return;
    }
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_join);
    ask->name = *name;
    call_lookup(self, name, NULL, ask);
}

static ask_t *join_ask(member_core_t *self, uint64_t subject)
{
    size_t at = 0;
    ask_t *ask;
    while (subject && (ask = member_find_ask(self, &at, LOCAL_VERB_join, NULL))) {
        if (ask->subject == subject)
            return ask;
        at++;
    }
    return NULL;
}

static void refuse_join(member_core_t *self, uint64_t subject, status_t status, const char *detail)
{
    ask_t *ask = join_ask(self, subject);
    if (!ask)
        return;
    member_refuse(self, ask->screen, ask->request, LOCAL_VERB_join, status, detail);
    member_ask_done(self, ask);
}

static group_t *group_to_join(member_core_t *self, const name_t *name, const lookup_reply_t *lookup)
{
    group_t *group = member_group(self, lookup->group);
    if (!group)
        group = member_group_add(self, lookup->group, name);
    if (group->phase == GROUP_NONE || group->phase == GROUP_LEFT) {
        group->phase = GROUP_JOINING;
        group->lookup_at_ms = 0;
        group->hold_ms = lookup->hold_ms;
        group->is_dirty = true;
    }
    return group;
}

static void call_join(member_core_t *self, group_t *group, const join_try_t *try, uint64_t subject)
{
    join_request_t request = {.request = buffer_view(&try->request)};
    memcpy(request.group, group->id, GROUP_ID_BYTES);
    group->is_asking = true;
    group->lookup_at_ms = self->now.boot_ms + JOIN_RENEW_MS;
    const ask_t *ask = join_ask(self, subject);
    session_call_traced(&self->session, self->now, ask ? &ask->trace : NULL, VERB_join, group->id,
                        subject, &request, self->effects);
}

/* The last request, while admins still take it: asking again must not push out the one that is
 * being served. */
static const join_try_t *fresh_try(const group_t *group, uint64_t epoch)
{
    const join_try_t *last = group->try_count ? &group->tries[group->try_count - 1] : NULL;
    return last && epoch < last->epoch + JOIN_RENEW_EPOCHS ? last : NULL;
}

/* The group moved on so far that no admin takes the old request any more: a new one. */
static void renew(member_core_t *self, group_t *group, const lookup_reply_t *lookup)
{
    if (group->phase != GROUP_JOINING || group->is_creating ||
        memcmp(lookup->group, group->id, GROUP_ID_BYTES))
        return;
    const join_try_t *last = fresh_try(group, lookup->epoch);
    if (last && !group->is_asking)
        call_join(self, group, last, 0); /* costs little, and heals whatever the broker lost */
    else if (!last)
        call_join(self, group, make_try(self, group, lookup->transcript, lookup->epoch), 0);
}

void member_lookup_answered(member_core_t *self, const call_t *call, status_t status,
                            const message_t *reply)
{
    if (!call->subject) {
        group_t *group = member_group(self, call->group);
        if (group)
            group->is_looking_up = false;
        if (group && !status)
            renew(self, group, &reply->body.lookup_reply);
        return;
    }
    ask_t *ask = join_ask(self, call->subject);
    if (!ask)
        return; /* the screen went away before anything was asked of the group */
    if (status) {
        refuse_join(self, call->subject, status, status_text(status));
        return;
    }
    const lookup_reply_t *lookup = &reply->body.lookup_reply;
    const group_t *known = member_group(self, lookup->group);
    bool is_other = known && !name_equal(&known->name, &ask->name);
    if (is_other || !name_size(&lookup->creator)) {
        refuse_join(self, call->subject, STATUS_BAD_PROOF,
                    "WARNING: the broker leads to another group than the one asked for");
        return;
    }
    if (member_pin_check(self, &lookup->creator, lookup->creator_key)) {
        char detail[160];
        snprintf(detail, sizeof detail,
                 "WARNING: %s has another key than this device remembers; not joined",
                 lookup->creator.text);
        refuse_join(self, call->subject, STATUS_KEY_CHANGED, detail);
        return;
    }
    group_t *group = group_to_join(self, &ask->name, lookup);
    if (group->phase != GROUP_JOINING || group->is_creating) {
        refuse_join(self, call->subject, STATUS_ALREADY_MEMBER, NULL);
        return;
    }
    memcpy(ask->group, group->id, GROUP_ID_BYTES);
    ask->admin = lookup->creator;
    const join_try_t *last = fresh_try(group, lookup->epoch);
    call_join(self, group, last ? last : make_try(self, group, lookup->transcript, lookup->epoch),
              call->subject);
}

/* Asking or creating was refused. What was typed for it meanwhile is said to be unsent. */
static void end_before_it_began(member_core_t *self, group_t *group, status_t why)
{
    bool has_lines = group->cursor || group->outbox_count; /* has been in once, or lost texts */
    group->phase = GROUP_LEFT;
    group->is_creating = false;
    group->is_dirty = true;
    member_outbox_end(self, group, why);
    if (!has_lines)
        member_group_drop(self, group);
}

void member_join_answered(member_core_t *self, const call_t *call, status_t status,
                          const message_t *reply)
{
    (void)reply;
    group_t *group = member_group(self, call->group);
    if (group)
        group->is_asking = false;
    if (status && group && group->phase == GROUP_JOINING && status != STATUS_ALREADY_MEMBER &&
        call->subject && group->try_count == 1) {
        member_tries_erase(self, group);
        end_before_it_began(self, group, status);
    }
    ask_t *ask = join_ask(self, call->subject);
    if (!ask)
        return;
    if (status) {
        const char *detail = status == STATUS_ALREADY_MEMBER
                                 ? "the broker has this name as a member, but this device holds "
                                   "no keys of the group (yet)"
                                 : status_text(status);
        refuse_join(self, call->subject, status, detail);
        return;
    }
    answer_join(self, ask);
}

void member_join_work(member_core_t *self, group_t *group)
{
    if (group->phase != GROUP_JOINING || group->is_creating)
        return;
    bool was_asked = group->lookup_at_ms != 0;
    if (!was_asked && group->try_count && !group->is_asking) {
        /* After a restart nobody knows whether the last request arrived: the same bytes again. */
        call_join(self, group, &group->tries[group->try_count - 1], 0);
        return;
    }
    if (was_asked && !group->is_looking_up && self->now.boot_ms >= group->lookup_at_ms) {
        group->is_looking_up = true;
        group->lookup_at_ms = self->now.boot_ms + JOIN_RENEW_MS;
        call_lookup(self, &group->name, group->id, NULL);
    }
}

void member_create(member_core_t *self, uint64_t screen, uint64_t request,
                   const local_create_request_t *body)
{
    const group_t *old = member_group_named(self, &body->name);
    if (old && old->phase != GROUP_LEFT && old->phase != GROUP_LOST) {
        member_refuse(self, screen, request, LOCAL_VERB_create, STATUS_GROUP_TAKEN, NULL);
        return;
    }
    uint8_t id[GROUP_ID_BYTES], transcript[HASH_BYTES];
    randombytes_buf(id, sizeof id);
    group_t *group = member_group_add(self, id, &body->name);
    group->phase = GROUP_JOINING;
    group->is_creating = true;
    group->hold_ms = body->hold_ms;
    transcript_start(transcript, id, identity_key(self->identity), body->name.text);
    make_try(self, group, transcript, 0);
    ask_t *ask = member_ask(self, screen, request, LOCAL_VERB_create);
    memcpy(ask->group, id, GROUP_ID_BYTES);
    ask->name = body->name;
    member_mail_creating(self, group);
}

void member_mail_creating(member_core_t *self, group_t *group)
{
    mail_t mail = {.kind = MAIL_CREATE,
                   .name = group->name,
                   .number = group->hold_ms,
                   .trace = self->trace,
                   .bytes = buffer_view(&group->tries[0].request)};
    memcpy(mail.group, group->id, GROUP_ID_BYTES);
    mail_send(&mail, self->effects);
}

void member_created(member_core_t *self, const mail_t *mail)
{
    group_t *group = member_group(self, mail->group);
    if (!group || !group->is_creating)
        return;
    if (!mail->status) {
        member_polls_now(self); /* welcome and commit come as for everybody */
        return;
    }
    member_refuse_asks(self, LOCAL_VERB_create, mail->group, mail->status,
                       status_text(mail->status));
    member_tries_erase(self, group);
    end_before_it_began(self, group, mail->status);
}

bool member_welcome(member_core_t *self, const pending_key_record_t *key)
{
    group_t *group = member_group(self, key->group);
    if (!group || !group_is_settled(self, group))
        return false;
    uint64_t sequence = key->commit_sequence + group->shift;
    bool is_used = group_is_current(group) && sequence <= group->cursor;
    bool is_old = sequence <= group->left_at;
    if (is_used || is_old)
        group->done_sequence = sequence; /* said, or said again */
    if (is_old || group->phase != GROUP_JOINING || !group->try_count || !key->commit_sequence)
        return is_used || is_old;
    group->phase = GROUP_WELCOMED;
    group->welcome_sequence = sequence;
    group->cursor = sequence - 1;
    buffer_wipe(&group->welcome);
    buffer_append(&group->welcome, key->sealed.data, key->sealed.size);
    group->is_dirty = true;
    self->messages.is_due = true;
    return true;
}

void member_welcome_failed(group_t *group)
{
    group->phase = GROUP_JOINING;
    group->cursor = group->left_at;
    buffer_wipe(&group->welcome);
    group->is_dirty = true;
}
