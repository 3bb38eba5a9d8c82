/* SPDX-License-Identifier: MPL-2.0 */
/* `serve`: both actors, no screen; and `help`. */
#include "client/ui/access.h"
#include "client/ui/command_line.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/output.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

/* Who never asked for anything is told nothing: this asks, and what it is answered is not needed.
 */
static status_t attend(access_t *access)
{
    uint64_t id;
    return access_send(access, LOCAL_VERB_whoami, NULL, &id);
}

static status_t begin(invocation_t *self, access_t *access)
{
    status_t status = say_serving(self, access);
    return status == STATUS_OK ? attend(access) : status;
}

/* What was said of the link. */
typedef struct {
    uint64_t due_ms; /* when it will have been down for too long; 0: it is up, or that was said */
    text_buffer_t cause; /* said last; empty: it is up */
} link_news_t;

static void tell_cause(invocation_t *self, const access_t *access, link_news_t *news)
{
    const char *reason = access_link_reason(access);
    news->due_ms = 0;
    if (!reason || (news->cause.size && strcmp(news->cause.bytes, reason) == 0))
        return;
    text_buffer_wipe(&news->cause);
    text_buffer_add_text(&news->cause, reason);
    remark(self, "The broker is not reachable: %s", reason);
}

/* Down, why, and up again are worth a line each. */
static void take_link(invocation_t *self, const access_t *access, link_news_t *news)
{
    if (access->message.kind != MESSAGE_PUSH || access->message.verb != LOCAL_VERB_link)
        return;
    if (access->message.body.link_push.reachable) {
        if (news->cause.size)
            remark(self, "The broker is reachable again.");
        text_buffer_wipe(&news->cause);
        news->due_ms = 0;
    } else if (news->cause.size) {
        tell_cause(self, access, news);
    } else if (!news->due_ms) {
        news->due_ms = access_now() + OFFLINE_PATIENCE_MS;
    }
}

static status_t take_over(invocation_t *self, access_t *access)
{
    remark(self, "conclave: the process that held the home has ended; taking over");
    status_t status = access_take_over(access);
    return status == STATUS_OK ? begin(self, access) : status;
}

status_t command_serve(invocation_t *self)
{
    access_t access = {0};
    link_news_t news = {0};
    status_t status = access_open(&access, self, "serve", true);
    if (status == STATUS_OK)
        status = begin(self, &access);
    while (status == STATUS_OK) {
        status = access_receive(&access, news.due_ms ? news.due_ms : UINT64_MAX);
        if (status == STATUS_OK) {
            take_link(self, &access, &news);
        } else if (status == STATUS_TIMED_OUT) {
            tell_cause(self, &access, &news);
            status = STATUS_OK;
        } else if (status == STATUS_HOLDER_ENDED && access_is_attached(&access)) {
            status = take_over(self, &access);
        }
    }
    if (status == STATUS_INTERRUPTED && self->signal_number != SIGPIPE && !self->what.size) {
        self->signal_number = 0; /* being ended is how serving ends */
        status = STATUS_OK;
    }
    text_buffer_wipe(&news.cause);
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
