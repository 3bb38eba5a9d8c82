/* SPDX-License-Identifier: MPL-2.0 */
/* `serve`: both actors, no screen; and `help`. */
#include "client/ui/access.h"
#include "client/ui/command_line.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/output.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static status_t say_serving(invocation_t *self, const access_t *access)
{
    bool is_attached = access_is_attached(access);
    if (self->globals.json) {
        json_t json;
        json_init(&json);
        json_add_text(&json, "type", "serving");
        json_add_number(&json, "pid", (uint64_t)getpid());
        json_add_bool(&json, "attached", is_attached);
        return output_json(self, &json);
    }
    return output_say(self, FORMAT_PLAIN, false, "%s",
                      is_attached
                          ? "Another process serves this home; this one takes over when it ends."
                          : "Serving. Ctrl-C ends it.");
}

/* The link going up and down is worth a line each. */
static void say_link(invocation_t *self, const local_message_t *message)
{
    if (message->kind != MESSAGE_PUSH || message->verb != LOCAL_VERB_link)
        return;
    const local_link_push_t *link = &message->body.link_push;
    if (link->reachable)
        remark(self, "The broker is reachable.");
    else
        remark(self, "The broker is not reachable: %.*s", (int)link->reason.size,
               link->reason.data ? link->reason.data : "");
}

status_t command_serve(invocation_t *self)
{
    access_t access = {0};
    status_t status = access_open(&access, self, "serve", true);
    if (status == STATUS_OK)
        status = say_serving(self, &access);
    while (status == STATUS_OK) {
        status = access_receive(&access, UINT64_MAX);
        if (status == STATUS_OK) {
            say_link(self, &access.message);
        } else if (status == STATUS_HOLDER_ENDED && access_is_attached(&access)) {
            remark(self, "conclave: the process that held the home has ended; taking over");
            status = access_take_over(&access);
            if (status == STATUS_OK)
                status = say_serving(self, &access);
        }
    }
    if (status == STATUS_INTERRUPTED && self->signal_number != SIGPIPE && !self->what.size) {
        self->signal_number = 0; /* being ended is how serving ends */
        status = STATUS_OK;
    }
    access_close(&access, NULL);
    return status;
}

status_t command_help(invocation_t *self)
{
    const command_row_t *command = NULL;
    if (self->word_count) {
        command = command_find(self->words[0]);
        if (!command) {
            const char *nearest = command_nearest(self->words[0]);
            status_t status =
                complain(self, STATUS_USAGE, "there is no command %s", self->words[0]);
            if (nearest)
                complain_advice(self, nearest);
            return status;
        }
    }
    char *help = command_line_help(command);
    status_t status =
        fputs(help, self->out) < 0 || fflush(self->out) ? output_failed(self) : STATUS_OK;
    free(help);
    return status;
}
