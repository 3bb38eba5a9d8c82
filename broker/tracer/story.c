/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/tracer/story.h"

#include "broker/trace/names.h"
#include "broker/tracer/step_text.h"
#include "proto/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void story_begin(story_t *self, const name_t *group, uint64_t sequence)
{
    *self = (story_t){.group = *group, .sequence = sequence};
}

void story_free(story_t *self)
{
    free(self->readers);
    *self = (story_t){0};
}

static story_reader_t *reader_named(story_t *self, const name_t *name)
{
    for (size_t i = 0; i < self->reader_count; i++)
        if (name_equal(&self->readers[i].name, name))
            return &self->readers[i];
    if (self->reader_count == self->reader_capacity) {
        self->reader_capacity = self->reader_capacity ? self->reader_capacity * 2 : 16;
        self->readers = mem_realloc(self->readers, self->reader_capacity, sizeof *self->readers);
    }
    story_reader_t *added = &self->readers[self->reader_count++];
    *added = (story_reader_t){.name = *name};
    return added;
}

void story_add_facts(story_t *self, const explain_reply_t *facts)
{
    self->has_facts = true;
    self->facts = *facts;
    for (size_t i = 0; i < facts->readers.count; i++) {
        const reader_record_t *listed = &facts->readers.items[i];
        story_reader_t *reader = reader_named(self, &listed->name);
        reader->is_listed = true;
        reader->is_online = listed->online != 0;
        reader->cursor = listed->cursor;
        reader->left_with = listed->until;
    }
    self->facts.readers.items = NULL;
    self->facts.readers.count = 0;
}

static void note_first(uint64_t *when, uint64_t time_us)
{
    if (*when == 0)
        *when = time_us;
}

static bool concerns(const story_t *self, const trace_record_t *step)
{
    return name_equal(&step->group, &self->group) && step->sequence <= self->sequence &&
           self->sequence <= step->last_sequence;
}

static void add_delivery(story_t *self, const trace_record_t *step)
{
    story_reader_t *reader = reader_named(self, &step->user);
    if (step->step == TRACE_PUSHED)
        note_first(&reader->pushed_us, step->time_us);
    if (step->step == TRACE_FETCHED)
        note_first(&reader->fetched_us, step->time_us);
    if (step->step == TRACE_PUSH_DROPPED) {
        note_first(&reader->dropped_us, step->time_us);
        reader->reason = step->reason;
    }
}

static void add_cursor(story_t *self, const trace_record_t *step)
{
    if (!name_equal(&step->group, &self->group) || step->sequence < self->sequence)
        return;
    story_reader_t *reader = reader_named(self, &step->user);
    note_first(&reader->acknowledged_us, step->time_us);
    if (step->sequence > reader->cursor)
        reader->cursor = step->sequence;
}

void story_add_step(story_t *self, const trace_record_t *step)
{
    switch (step->step) {
    case TRACE_RECEIVED:
        if (name_equal(&step->group, &self->group))
            self->last_received = *step;
        break;
    case TRACE_APPENDED:
        if (!concerns(self, step))
            break;
        self->appended = *step;
        if (memcmp(self->last_received.span_id, step->span_id, SPAN_ID_BYTES) == 0)
            self->received = self->last_received;
        break;
    case TRACE_STORED:
        if (self->appended.turn == step->turn && self->appended.time_us && !self->stored.time_us)
            self->stored = *step;
        break;
    case TRACE_FANNED_OUT:
        if (concerns(self, step))
            self->fanned_out = *step;
        break;
    case TRACE_PUSHED:
    case TRACE_PUSH_DROPPED:
    case TRACE_FETCHED:
        if (concerns(self, step))
            add_delivery(self, step);
        break;
    case TRACE_CURSOR_MOVED:
        add_cursor(self, step);
        break;
    default:
        break;
    }
}

bool story_is_known(const story_t *self)
{
    return self->has_facts || self->appended.time_us != 0 || self->reader_count > 0;
}

/* --- For people ------------------------------------------------------------------------------ */

static const char *kind_text(const story_t *self)
{
    if (self->has_facts)
        return self->facts.kind == EVENT_MESSAGE  ? "a message"
               : self->facts.kind == EVENT_COMMIT ? "a commit"
               : self->facts.kind == EVENT_LEAVE  ? "a leave"
                                                  : "an event";
    return self->appended.verb == VERB_send ? "a message" : "an event";
}

static const char *sender_text(const story_t *self)
{
    const char *sender = self->has_facts ? self->facts.sender.text : self->appended.user.text;
    return sender[0] ? sender : "somebody";
}

/* When the story begins: what times are told from. */
static uint64_t beginning(const story_t *self)
{
    return self->received.time_us ? self->received.time_us : self->appended.time_us;
}

static void print_since(FILE *out, const style_t *style, uint64_t from_us, uint64_t to_us)
{
    if (from_us == 0 || to_us < from_us)
        fprintf(out, "at %s", text_of_time(to_us));
    else
        fprintf(out, "+%s", text_of_us(style, to_us - from_us));
}

/* Not all events have one. */
static void put_epoch(FILE *out, const char *before, uint64_t epoch)
{
    if (epoch != 0)
        fprintf(out, "%s%" PRIu64, before, epoch);
}

static void print_head(const story_t *self, FILE *out, const style_t *style)
{
    fprintf(out, "%s%s #%" PRIu64 "%s: %s of %s%s%s", style_ink(style, INK_BOLD), self->group.text,
            self->sequence, style_ink(style, INK_PLAIN), kind_text(self),
            style_ink(style, INK_USER), sender_text(self), style_ink(style, INK_PLAIN));
    if (self->has_facts) {
        fprintf(out, ", %s sealed", text_of_bytes(self->facts.size_bytes));
        put_epoch(out, ", epoch ", self->facts.epoch);
        fprintf(out, ", %s in the log's time", text_of_time(self->facts.time_ms * 1000));
    }
    fputc('\n', out);
}

static void print_way(const story_t *self, FILE *out, const style_t *style)
{
    const uint64_t from = beginning(self);
    if (from == 0) {
        fputs("  The broker remembers no step of it (conclaved --trace-history); this is what its "
              "store says.\n",
              out);
        return;
    }
    if (self->received.time_us)
        fprintf(out, "  %s received, %s of %s\n", text_of_time(self->received.time_us),
                text_of_verb(self->received.verb), text_of_bytes(self->received.size_bytes));
    fprintf(out, "  %s accepted as #%" PRIu64, text_of_time(self->appended.time_us),
            self->sequence);
    put_epoch(out, " of epoch ", self->appended.epoch);
    fputs(", ", out);
    print_since(out, style, from, self->appended.time_us);
    fputc('\n', out);
    if (self->stored.time_us) {
        fprintf(out, "  %s stored in a batch of %" PRIu64 " records and %s, synced in %s, ",
                text_of_time(self->stored.time_us), self->stored.count,
                text_of_bytes(self->stored.size_bytes),
                text_of_us(style, self->stored.duration_us));
        print_since(out, style, from, self->stored.time_us);
        fputc('\n', out);
    }
    if (self->fanned_out.time_us) {
        fprintf(out, "  %s pushed to %" PRIu64 " %s, ", text_of_time(self->fanned_out.time_us),
                self->fanned_out.count, self->fanned_out.count == 1 ? "member" : "members");
        print_since(out, style, from, self->fanned_out.time_us);
        fputc('\n', out);
    }
}

static bool has_it(const story_t *self, const story_reader_t *reader)
{
    return reader->acknowledged_us != 0 || reader->cursor >= self->sequence;
}

static bool has_all_facts(const story_t *self)
{
    return self->has_facts && !self->facts.more;
}

static bool has_left(const story_t *self, const story_reader_t *reader)
{
    return reader->left_with != 0 || (has_all_facts(self) && !reader->is_listed);
}

/* Who was a member then and is one now. */
static bool is_reader(const story_reader_t *reader)
{
    return reader->is_listed && reader->left_with == 0;
}

static bool is_waited_for(const story_t *self, const story_reader_t *reader)
{
    return is_reader(reader) && !has_it(self, reader);
}

/* Who only has a cursor behind the message may have come after it: the facts know. */
static bool is_shown(const story_t *self, const story_reader_t *reader)
{
    return !has_all_facts(self) || reader->is_listed || reader->pushed_us || reader->dropped_us ||
           reader->fetched_us;
}

static void print_waiting(const story_reader_t *reader, FILE *out, const style_t *style)
{
    fprintf(out, "%s %s, has all up to #%" PRIu64 "%s", style_ink(style, INK_BAD),
            reader->is_online ? "not acknowledged yet" : "offline", reader->cursor,
            style_ink(style, INK_PLAIN));
}

static void print_reader(const story_t *self, const story_reader_t *reader, FILE *out,
                         const style_t *style)
{
    const uint64_t from = beginning(self);
    const bool is_waiting = is_waited_for(self, reader);
    fprintf(out, "    %s%-12s%s", style_ink(style, INK_USER), reader->name.text,
            style_ink(style, INK_PLAIN));
    if (reader->dropped_us)
        fprintf(out, " not delivered: %s;%s", trace_reason_name(reader->reason),
                is_waiting && !reader->fetched_us ? " will fetch by poll;" : "");
    if (reader->pushed_us) {
        fputs(" pushed ", out);
        print_since(out, style, from, reader->pushed_us);
    }
    if (reader->fetched_us) {
        fputs(" fetched ", out);
        print_since(out, style, from, reader->fetched_us);
    }
    if (reader->acknowledged_us) {
        fputs(" acknowledged ", out);
        print_since(out, style, from, reader->acknowledged_us);
    } else if (has_it(self, reader)) {
        fputs(" acknowledged", out);
    } else if (is_waiting) {
        print_waiting(reader, out, style);
    }
    if (reader->left_with)
        fprintf(out, " left with #%" PRIu64, reader->left_with);
    else if (has_left(self, reader))
        fputs(" left", out);
    fputc('\n', out);
}

void story_print(const story_t *self, FILE *out, const style_t *style)
{
    size_t waiting = 0, readers = 0;
    print_head(self, out, style);
    print_way(self, out, style);
    for (size_t i = 0; i < self->reader_count; i++) {
        if (is_shown(self, &self->readers[i]))
            print_reader(self, &self->readers[i], out, style);
        readers += is_reader(&self->readers[i]);
        waiting += is_waited_for(self, &self->readers[i]);
    }
    if (!self->has_facts)
        return;
    if (self->facts.more)
        fprintf(out, "    and more than these %d\n", EXPLAINED_READERS_MAX);
    if (waiting > 0)
        fprintf(out, "  Still waiting for %zu of %zu readers.\n", waiting, readers);
    else
        fprintf(out, "  All %zu readers have it.\n", readers);
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void put_step(json_t *out, const char *key, const trace_record_t *step)
{
    if (step->time_us == 0)
        return;
    json_key(out, key);
    step_write_json(step, out);
}

static void put_reader(const story_t *self, const story_reader_t *reader, json_t *out)
{
    json_object(out);
    json_put_text(out, "name", reader->name.text);
    if (reader->is_listed)
        json_put_bool(out, "online", reader->is_online);
    if (self->has_facts)
        json_put_bool(out, "left", has_left(self, reader));
    json_put_nonzero(out, "left_with", reader->left_with);
    json_put_bool(out, "has_it", has_it(self, reader));
    json_put_nonzero(out, "cursor", reader->cursor);
    json_put_nonzero(out, "pushed_us", reader->pushed_us);
    json_put_nonzero(out, "dropped_us", reader->dropped_us);
    if (reader->dropped_us)
        json_put_text(out, "reason", trace_reason_name(reader->reason));
    json_put_nonzero(out, "fetched_us", reader->fetched_us);
    json_put_nonzero(out, "acknowledged_us", reader->acknowledged_us);
    json_end(out);
}

static void put_facts(const explain_reply_t *facts, json_t *out)
{
    static const char *const kinds[] = {"", "message", "commit", "leave"};
    json_put_text(out, "kind", facts->kind <= EVENT_LEAVE ? kinds[facts->kind] : "");
    json_put_number(out, "time_ms", facts->time_ms);
    json_put_nonzero(out, "size_bytes", facts->size_bytes);
    json_put_nonzero(out, "epoch", facts->epoch);
    json_put_nonzero(out, "head", facts->head);
}

void story_write_json(const story_t *self, json_t *out)
{
    json_object(out);
    json_put_text(out, "group", self->group.text);
    json_put_number(out, "sequence", self->sequence);
    json_put_text(out, "sender", sender_text(self));
    if (self->has_facts)
        put_facts(&self->facts, out);
    put_step(out, "received", &self->received);
    put_step(out, "appended", &self->appended);
    put_step(out, "stored", &self->stored);
    put_step(out, "fanned_out", &self->fanned_out);
    json_key(out, "readers");
    json_array(out);
    for (size_t i = 0; i < self->reader_count; i++)
        if (is_shown(self, &self->readers[i]))
            put_reader(self, &self->readers[i], out);
    json_end(out);
    json_end(out);
}
