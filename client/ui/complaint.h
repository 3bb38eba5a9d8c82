/* SPDX-License-Identifier: MPL-2.0 */
/* The one line that says what went wrong: `conclave: what happened (STATUS_NAME): cause; next
 * step`. */
#ifndef CONCLAVE_CLIENT_UI_COMPLAINT_H
#define CONCLAVE_CLIENT_UI_COMPLAINT_H

#include "client/ui/command.h"
#include "proto/bytes.h"

/*
 * Keeps what happened (instead of an earlier complaint) and returns status. Cause and next step are
 * those of the status until said otherwise. All texts may hold remote or raw input: they are made
 * safe when shown.
 */
status_t complain(invocation_t *self, status_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Replaces the cause; an empty or NULL one changes nothing. */
void complain_cause(invocation_t *self, const char *cause);
void complain_cause_text(invocation_t *self, text_t cause);
void complain_advice(invocation_t *self, const char *advice);

/* Nothing went wrong after all. */
void complaint_forget(invocation_t *self);
/* A copy of the cause (NULL: none), for a later complaint; the caller frees it. */
char *complaint_save(const invocation_t *self);

/* The line, without newline; the caller frees it. */
char *complaint_line(const invocation_t *self, status_t status);
/* Prints it on err. Nothing for STATUS_OK, and for STATUS_INTERRUPTED without a complaint. */
void complaint_print(const invocation_t *self, status_t status);

/* A line on err, unless --quiet. */
void remark(const invocation_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A warning on err, always. */
void warn_user(const invocation_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
