/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The admin core's inner parts, for its own files only. It holds the key trees of the groups that
 * this user administers and serves who waits:
 *
 *   round: poll leaves and joins -> plan a commit for each group -> sign and store it -> send those
 * bytes until they are accepted -> adopt
 *
 * At most one commit is signed for an epoch: what is stored is what is sent, however often and
 * after whatever crash.
 */
#ifndef CONCLAVE_CLIENT_CORE_ADMIN_H
#define CONCLAVE_CLIENT_CORE_ADMIN_H

#include "client/core/core.h"
#include "client/core/mail.h"
#include "client/core/session.h"
#include "client/core/vault_rows.h"
#include "client/keys/prepared_commit.h"

/* A refused commit is offered again after so many poll periods: nothing else may be signed for its
 * epoch. */
#define REFUSED_COMMIT_PERIODS 12

/* A join or leave that the broker told of in the last round. */
typedef struct {
    uint64_t task; /* TASK_JOINS, TASK_LEAVES */
    name_t name;
    uint64_t since_ms;
    buffer_t bytes;
} duty_t;

typedef struct {
    uint8_t id[GROUP_ID_BYTES];
    name_t name;
    bool is_creating; /* the broker doesn't have the group yet */
    uint64_t hold_ms;
    buffer_t request;      /* creating: the creator's join request */
    trace_context_t trace; /* creating: of the user's action; not stored */
    holder_t *holder;
    prepared_commit_t *prepared; /* stored; NULL if there is none */
    bool is_calling;
    uint64_t call_at_ms; /* boot clock: not before */
    status_t alarm;      /* said once */
    duty_t *duties;
    size_t duty_count, duty_capacity;
} admin_group_t;

typedef struct {
    core_t base;
    core_config_t config;
    const identity_t *identity;
    vault_t *vault;
    session_t session;
    moment_t now;
    effects_t *effects;
    bool vault_is_new;
    admin_group_t **groups;
    size_t group_count, group_capacity;
    /* The round: both polls are asked, then all groups are served. */
    bool asks_joins, asks_leaves; /* not answered yet */
    bool is_due, has_failed;
    uint64_t at_ms;
    uint64_t started, finished;
    struct {
        uint64_t number, after; /* after: the round that must have ended */
    } passes[64];
    size_t pass_count;
    mail_state_t state, told;
    uint64_t ignored; /* requests that are not to be served */
    uint64_t unreadable;
} admin_core_t;

/* admin.c */
void admin_fatal(admin_core_t *self, status_t status, const char *reason);

/* admin_groups.c */
admin_group_t *admin_group(admin_core_t *self, const uint8_t id[static GROUP_ID_BYTES]);
void admin_group_destroy(admin_group_t *group);
/* Erases everything of a group. */
void admin_group_drop(admin_core_t *self, admin_group_t *group);
void admin_create(admin_core_t *self, const mail_t *mail);
MUST_CHECK status_t admin_load(admin_core_t *self);
void admin_group_save(admin_core_t *self, admin_group_t *group);
void admin_group_row_write(const admin_group_t *group, buffer_t *out);
MUST_CHECK status_t admin_group_row_read(admin_group_t *group, bytes_t bytes);
void admin_duties_clear(admin_group_t *group, uint64_t task);
void admin_duty_add(admin_group_t *group, uint64_t task, const name_t *name, uint64_t since_ms,
                    bytes_t bytes);

/* admin_serve.c */
/* Plans, signs and stores the commit for all that waits in a group, unless one is stored already.
 */
void admin_serve(admin_core_t *self, admin_group_t *group);
void admin_prepare_first(admin_core_t *self, admin_group_t *group, const served_request_t *creator);
/* Sends the stored commit if it isn't under way. */
void admin_send_work(admin_core_t *self, admin_group_t *group);
void admin_commit_answered(admin_core_t *self, const call_t *call, status_t status,
                           const message_t *reply);

#endif
