/* SPDX-License-Identifier: MPL-2.0 */
/* `listen` and `history`: lines of groups, as they come and as they were. */
#include "client/ui/access.h"
#include "client/ui/command_table.h"
#include "client/ui/complaint.h"
#include "client/ui/line_view.h"
#include "client/ui/output.h"
#include "proto/memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_LINES 1000
#define END_MS     2000 /* how long the end waits for the last acknowledgement */

/* A push of lines; its message points into its frame. */
typedef struct {
    buffer_t frame;
    local_message_t message;
    size_t next; /* line to print */
} arrival_t;

typedef struct {
    invocation_t *invocation;
    access_t access;
    local_group_name_record_t *groups;
    arrival_t *arrivals; /* oldest first */
    size_t arrival_count;
    uint64_t messages; /* printed */
    uint64_t until_ms; /* of --wait */
    uint64_t pass_id;  /* 0: answered */
    uint64_t shown_id; /* of the last acknowledgement; 0: none is under way */
    bool with_group;
} listening_t;

static bool is_enough(const listening_t *self)
{
    return self->invocation->options.count != COMMAND_UNSET &&
           self->messages >= self->invocation->options.count;
}

static void arrival_wipe(arrival_t *self)
{
    local_message_wipe(&self->message);
    buffer_wipe(&self->frame);
}

/* Keeps a push of lines until they are printed. */
static void arrive(listening_t *self)
{
    access_t *access = &self->access;
    self->arrivals = mem_realloc(self->arrivals, self->arrival_count + 1, sizeof *self->arrivals);
    self->arrivals[self->arrival_count++] =
        (arrival_t){.frame = access->frame, .message = access->message}; /* transferred */
    access->frame = (buffer_t){0};
    access->message = (local_message_t){0};
}

static void forget_arrivals(listening_t *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        arrival_wipe(&self->arrivals[i]);
    self->arrival_count -= count;
    if (self->arrival_count)
        memmove(self->arrivals, self->arrivals + count,
                self->arrival_count * sizeof *self->arrivals);
}

/* Only what has left this process counts as shown. */
static status_t acknowledge(listening_t *self, const local_line_record_t *line)
{
    local_line_id_record_t id = {.sequence = line->sequence};
    memcpy(id.group, line->group, GROUP_ID_BYTES);
    local_shown_request_t request = {.lines = {&id, 1}};
    return access_send(&self->access, LOCAL_VERB_shown, &request, &self->shown_id);
}

/*
 * Prints the next line once the one before is stored as shown: a process that is killed repeats one
 * line at the most. The lines of one event share its sequence number, and are acknowledged
 * together.
 */
static status_t print_next(listening_t *self)
{
    while (self->arrival_count && !self->shown_id && !is_enough(self)) {
        arrival_t *arrival = &self->arrivals[0];
        const local_line_push_t *push = &arrival->message.body.line_push;
        if (arrival->next == push->lines.count) {
            forget_arrivals(self, 1);
            continue;
        }
        const local_line_record_t *line = &push->lines.items[arrival->next++];
        if (line_view_print(self->invocation, line, self->with_group) != STATUS_OK)
            return output_failed(self->invocation);
        self->messages += line->kind == LINE_MESSAGE;
        const local_line_record_t *after =
            arrival->next < push->lines.count ? &push->lines.items[arrival->next] : NULL;
        bool is_last_of_event = !after || after->sequence != line->sequence ||
                                memcmp(after->group, line->group, GROUP_ID_BYTES) != 0;
        if (is_last_of_event || is_enough(self)) {
            status_t status = acknowledge(self, line);
            if (status != STATUS_OK)
                return status;
        }
    }
    return STATUS_OK;
}

static status_t subscribe(listening_t *self)
{
    local_subscribe_request_t request = {.groups = {self->groups, self->invocation->word_count},
                                         .unshown = 1};
    uint64_t id;
    status_t status = access_send(&self->access, LOCAL_VERB_pass, NULL, &self->pass_id);
    return status == STATUS_OK ? access_send(&self->access, LOCAL_VERB_subscribe, &request, &id)
                               : status;
}

static status_t take(listening_t *self)
{
    const local_message_t *message = &self->access.message;
    if (message->kind == MESSAGE_PUSH && message->verb == LOCAL_VERB_line) {
        arrive(self);
        return STATUS_OK;
    }
    if (message->kind != MESSAGE_REPLY)
        return STATUS_OK;
    if (message->id == self->pass_id)
        self->pass_id = 0;
    if (message->id == self->shown_id)
        self->shown_id = 0;
    if (message->status != STATUS_OK) {
        complain(self->invocation, message->status, "listening is not possible");
        complain_cause_text(self->invocation, access_detail(message));
    }
    return message->status;
}

static status_t follow(listening_t *self)
{
    for (;;) {
        status_t status = print_next(self);
        if (status != STATUS_OK)
            return status;
        if (is_enough(self) && (!self->pass_id || access_link_reason(&self->access)))
            return STATUS_OK;
        uint64_t until_ms = self->until_ms;
        uint64_t limit_ms = access_deadline(&self->access);
        if (is_enough(self) && limit_ms < until_ms)
            until_ms = limit_ms;
        status = access_receive(&self->access, until_ms);
        if (status == STATUS_HOLDER_ENDED && access_is_attached(&self->access)) {
            remark(self->invocation, "conclave: the process that held the home has ended; "
                                     "taking over");
            self->shown_id = 0;
            forget_arrivals(self, self->arrival_count); /* they come again */
            status = access_take_over(&self->access);
            if (status == STATUS_OK)
                status = subscribe(self);
        } else if (status == STATUS_OK) {
            status = take(self);
        }
        if (status != STATUS_OK)
            return status;
    }
}

/* What was printed is stored as shown before this process ends; lines that come meanwhile are left
 * to the next listen. */
static void await_acknowledgement(listening_t *self)
{
    status_t status = STATUS_OK;
    if (self->shown_id)
        status = access_await(&self->access, self->shown_id, access_now() + END_MS);
    if (status == STATUS_TIMED_OUT)
        warn_user(self->invocation, "the last lines may be shown again");
}

static status_t finish(listening_t *self, status_t status)
{
    invocation_t *invocation = self->invocation;
    if (status == STATUS_OK || status == STATUS_TIMED_OUT || status == STATUS_INTERRUPTED)
        await_acknowledgement(self);
    if (status == STATUS_INTERRUPTED && invocation->signal_number && !invocation->what.size &&
        invocation->signal_number != SIGPIPE) {
        invocation->signal_number = 0; /* being ended is how following ends */
        return STATUS_OK;
    }
    if (status != STATUS_TIMED_OUT || is_enough(self) || invocation->options.count == COMMAND_UNSET)
        return status == STATUS_TIMED_OUT ? STATUS_OK : status;
    complain(invocation, status, "%llu of %llu messages came", (unsigned long long)self->messages,
             (unsigned long long)invocation->options.count);
    complain_cause(invocation, access_link_reason(&self->access));
    complain_advice(invocation, "what comes later is shown by the next listen");
    return status;
}

status_t command_listen(invocation_t *self)
{
    listening_t listening = {.invocation = self, .with_group = self->word_count != 1};
    listening.groups = mem_zalloc(self->word_count, sizeof *listening.groups);
    status_t status = STATUS_OK;
    for (size_t i = 0; i < self->word_count && status == STATUS_OK; i++)
        status = name_parse(&listening.groups[i].name, self->words[i]);
    if (status == STATUS_OK)
        status = access_open(&listening.access, self, "listen", true);
    if (status == STATUS_OK)
        status = subscribe(&listening);
    uint64_t now = access_now();
    bool is_bounded =
        self->options.wait_ms != COMMAND_UNSET && self->options.wait_ms < UINT64_MAX - now;
    listening.until_ms = is_bounded ? now + self->options.wait_ms : UINT64_MAX;
    if (status == STATUS_OK)
        status = finish(&listening, follow(&listening));
    access_close(&listening.access, NULL);
    forget_arrivals(&listening, listening.arrival_count);
    free(listening.arrivals);
    free(listening.groups);
    return status;
}

/* Pages of history, newest first; their frames live as long as their lines. */
typedef struct {
    buffer_t frame;
    local_message_t message;
    size_t first, count; /* the lines of it that are printed */
} page_t;

static void page_wipe(page_t *self)
{
    local_message_wipe(&self->message);
    buffer_wipe(&self->frame);
}

/* Lines of one event stay together: the event at a page's start is left to the next page. */
static void trim(page_t *page, uint64_t wanted)
{
    const local_history_reply_t *reply = &page->message.body.history_reply;
    size_t count = reply->lines.count;
    page->first = 0;
    if (reply->more && wanted > count) {
        uint64_t start = reply->lines.items[0].sequence;
        while (page->first < count && reply->lines.items[page->first].sequence == start)
            page->first++;
        if (page->first == count)
            page->first = 0; /* one event alone: some of its notices are lost from sight */
    }
    page->count = count - page->first;
    if (page->count > wanted) {
        page->first += page->count - (size_t)wanted;
        page->count = (size_t)wanted;
    }
}

static status_t fetch(access_t *access, const name_t *group, uint64_t wanted, uint64_t before,
                      page_t *page)
{
    local_history_request_t request = {
        .name = *group, .last = wanted < PAGE_LINES ? wanted : PAGE_LINES, .before = before};
    text_buffer_t what = {0};
    text_buffer_add_format(&what, "there is no history of %s here", group->text);
    status_t status = access_call(access, LOCAL_VERB_history, &request, what.bytes);
    text_buffer_wipe(&what);
    if (status != STATUS_OK)
        return status;
    page->frame = access->frame; /* transferred, with the message that points into it */
    page->message = access->message;
    access->frame = (buffer_t){0};
    access->message = (local_message_t){0};
    return STATUS_OK;
}

static status_t print_page(invocation_t *self, const page_t *page)
{
    const local_line_record_t *lines = page->message.body.history_reply.lines.items;
    for (size_t i = page->first; i < page->first + page->count; i++)
        if (line_view_print(self, &lines[i], false) != STATUS_OK)
            return output_failed(self);
    return STATUS_OK;
}

static status_t print_history(invocation_t *self, access_t *access, const name_t *group)
{
    page_t *pages = NULL;
    size_t count = 0;
    uint64_t wanted = self->options.last, before = 0;
    status_t status;
    for (;;) {
        pages = mem_realloc(pages, count + 1, sizeof *pages);
        pages[count] = (page_t){0};
        status = fetch(access, group, wanted, before, &pages[count]);
        if (status != STATUS_OK)
            break;
        page_t *page = &pages[count++];
        const local_history_reply_t *reply = &page->message.body.history_reply;
        if (!reply->lines.count)
            break;
        trim(page, wanted);
        wanted -= page->count;
        if (!wanted || !reply->more)
            break;
        before = reply->lines.items[page->first].sequence;
    }
    for (size_t i = count; i-- > 0 && status == STATUS_OK;)
        status = print_page(self, &pages[i]);
    for (size_t i = 0; i < count; i++)
        page_wipe(&pages[i]);
    free(pages);
    return status;
}

status_t command_history(invocation_t *self)
{
    access_t access = {0};
    name_t group;
    status_t status = name_parse(&group, self->words[0]);
    if (status == STATUS_OK)
        status = access_open(&access, self, "history", false);
    if (status == STATUS_OK)
        status = print_history(self, &access, &group);
    access_close(&access, NULL);
    return status;
}
