/* SPDX-License-Identifier: MPL-2.0 */
/* From what waits to a commit: verify each request, sign one commit for all, store it, send it,
 * adopt it. */
#include <stdlib.h>
#include <string.h>

#include "client/core/admin.h"
#include "client/keys/commit_build.h"
#include "proto/memory.h"

/* What of the duties may be served. */
typedef struct {
    served_request_t adds[COMMIT_ADDS_MAX];
    size_t add_count;
    leaf_index_t removals[COMMIT_REMOVALS_MAX];
    size_t removal_count;
} choice_t;

static bool is_removed(const choice_t *choice, uint32_t leaf)
{
    for (size_t i = 0; i < choice->removal_count; i++)
        if (choice->removals[i].value == leaf)
            return true;
    return false;
}

/* By the roster this admin holds, not by what the broker says. */
static status_t choose_leave(admin_group_t *group, const duty_t *duty, choice_t *choice)
{
    leave_t leave;
    status_t status = leave_parse(&leave, buffer_view(&duty->bytes));
    if (status)
        return status;
    const roster_member_t *member =
        roster_table_get(holder_roster(group->holder), leaf_index(leave.leaf));
    if (!member || memcmp(leave.group, group->id, GROUP_ID_BYTES) ||
        leave.epoch_added != member->epoch_added)
        return STATUS_BAD_LEAVE;
    if (leave.leaf == holder_leaf(group->holder).value)
        return STATUS_LAST_ADMIN;
    status = leave_verify(&leave, member->identity_key);
    if (!status && !is_removed(choice, leave.leaf) && choice->removal_count < COMMIT_REMOVALS_MAX)
        choice->removals[choice->removal_count++] = leaf_index(leave.leaf);
    return status;
}

/* STATUS_KEY_CHANGED if this admin once admitted the name with another key. */
static status_t check_pin(admin_core_t *self, const join_t *request)
{
    row_key_t key = row_key_of_name(ROW_PIN, &request->name);
    buffer_t value = {0};
    status_t status = vault_get(self->vault, row_key_view(&key), &value);
    if (!status)
        status = value.size == KEY_BYTES && !memcmp(value.data, request->identity_key, KEY_BYTES)
                     ? STATUS_OK
                     : STATUS_KEY_CHANGED;
    buffer_free(&value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static status_t choose_join(admin_core_t *self, admin_group_t *group, const duty_t *duty,
                            choice_t *choice)
{
    served_request_t served;
    status_t status = holder_check_request(group->holder, buffer_view(&duty->bytes), &served);
    if (!status && served.is_held && !is_removed(choice, served.leaf))
        status = STATUS_ALREADY_MEMBER; /* a refresh is reserved */
    if (!status)
        status = check_pin(self, &served.request);
    for (size_t i = 0; i < choice->add_count && !status; i++)
        if (name_equal(&choice->adds[i].request.name, &served.request.name))
            status = STATUS_ALREADY_MEMBER;
    if (!status && choice->add_count < COMMIT_ADDS_MAX)
        choice->adds[choice->add_count++] = served;
    return status;
}

static void alarm(admin_core_t *self, admin_group_t *group, status_t status, const name_t *about)
{
    if (group->alarm == status)
        return;
    group->alarm = status;
    mail_t mail = {.kind = MAIL_ALARM, .status = status};
    memcpy(mail.group, group->id, GROUP_ID_BYTES);
    if (about)
        mail.name = *about;
    mail_send(&mail, self->effects);
}

static void choose(admin_core_t *self, admin_group_t *group, choice_t *choice)
{
    static const uint64_t order[] = {TASK_LEAVES, TASK_JOINS};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < group->duty_count; i++) {
            const duty_t *duty = &group->duties[i];
            if (duty->task != order[k])
                continue;
            status_t status = duty->task == TASK_LEAVES ? choose_leave(group, duty, choice)
                                                        : choose_join(self, group, duty, choice);
            self->ignored += status != STATUS_OK;
            if (status == STATUS_KEY_CHANGED)
                alarm(self, group, status, &duty->name);
        }
    }
}

static status_t build(const admin_core_t *self, const admin_group_t *group, const choice_t *choice,
                      prepared_commit_t **out)
{
    commit_plan_t plan = {.adds = choice->adds,
                          .add_count = choice->add_count,
                          .removals = choice->removals,
                          .removal_count = choice->removal_count};
    return commit_build(group->holder, self->identity, &plan, out);
}

static void store_prepared(admin_core_t *self, const admin_group_t *group)
{
    row_key_t key = row_key_of_group(ROW_COMMIT, group->id);
    buffer_t value = {0};
    prepared_commit_write(group->prepared, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_wipe(&value);
}

static void pin_adds(admin_core_t *self, const choice_t *choice)
{
    for (size_t i = 0; i < choice->add_count; i++) {
        row_key_t key = row_key_of_name(ROW_PIN, &choice->adds[i].request.name);
        writes_put(&self->effects->writes, row_key_view(&key),
                   (bytes_t){choice->adds[i].request.identity_key, KEY_BYTES});
    }
}

void admin_serve(admin_core_t *self, admin_group_t *group)
{
    if (group->prepared || group->is_creating || !group->duty_count || group->alarm == STATUS_FORK)
        return;
    choice_t *choice = mem_zalloc(1, sizeof *choice);
    choose(self, group, choice);
    status_t status = STATUS_NOT_FOUND;
    if (choice->add_count || choice->removal_count)
        status = build(self, group, choice, &group->prepared);
    if (status == STATUS_TREE_FULL && choice->removal_count) {
        choice->add_count = 0; /* who leaves makes room for the next one */
        status = build(self, group, choice, &group->prepared);
    }
    if (!status) {
        store_prepared(self, group);
        pin_adds(self, choice);
    } else if (status != STATUS_NOT_FOUND) {
        alarm(self, group, status, NULL);
    }
    free(choice);
}

void admin_prepare_first(admin_core_t *self, admin_group_t *group, const served_request_t *creator)
{
    commit_role_t admin = {.leaf = 0, .role = ROLE_ADMIN};
    commit_plan_t plan = {.adds = creator, .add_count = 1, .roles = &admin, .role_count = 1};
    status_t status = commit_build(group->holder, self->identity, &plan, &group->prepared);
    if (!status)
        store_prepared(self, group);
    else
        alarm(self, group, status, NULL);
}

static void call(admin_core_t *self, admin_group_t *group)
{
    const prepared_commit_t *prepared = group->prepared;
    welcome_record_t *welcomes = mem_zalloc(prepared->welcome_count, sizeof *welcomes);
    for (size_t i = 0; i < prepared->welcome_count; i++)
        welcomes[i] = (welcome_record_t){.recipient = prepared->welcomes[i].recipient,
                                         .sealed = buffer_view(&prepared->welcomes[i].sealed)};
    if (group->is_creating) {
        create_request_t request = {.name = group->name,
                                    .join_policy = JOIN_OPEN,
                                    .hold_ms = group->hold_ms,
                                    .request = buffer_view(&group->request),
                                    .commit = buffer_view(&prepared->commit),
                                    .welcomes = {welcomes, prepared->welcome_count}};
        memcpy(request.group, group->id, GROUP_ID_BYTES);
        session_call_traced(&self->session, self->now, &group->trace, VERB_create, group->id, 0,
                            &request, self->effects);
    } else {
        commit_request_t request = {.commit = buffer_view(&prepared->commit),
                                    .welcomes = {welcomes, prepared->welcome_count}};
        memcpy(request.group, group->id, GROUP_ID_BYTES);
        session_call(&self->session, self->now, VERB_commit, group->id, 0, &request, self->effects);
    }
    free(welcomes);
}

void admin_send_work(admin_core_t *self, admin_group_t *group)
{
    if (!group->prepared || group->is_calling || self->now.boot_ms < group->call_at_ms)
        return;
    group->is_calling = true;
    call(self, group);
}

static void tell(admin_core_t *self, const admin_group_t *group, mail_kind_t kind, status_t status)
{
    mail_t mail = {.kind = kind, .status = status};
    memcpy(mail.group, group->id, GROUP_ID_BYTES);
    mail_send(&mail, self->effects);
}

static void accepted(admin_core_t *self, admin_group_t *group)
{
    status_t status = holder_adopt(group->holder, &group->prepared);
    if (status) {
        admin_fatal(self, status, "a stored commit does not fit the stored tree");
        return;
    }
    bool was_creating = group->is_creating;
    group->is_creating = false;
    group->alarm = STATUS_OK;
    buffer_clear(&group->request);
    admin_group_save(self, group);
    row_key_t key = row_key_of_group(ROW_COMMIT, group->id);
    writes_delete(&self->effects->writes, row_key_view(&key));
    self->effects->writes.erases_keys = true;
    admin_duties_clear(group, TASK_JOINS);
    admin_duties_clear(group, TASK_LEAVES);
    tell(self, group, was_creating ? MAIL_CREATED : MAIL_SERVED, STATUS_OK);
    self->is_due = true; /* more may have come meanwhile */
}

static bool is_winner_ours(const admin_group_t *group, const message_t *reply)
{
    bytes_t winner = reply->body.commit_reply.winner;
    return winner.size == group->prepared->commit.size &&
           !memcmp(winner.data, group->prepared->commit.data, winner.size);
}

/* Whatever the broker says, the tree stays until the member side has verified that it left. */
static void refused(admin_core_t *self, admin_group_t *group, status_t status)
{
    group->call_at_ms = self->now.boot_ms + REFUSED_COMMIT_PERIODS * self->config.poll_period_ms;
    alarm(self, group, status == STATUS_STALE_EPOCH ? STATUS_FORK : status, NULL);
}

void admin_commit_answered(admin_core_t *self, const call_t *answered, status_t status,
                           const message_t *reply)
{
    admin_group_t *group = admin_group(self, answered->group);
    if (!group || !group->prepared)
        return;
    group->is_calling = false;
    if (!reply) { /* the session stopped */
        group->call_at_ms = UINT64_MAX;
    } else if (!status || (status == STATUS_STALE_EPOCH && answered->verb == VERB_commit &&
                           is_winner_ours(group, reply))) {
        accepted(self, group);
    } else if (group->is_creating) {
        tell(self, group, MAIL_CREATED, status);
        admin_group_drop(self, group);
    } else {
        refused(self, group, status);
    }
}
