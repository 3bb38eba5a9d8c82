/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/step_text.h"

#include "broker/trace/names.h"

#include <inttypes.h>
#include <sodium.h>
#include <time.h>

enum { TEXT_BYTES = 32, TEXTS = 4 };

static char *next_text(void)
{
    static char texts[TEXTS][TEXT_BYTES];
    static unsigned next;
    return texts[next++ % TEXTS];
}

const char *text_of_bytes(uint64_t bytes)
{
    char *text = next_text();
    if (bytes < 1000)
        snprintf(text, TEXT_BYTES, "%" PRIu64 " B", bytes);
    else if (bytes < 1000000)
        snprintf(text, TEXT_BYTES, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(text, TEXT_BYTES, "%.1f MB", (double)bytes / 1e6);
    return text;
}

const char *text_of_us(const style_t *style, uint64_t us)
{
    char *text = next_text();
    if (us < 1000)
        snprintf(text, TEXT_BYTES, "%" PRIu64 " %s", us, style->is_unicode ? "µs" : "us");
    else if (us < 1000000)
        snprintf(text, TEXT_BYTES, "%.1f ms", (double)us / 1e3);
    else
        snprintf(text, TEXT_BYTES, "%.1f s", (double)us / 1e6);
    return text;
}

const char *text_of_verb(uint64_t verb)
{
    const char *name = verb_name(verb);
    return name ? name : "request";
}

const char *text_of_time(uint64_t time_us)
{
    static char text[TEXT_BYTES];
    static time_t last;
    static size_t size; /* of the last second's text, which is there already */
    const time_t seconds = (time_t)(time_us / 1000000);
    struct tm local;
    if (seconds != last || size == 0)
        size = localtime_r(&seconds, &local) ? strftime(text, sizeof text, "%H:%M:%S", &local) : 0;
    last = seconds;
    snprintf(text + size, sizeof text - size, ".%06u", (unsigned)(time_us % 1000000));
    return text;
}

/* --- A line ---------------------------------------------------------------------------------- */

/* Widths so that arrows stand below each other for names as people have them. */
enum { USER_WIDTH = 10, GROUP_WIDTH = 10 };

typedef struct {
    FILE *out;
    const style_t *style;
    const trace_record_t *step;
} line_t;

static void put_name(const line_t *self, const name_t *name, const char *absent, ink_t ink,
                     int width)
{
    bool is_known = name->text[0] != '\0';
    fprintf(self->out, "%s%*s%s", style_ink(self->style, is_known ? ink : INK_FAINT), width,
            is_known ? name->text : absent, style_ink(self->style, INK_PLAIN));
}

static void put_user(const line_t *self, int width)
{
    put_name(self, &self->step->user, "somebody", INK_USER, width);
}

static void put_group(const line_t *self, int width)
{
    put_name(self, &self->step->group, "broker", INK_GROUP, width);
}

static void put_arrow(const line_t *self)
{
    fprintf(self->out, " %s ", style_arrow(self->style));
}

static void put_ink(const line_t *self, ink_t ink, const char *text)
{
    fprintf(self->out, "%s%s%s", style_ink(self->style, ink), text,
            style_ink(self->style, INK_PLAIN));
}

/* "#17", "#17-#20". */
static void put_sequence(const line_t *self)
{
    const trace_record_t *step = self->step;
    if (step->sequence == 0)
        return;
    fprintf(self->out, " #%" PRIu64, step->sequence);
    if (step->last_sequence > step->sequence)
        fprintf(self->out, "-#%" PRIu64, step->last_sequence);
}

static void put_from_user_to_group(const line_t *self)
{
    put_user(self, USER_WIDTH);
    put_arrow(self);
    put_group(self, -GROUP_WIDTH);
    fputc(' ', self->out);
}

static void put_from_group_to_user(const line_t *self)
{
    put_group(self, USER_WIDTH);
    put_arrow(self);
    put_user(self, -GROUP_WIDTH);
    fputc(' ', self->out);
}

static void put_request(const line_t *self, ink_t ink, const char *outcome)
{
    put_from_user_to_group(self);
    fprintf(self->out, "%-14s ", text_of_verb(self->step->verb));
    put_ink(self, ink, outcome);
}

static void put_store(const line_t *self, bool is_stored)
{
    const trace_record_t *step = self->step;
    fprintf(self->out, "%s%*s%s   ", style_ink(self->style, INK_STORE), USER_WIDTH, "store",
            style_ink(self->style, INK_PLAIN));
    fprintf(self->out, "%-*s ", GROUP_WIDTH, "");
    put_ink(self, is_stored ? INK_GOOD : INK_BAD,
            is_stored ? "stored" : status_name(status_from_code(step->status)));
    fprintf(self->out, " %" PRIu64 " %s, %s in %s", step->count,
            step->count == 1 ? "record" : "records", text_of_bytes(step->size_bytes),
            text_of_us(self->style, step->duration_us));
}

static const char *purpose_name(uint64_t purpose)
{
    return purpose == PURPOSE_EVENTS ? " (events)" : purpose == PURPOSE_DUTIES ? " (duties)" : "";
}

static void put_session(const line_t *self, bool is_opened)
{
    put_user(self, USER_WIDTH);
    fprintf(self->out, " %s %-*s ", style_dot(self->style), GROUP_WIDTH, "");
    put_ink(self, is_opened ? INK_GOOD : INK_FAINT, is_opened ? "session opened" : "session ended");
    fputs(purpose_name(self->step->purpose), self->out);
    if (!is_opened)
        fprintf(self->out, ": %s", status_text(status_from_code(self->step->status)));
}

static void put_dropped(const line_t *self)
{
    put_group(self, USER_WIDTH);
    fprintf(self->out, " %s%s%s ", style_ink(self->style, INK_BAD), style_cross(self->style),
            style_ink(self->style, INK_PLAIN));
    put_user(self, -GROUP_WIDTH);
    fputc(' ', self->out);
    if (self->step->verb != VERB_none) /* of no events */
        fprintf(self->out, "%s ", text_of_verb(self->step->verb));
    put_ink(self, INK_BAD, "not pushed:");
    fprintf(self->out, " %s", trace_reason_name(self->step->reason));
    put_sequence(self);
}

static void put_step(const line_t *self)
{
    const trace_record_t *step = self->step;
    switch (step->step) {
    case TRACE_RECEIVED:
        put_request(self, INK_FAINT, "received");
        fprintf(self->out, " %s", text_of_bytes(step->size_bytes));
        break;
    case TRACE_ACCEPTED:
        put_request(self, INK_GOOD, "accepted");
        break;
    case TRACE_REFUSED:
        put_request(self, INK_BAD, "refused");
        fprintf(self->out, ": %s", status_text(status_from_code(step->status)));
        break;
    case TRACE_APPENDED:
        put_request(self, INK_BOLD, "appended");
        put_sequence(self);
        if (step->epoch != 0)
            fprintf(self->out, " epoch %" PRIu64, step->epoch);
        break;
    case TRACE_STORED:
    case TRACE_STORE_FAILED:
        put_store(self, step->step == TRACE_STORED);
        break;
    case TRACE_FANNED_OUT:
        put_group(self, USER_WIDTH);
        put_arrow(self);
        fprintf(self->out, "%" PRIu64 " %s", step->count, step->count == 1 ? "member" : "members");
        put_sequence(self);
        break;
    case TRACE_PUSHED:
        put_from_group_to_user(self);
        put_ink(self, INK_GOOD, "pushed");
        put_sequence(self);
        break;
    case TRACE_PUSH_DROPPED:
        put_dropped(self);
        break;
    case TRACE_FETCHED:
        put_from_group_to_user(self);
        put_ink(self, INK_GOOD, "fetched");
        put_sequence(self);
        break;
    case TRACE_CURSOR_MOVED:
        put_from_group_to_user(self);
        put_ink(self, INK_FAINT, step->sequence == 0 ? "has nothing yet" : "has all up to");
        put_sequence(self);
        break;
    case TRACE_SESSION_OPENED:
    case TRACE_SESSION_ENDED:
        put_session(self, step->step == TRACE_SESSION_OPENED);
        break;
    case TRACE_HANDSHAKE_FAILED:
        put_user(self, USER_WIDTH);
        fprintf(self->out, " %s ", style_cross(self->style));
        put_ink(self, INK_BAD, "handshake failed:");
        fprintf(self->out, " %s", trace_reason_name(step->reason));
        break;
    default:
        fputs("a step that this version doesn't know", self->out);
    }
}

void step_print(FILE *out, const style_t *style, const trace_record_t *step)
{
    const line_t line = {.out = out, .style = style, .step = step};
    fprintf(out, "%s%s%s ", style_ink(style, INK_FAINT), text_of_time(step->time_us),
            style_ink(style, INK_PLAIN));
    put_step(&line);
    fputc('\n', out);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_id(json_t *out, const char *key, const uint8_t *id, size_t size)
{
    if (!sodium_is_zero(id, size))
        json_put_hex(out, key, (bytes_t){id, size});
}

void step_write_json(const trace_record_t *step, json_t *out)
{
    json_object(out);
    json_put_number(out, "time_us", step->time_us);
    json_put_text(out, "step", trace_step_name(step->step));
    json_put_nonzero(out, "turn", step->turn);
    json_put_nonzero(out, "request", step->request);
    if (step->verb != VERB_none)
        json_put_text(out, "verb", text_of_verb(step->verb));
    if (step->status != STATUS_OK)
        json_put_text(out, "status", status_name(status_from_code(step->status)));
    json_put_nonempty(out, "reason", trace_reason_name(step->reason));
    json_put_nonempty(out, "purpose",
                      step->purpose == PURPOSE_EVENTS   ? "events"
                      : step->purpose == PURPOSE_DUTIES ? "duties"
                                                        : "");
    json_put_nonempty(out, "user", step->user.text);
    json_put_nonempty(out, "group", step->group.text);
    json_put_nonzero(out, "epoch", step->epoch);
    json_put_nonzero(out, "sequence", step->sequence);
    json_put_nonzero(out, "last_sequence", step->last_sequence);
    json_put_nonzero(out, "size_bytes", step->size_bytes);
    json_put_nonzero(out, "count", step->count);
    json_put_nonzero(out, "duration_us", step->duration_us);
    put_id(out, "trace_id", step->trace_id, TRACE_ID_BYTES);
    put_id(out, "span_id", step->span_id, SPAN_ID_BYTES);
    put_id(out, "parent_id", step->parent_id, SPAN_ID_BYTES);
    json_end(out);
}
