/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of a group as people and as programs read them. */
#include "client/ui/line_view.h"

#include "client/ui/json.h"
#include "client/ui/text_buffer.h"

#include <stdlib.h>
#include <string.h>

/* How a kind of notice is said, WHO and REASON being what comes with it. */
typedef enum {
    SAY_WHAT,   /* WHO WHAT (REASON) */
    SAY_REASON, /* REASON (by WHO) */
    SAY_ALONE,  /* REASON */
    SAY_ALARM,  /* REASON, as a banner */
} notice_form_t;

static const struct {
    const char *kind;
    const char *what;
    notice_form_t form;
} notices[] = {
    {"joined", "joined", SAY_WHAT},
    {"left", "left", SAY_WHAT},
    {"rekeyed", "new key", SAY_REASON},
    {"renewed", "keys were renewed", SAY_ALONE},
    {"gap", "messages are missing", SAY_ALARM},
    {"undecryptable", "sent something that can't be opened", SAY_WHAT},
    {"key-changed", "somebody has another key than before", SAY_ALARM},
    {"fork", "two histories of this group exist", SAY_ALARM},
    {"held", "messages wait for a new key", SAY_ALONE},
    {"refused", "a text was not sent", SAY_ALARM},
    {"out-of-step", "this device's keys are out of step with the group", SAY_ALARM},
    {"restored", "the broker was restored from a backup", SAY_ALARM},
    {"broker", "the broker contradicts itself", SAY_ALARM},
};

/* A reason often begins with what happened: that is said once. NULL if nothing is left. */
static const char *without(const char *reason, const char *what)
{
    size_t size = strlen(what);
    if (strncmp(reason, what, size) == 0 && (!reason[size] || strchr(" ;,", reason[size])))
        reason += size + strspn(reason + size, " ;,");
    return *reason ? reason : NULL;
}

/* The first who joins a group made it: that is said in place of joining. */
static bool says_founding(const char *reason)
{
    return strcmp(reason, "opened the group") == 0;
}

static char *say(const format_t *format, notice_form_t form, const char *what, const char *reason,
                 format_notice_t notice)
{
    const char *sentence = *reason ? reason : what;
    text_buffer_t by = {0};
    notice.what = sentence;
    notice.detail = NULL;
    switch (form) {
    case SAY_ALARM:
        return format_banner(format, sentence);
    case SAY_WHAT:
        notice.what = says_founding(reason) ? reason : what;
        notice.detail = without(reason, notice.what);
        break;
    case SAY_REASON:
        if (notice.who) {
            text_buffer_add_format(&by, "by %s", notice.who);
            notice.detail = by.bytes;
        }
        notice.who = NULL;
        break;
    case SAY_ALONE:
        notice.who = NULL;
        break;
    }
    char *text = format_notice(format, &notice);
    text_buffer_wipe(&by);
    return text;
}

static char *notice_text(const format_t *format, const local_line_record_t *line, bool with_group)
{
    char *kind = text_new(line->notice.data, line->notice.size);
    char *reason = text_new(line->reason.data, line->reason.size);
    const char *what = kind;
    notice_form_t form = SAY_WHAT;
    for (size_t i = 0; i < sizeof notices / sizeof notices[0]; i++)
        if (strcmp(kind, notices[i].kind) == 0) {
            what = notices[i].what;
            form = notices[i].form;
        }
    format_notice_t notice = {.time_ms = line->time_ms,
                              .group = with_group ? line->group_name.text : NULL,
                              .who = line->who.text[0] ? line->who.text : NULL};
    char *text = say(format, form, what, reason, notice);
    free(kind);
    free(reason);
    return text;
}

char *line_view_text(const format_t *format, const local_line_record_t *line, bool with_group)
{
    if (line->kind != LINE_MESSAGE)
        return notice_text(format, line, with_group);
    format_message_t message = {.time_ms = line->time_ms,
                                .group = with_group ? line->group_name.text : NULL,
                                .sender = line->sender.text,
                                .text = line->text.data ? line->text.data : "",
                                .text_size = line->text.size,
                                .own = line->mine != 0};
    return format_message(format, &message);
}

static void add_bytes(json_t *json, const char *key, text_t text)
{
    json_add_bytes(json, key, text.data ? text.data : "", text.size);
}

char *line_view_json(const local_line_record_t *line)
{
    json_t json;
    bool is_message = line->kind == LINE_MESSAGE;
    json_init(&json);
    json_add_text(&json, "type", is_message ? "message" : "notice");
    json_add_text(&json, "group", line->group_name.text);
    json_add_number(&json, "epoch", line->epoch);
    json_add_number(&json, "seq", line->sequence);
    if (is_message) {
        json_add_text(&json, "sender", line->sender.text);
        json_add_number(&json, "generation", line->generation);
        json_add_number(&json, "number", line->number);
        json_add_number(&json, "time", line->time_ms);
        json_add_number(&json, "sent_time", line->sent_time_ms);
        add_bytes(&json, "text", line->text);
        if (line->traceparent.size)
            add_bytes(&json, "traceparent", line->traceparent);
    } else {
        add_bytes(&json, "kind", line->notice);
        json_add_text(&json, "who", line->who.text);
        add_bytes(&json, "reason", line->reason);
        json_add_number(&json, "time", line->time_ms);
    }
    return json_take(&json);
}

status_t line_view_print(invocation_t *self, const local_line_record_t *line, bool with_group)
{
    char *text = self->globals.json ? line_view_json(line)
                                    : line_view_text(&self->out_format, line, with_group);
    bool is_written = fputs(text, self->out) >= 0 && fputc('\n', self->out) != EOF;
    free(text);
    return fflush(self->out) == 0 && is_written ? STATUS_OK : STATUS_IO_ERROR;
}
