/* SPDX-License-Identifier: MPL-2.0 */
/* What the member core and the admin core of one process say to each other. Bytes of this process
 * only, but read with the same care as any others. */
#ifndef CONCLAVE_CLIENT_CORE_MAIL_H
#define CONCLAVE_CLIENT_CORE_MAIL_H

#include "client/core/core.h"
#include "proto/message.h"
#include "proto/trace_context.h"

typedef enum {
    /* to the admin core */
    MAIL_CREATE = 1, /* group, name, number (hold time), bytes (the creator's join request), trace:
                        make the group */
    MAIL_FORGET,     /* group: this user left it, or was never in */
    MAIL_PASS,       /* number: answer when both polling tasks have passed */
    MAIL_PENDING,    /* number, name: answer with what waits in that group */
    /* to the member core */
    MAIL_CREATED, /* group, status */
    MAIL_PASSED,  /* number */
    MAIL_WAITING, /* number, status, bytes (mail_waiting_write): the answer to MAIL_PENDING */
    MAIL_STATE,   /* state: the admin core's session and passes */
    MAIL_SERVED,  /* group: a commit of this process was accepted */
    MAIL_ALARM,   /* group, status: the admin core can't go on with this group */
} mail_kind_t;

typedef struct {
    uint64_t ready;
    uint64_t last_joins_ms, last_leaves_ms; /* wall clock of the last pass; 0 never */
    uint64_t waiting_joins, waiting_leaves; /* what is known to wait */
} mail_state_t;

/* bytes is a view into what was read. */
typedef struct {
    mail_kind_t kind;
    uint8_t group[GROUP_ID_BYTES];
    name_t name;
    uint64_t number;
    status_t status;
    mail_state_t state;
    trace_context_t trace; /* of the user's action */
    bytes_t bytes;
} mail_t;

void mail_write(const mail_t *self, buffer_t *out);
/* Adds it to what the call gives out for the other core. */
void mail_send(const mail_t *self, effects_t *effects);
/* STATUS_MALFORMED, STATUS_BAD_NAME. */
MUST_CHECK status_t mail_read(mail_t *out, bytes_t bytes);

/* One entry of MAIL_WAITING's list. */
typedef struct {
    name_t name;
    uint64_t task; /* TASK_JOINS, TASK_LEAVES */
    uint64_t since_ms;
    uint8_t identity_key[KEY_BYTES];
} mail_waiting_t;

void mail_waiting_write(const mail_waiting_t *self, buffer_t *out);
/* Takes the next one from the reader; false at the end or if it is broken. */
bool mail_waiting_read(mail_waiting_t *out, reader_t *in);

#endif
