/* SPDX-License-Identifier: MPL-2.0 */
/* The one line that says what went wrong. */
#include "client/ui/complaint.h"

#include "client/ui/exit_code.h"
#include "client/ui/text_buffer.h"
#include "proto/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void invocation_wipe(invocation_t *self)
{
    free(self->words);
    self->words = NULL;
    complaint_forget(self);
}

status_t complain(invocation_t *self, status_t status, const char *format, ...)
{
    va_list arguments;
    complaint_forget(self);
    va_start(arguments, format);
    text_buffer_add_format_v(&self->what, format, arguments);
    va_end(arguments);
    return status;
}

void complain_cause(invocation_t *self, const char *cause)
{
    if (!cause || !*cause)
        return;
    text_buffer_wipe(&self->cause);
    text_buffer_add_text(&self->cause, cause);
}

void complain_cause_text(invocation_t *self, text_t cause)
{
    if (!cause.size)
        return;
    text_buffer_wipe(&self->cause);
    text_buffer_add(&self->cause, cause.data, cause.size);
}

void complain_advice(invocation_t *self, const char *advice)
{
    text_buffer_wipe(&self->advice);
    text_buffer_add_text(&self->advice, advice);
}

void complaint_forget(invocation_t *self)
{
    text_buffer_wipe(&self->what);
    text_buffer_wipe(&self->cause);
    text_buffer_wipe(&self->advice);
}

char *complaint_save(const invocation_t *self)
{
    return self->cause.size ? mem_strdup(self->cause.bytes) : NULL;
}

char *complaint_line(const invocation_t *self, status_t status)
{
    text_buffer_t out = {0};
    const char *advice = self->advice.size ? self->advice.bytes : exit_code_advice(status);
    const char *cause = self->cause.size ? self->cause.bytes : status_text(status);
    text_buffer_add_format(&out, "%s (%s)",
                           self->what.size ? self->what.bytes : "this could not be done",
                           status_name(status));
    if (status != STATUS_USAGE || self->cause.size)
        text_buffer_add_format(&out, ": %s", cause);
    if (advice)
        text_buffer_add_format(&out, "; %s", advice);
    return text_buffer_take(&out);
}

/* On standard error; takes the line over. */
static void print_line(const invocation_t *self, char *line)
{
    fprintf(self->err, "%s\n", line);
    fflush(self->err);
    free(line);
}

void complaint_print(const invocation_t *self, status_t status)
{
    if (status == STATUS_OK || (status == STATUS_INTERRUPTED && !self->what.size))
        return;
    char *line = complaint_line(self, status);
    print_line(self, format_error(&self->err_format, line));
    free(line);
}

void remark(const invocation_t *self, const char *format, ...)
{
    if (self->globals.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    print_line(self, format_styled(&self->err_format, FORMAT_PLAIN, text));
    free(text);
}

void warn_user(const invocation_t *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    print_line(self, format_warning(&self->err_format, text));
    free(text);
}
