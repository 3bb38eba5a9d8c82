/* SPDX-License-Identifier: MPL-2.0 */
/* The chat's loop: keys, frames of the holder, signals and time, one at a time. */
#include "client/ui/chat.h"

#include "client/ui/complaint.h"
#include "client/ui/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define REFRESH_MS 3000 /* how often unread counts of other groups are looked at */
#define END_MS     3000 /* how long a person waits for what is under way at the end */
#define SENDS_MAX  64   /* on their way at once, from a pipe */

/* Whether typed lines may be taken now. */
static bool takes_input(const chat_t *self)
{
    if (self->is_ending)
        return false;
    bool is_held = self->holding > 0 || self->sends >= SENDS_MAX;
    return !is_held || (self->is_interactive && access_now() >= self->held_ms);
}

static status_t take_typed(chat_t *self)
{
    while (takes_input(self)) {
        char *line = NULL;
        line_editor_event_t event = line_editor_feed(self->editor, &line);
        status_t status = STATUS_OK;
        switch (event) {
        case LINE_EDITOR_NOTHING:
            return STATUS_OK;
        case LINE_EDITOR_LINE:
            status = chat_take_line(self, line);
            free(line);
            break;
        case LINE_EDITOR_INTERRUPT:
            chat_say(self, FORMAT_DIM, "(/quit or Ctrl-D ends)");
            break;
        case LINE_EDITOR_EOF:
            self->is_ending = true;
            break;
        }
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* All frames that are there. */
static status_t take_frames(chat_t *self)
{
    for (;;) {
        status_t status = access_receive(&self->access, 0);
        if (status == STATUS_TIMED_OUT)
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        const local_message_t *message = &self->access.message;
        status = message->kind == MESSAGE_REPLY ? chat_take_reply(self, message)
                                                : chat_take_push(self, message);
        if (status != STATUS_OK)
            return status;
    }
}

/* Being ended is how a chat ends: at once, but for what was shown being stored as such. */
static void take_signals(chat_t *self)
{
    int number;
    while ((number = signals_take(self->invocation->signal_fd))) {
        if (number == SIGWINCH) {
            line_editor_resize(self->editor);
            continue;
        }
        self->is_over = self->is_ending && self->ending_ms; /* asked twice */
        self->is_ending = true;
        self->ending_ms = access_now();
    }
}

/* At the end: first what is under way, within bounds, then the outbox's count. */
static status_t end_step(chat_t *self, uint64_t now)
{
    if (!self->ending_ms) {
        uint64_t patience_ms = self->is_interactive ? END_MS : self->invocation->globals.timeout_ms;
        self->ending_ms = patience_ms > UINT64_MAX - now ? UINT64_MAX : now + patience_ms;
    }
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].kind == ASK_OUTBOX) {
            self->is_over |= now >= self->ending_ms + END_MS;
            return STATUS_OK;
        }
    bool is_stuck = self->is_interactive && (self->is_offline || self->is_rekey_due);
    if ((self->sends || self->holding) && now < self->ending_ms && !is_stuck)
        return STATUS_OK;
    local_outbox_request_t all = {0};
    return chat_ask(self, ASK_OUTBOX, LOCAL_VERB_outbox, &all, NULL);
}

static int poll_timeout(const chat_t *self, uint64_t now)
{
    uint64_t left = self->refresh_ms > now ? self->refresh_ms - now : 0;
    int editor_ms = line_editor_timeout_ms(self->editor);
    if (editor_ms >= 0 && (uint64_t)editor_ms < left)
        left = (uint64_t)editor_ms;
    if (!takes_input(self) && left > 50)
        left = 50;
    bool is_patient =
        (self->due_ms && !self->is_rekey_due) || (self->offline_ms && !self->is_offline);
    if (is_patient && left > 200)
        left = 200;
    return (int)left;
}

static status_t turn(chat_t *self)
{
    status_t status = take_frames(self);
    if (status != STATUS_OK)
        return status;
    uint64_t now = access_now();
    if (self->is_ending)
        status = end_step(self, now);
    if (status != STATUS_OK || self->is_over)
        return status;
    struct pollfd sources[] = {
        {.fd = screen_fd(self->access.screen), .events = POLLIN},
        {.fd = self->invocation->signal_fd, .events = POLLIN},
        {.fd = takes_input(self) ? line_editor_fd(self->editor) : -1, .events = POLLIN},
    };
    int ready = poll(sources, 3, poll_timeout(self, now));
    if (ready < 0 && errno != EINTR)
        return complain(self->invocation, STATUS_IO_ERROR, "the terminal can't be watched");
    if (sources[1].revents)
        take_signals(self);
    if (sources[2].revents || line_editor_timeout_ms(self->editor) >= 0)
        status = take_typed(self);
    chat_offline_step(self, access_now());
    if (status == STATUS_OK)
        status = chat_rekey_step(self, access_now());
    if (status == STATUS_OK && access_now() >= self->refresh_ms) {
        self->refresh_ms = access_now() + REFRESH_MS;
        status = chat_refresh(self);
    }
    return status;
}

/* The process that held the home has ended: this one may hold it now. */
static status_t take_over(chat_t *self)
{
    chat_say(self, FORMAT_WARNING, "The process that held the home has ended; taking over.");
    if (self->sends)
        chat_say(self, FORMAT_WARNING,
                 "%zu of your texts were on their way: look whether they "
                 "come.",
                 self->sends);
    self->ask_count = self->sends = self->holding = 0;
    line_editor_suspend(self->editor);
    status_t status = access_take_over(&self->access);
    line_editor_resume(self->editor);
    self->is_offline = false;
    self->offline_ms = 0;
    if (status == STATUS_OK && self->group.text[0])
        status = chat_enter(self, &self->group);
    return status;
}

static status_t loop(chat_t *self)
{
    while (!self->is_over) {
        status_t status = turn(self);
        if (status == STATUS_HOLDER_ENDED && access_is_attached(&self->access))
            status = take_over(self);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

status_t chat_run(invocation_t *invocation, access_t *access, const name_t *group)
{
    chat_t self = {.invocation = invocation, .access = *access};
    *access = (access_t){0}; /* transferred; given back below */
    self.is_interactive = isatty(fileno(invocation->in)) && isatty(fileno(invocation->out));
    self.editor = line_editor_new(invocation->in, invocation->out);
    line_editor_set_echo(self.editor, false);
    line_editor_set_complete(self.editor, chat_complete, &self);
    chat_show_prompt(&self);
    if (self.is_interactive)
        chat_say(&self, FORMAT_DIM, "/help lists the commands; Ctrl-D ends.");
    if (access_is_attached(&self.access))
        chat_say(&self, FORMAT_DIM, "Attached to the process that holds this home.");
    status_t status = chat_ask(&self, ASK_WHOAMI, LOCAL_VERB_whoami, NULL, NULL);
    if (status == STATUS_OK && group)
        status = chat_enter(&self, group);
    if (status == STATUS_OK && !group)
        status = chat_ask(&self, ASK_LIST, LOCAL_VERB_groups, NULL, NULL);
    if (status == STATUS_OK)
        status = loop(&self);
    line_editor_destroy(&self.editor);
    *access = self.access;
    free(self.groups);
    free(self.people);
    free(self.asks);
    return status;
}
