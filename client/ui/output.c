/* SPDX-License-Identifier: MPL-2.0 */
/* What commands print on standard output. */
#include "client/ui/output.h"

#include "client/ui/complaint.h"
#include "client/ui/text_buffer.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

status_t output_failed(invocation_t *self)
{
    int cause = errno;
    if (cause == EPIPE) { /* as `| head` does: nobody is there to complain to */
        self->signal_number = SIGPIPE;
        return STATUS_INTERRUPTED;
    }
    complain(self, STATUS_IO_ERROR, "standard output takes no more");
    complain_cause(self, strerror(cause));
    return STATUS_IO_ERROR;
}

status_t output_json(invocation_t *self, json_t *json)
{
    status_t status = json_write(json, self->out);
    return status == STATUS_OK ? status : output_failed(self);
}

status_t output_line(invocation_t *self, char *line)
{
    bool is_written = fputs(line, self->out) >= 0 && fputc('\n', self->out) != EOF;
    free(line);
    return fflush(self->out) == 0 && is_written ? STATUS_OK : output_failed(self);
}

status_t output_say(invocation_t *self, format_style_t style, bool is_needed, const char *format,
                    ...)
{
    if (self->globals.quiet && !is_needed)
        return STATUS_OK;
    va_list arguments;
    va_start(arguments, format);
    char *text = text_new_format_v(format, arguments);
    va_end(arguments);
    char *shown = format_styled(&self->out_format, style, text);
    free(text);
    return output_line(self, shown);
}
