/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Times are in microseconds since the first step, for a number with a fraction holds nanoseconds
 * only while it is small. On one track slices follow each other or nest, as the format asks: a
 * slice that would begin before the end of the last one begins there.
 */
#include "broker/tracer/perfetto.h"

#include "broker/trace/names.h"
#include "broker/tracer/message_map.h"
#include "broker/tracer/step_text.h"
#include "broker/tracer/turn.h"
#include "proto/memory.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MESSAGES_KNOWN = 65536,
    TRACKS_KNOWN = 8192, /* of each kind; who comes back after more got a track has a second one */
    ARROWS_MAX = 64,     /* to one delivery */
    SHORTEST_NS = 200
};

typedef enum { KIND_BROKER = 1, KIND_GROUPS, KIND_USERS } kind_t; /* pids */
enum { TRACK_STORE = 10, TRACK_CONNECTIONS = 11 };                /* tids */

typedef struct {
    kind_t kind;
    uint32_t id;
    uint64_t end_ns; /* of its last slice */
} track_t;

/* Where a message's arrows start: its slice on the group's track. */
typedef struct {
    uint32_t track;
    uint64_t at_ns;
} place_t;

/* The last one that was received. */
typedef struct {
    name_t user;
    uint64_t verb;
    uint64_t at_ns;
} request_t;

struct perfetto {
    FILE *out;
    bool is_seekable;
    bool has_events;
    bool has_first;
    uint64_t first_us;
    uint64_t last_ns; /* of the last step */
    uint32_t next_track;
    uint64_t next_flow;
    track_t store;
    track_t connections;
    message_map_t *groups; /* track_t, at sequence 0 */
    message_map_t *users;
    message_map_t *messages; /* place_t */
    turn_t turn;
    request_t request;
};

static const char ending[] = "\n]}\n";

/* --- Events ---------------------------------------------------------------------------------- */

static void begin_event(perfetto_t *self, const char *phase, kind_t kind, uint32_t track)
{
    fprintf(self->out, "%s{\"ph\":\"%s\",\"pid\":%d,\"tid\":%" PRIu32,
            self->has_events ? ",\n" : "", phase, (int)kind, track);
    self->has_events = true;
}

static void put_time(perfetto_t *self, const char *key, uint64_t ns)
{
    fprintf(self->out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static void put_metadata(perfetto_t *self, const char *what, kind_t kind, uint32_t track,
                         const char *name, uint32_t order)
{
    begin_event(self, "M", kind, track);
    fprintf(self->out, ",\"name\":\"%s_name\",\"args\":{\"name\":\"%s\"}}", what, name);
    begin_event(self, "M", kind, track);
    fprintf(self->out, ",\"name\":\"%s_sort_index\",\"args\":{\"sort_index\":%" PRIu32 "}}", what,
            order);
}

/* The arguments that a step has. Names hold nothing that JSON would have escaped (proto/name.h). */
static void put_arguments(perfetto_t *self, const trace_record_t *step)
{
    FILE *out = self->out;
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {{"epoch", step->epoch},           {"sequence", step->sequence},
                   {"size_bytes", step->size_bytes}, {"count", step->count},
                   {"request", step->request},       {"last_sequence", step->last_sequence}};
    fprintf(out, ",\"args\":{\"turn\":%" PRIu64, step->turn);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value != 0)
            fprintf(out, ",\"%s\":%" PRIu64, numbers[i].key, numbers[i].value);
    if (step->user.text[0])
        fprintf(out, ",\"user\":\"%s\"", step->user.text);
    if (step->group.text[0])
        fprintf(out, ",\"group\":\"%s\"", step->group.text);
    if (step->step == TRACE_PUSH_DROPPED && step->verb != VERB_none) /* of no events */
        fprintf(out, ",\"push\":\"%s\"", text_of_verb(step->verb));
    if (step->reason != TRACE_REASON_NONE)
        fprintf(out, ",\"reason\":\"%s\"", trace_reason_name(step->reason));
    if (step->step == TRACE_ACCEPTED || step->status != STATUS_OK)
        fprintf(out, ",\"status\":\"%s\"", status_name(status_from_code(step->status)));
    fputs("}}", out);
}

/* --- Tracks ---------------------------------------------------------------------------------- */

static track_t *track_of(perfetto_t *self, kind_t kind, const name_t *name)
{
    track_t *track = message_map_put(kind == KIND_USERS ? self->users : self->groups, name, 0);
    if (track->id == 0) {
        *track = (track_t){.kind = kind, .id = self->next_track++};
        put_metadata(self, "thread", kind, track->id, name->text[0] ? name->text : "somebody",
                     track->id);
    }
    return track;
}

static uint64_t time_of(perfetto_t *self, uint64_t time_us)
{
    if (!self->has_first)
        self->first_us = time_us;
    self->has_first = true;
    self->last_ns = time_us > self->first_us ? (time_us - self->first_us) * 1000 : 0;
    return self->last_ns;
}

static uint64_t not_before(uint64_t ns, uint64_t earliest_ns)
{
    return ns > earliest_ns ? ns : earliest_ns;
}

/* From start to end, if that is free. Returns where it begins. */
static uint64_t put_slice(perfetto_t *self, track_t *track, const char *name, uint64_t start_ns,
                          uint64_t end_ns, const trace_record_t *step)
{
    start_ns = not_before(start_ns, track->end_ns);
    track->end_ns = not_before(end_ns, start_ns + SHORTEST_NS);
    begin_event(self, "X", track->kind, track->id);
    put_time(self, "ts", start_ns);
    put_time(self, "dur", track->end_ns - start_ns);
    fprintf(self->out, ",\"cat\":\"%s\",\"name\":\"%s\"", trace_step_name(step->step), name);
    put_arguments(self, step);
    return start_ns;
}

static void put_instant(perfetto_t *self, track_t *track, const trace_record_t *step)
{
    track->end_ns = not_before(time_of(self, step->time_us), track->end_ns);
    begin_event(self, "i", track->kind, track->id);
    put_time(self, "ts", track->end_ns);
    fprintf(self->out, ",\"s\":\"t\",\"cat\":\"%s\",\"name\":\"%s\"", trace_step_name(step->step),
            trace_step_name(step->step));
    put_arguments(self, step);
}

static void put_arrow_end(perfetto_t *self, const char *phase, kind_t kind, uint32_t track,
                          uint64_t at_ns)
{
    begin_event(self, phase, kind, track);
    put_time(self, "ts", at_ns);
    fprintf(self->out, ",\"id\":%" PRIu64 ",\"cat\":\"message\",\"name\":\"message\"%s}",
            self->next_flow, phase[0] == 'f' ? ",\"bp\":\"e\"" : "");
}

/* Between slices that begin at these times. */
static void put_arrow(perfetto_t *self, kind_t from, uint32_t from_track, uint64_t from_ns,
                      const track_t *to, uint64_t to_ns)
{
    put_arrow_end(self, "s", from, from_track, from_ns);
    put_arrow_end(self, "f", to->kind, to->id, to_ns);
    self->next_flow++;
}

/* --- Steps ----------------------------------------------------------------------------------- */

static void end_request(perfetto_t *self, uint64_t at_ns, const trace_record_t *answer)
{
    track_t *track = track_of(self, KIND_USERS, &self->request.user);
    track->end_ns = not_before(at_ns, track->end_ns + SHORTEST_NS);
    begin_event(self, "E", track->kind, track->id);
    put_time(self, "ts", track->end_ns);
    fprintf(self->out, ",\"cat\":\"request\",\"name\":\"%s\"", text_of_verb(self->request.verb));
    if (answer)
        put_arguments(self, answer);
    else
        fputc('}', self->out);
}

static void take_received(perfetto_t *self, const trace_record_t *step)
{
    track_t *track = track_of(self, KIND_USERS, &step->user);
    track->end_ns = not_before(time_of(self, step->time_us), track->end_ns);
    self->request = (request_t){.user = step->user, .verb = step->verb, .at_ns = track->end_ns};
    begin_event(self, "B", track->kind, track->id);
    put_time(self, "ts", track->end_ns);
    fprintf(self->out, ",\"cat\":\"request\",\"name\":\"%s\"", text_of_verb(step->verb));
    put_arguments(self, step);
}

static void take_appended(perfetto_t *self, const trace_record_t *step, bool has_request)
{
    char name[64];
    const track_t *sender = track_of(self, KIND_USERS, &step->user);
    track_t *track = track_of(self, KIND_GROUPS, &step->group);
    uint64_t at_ns = time_of(self, step->time_us);
    snprintf(name, sizeof name, "%s #%" PRIu64, text_of_verb(step->verb), step->sequence);
    at_ns = put_slice(self, track, name, at_ns, at_ns, step);
    place_t *place = message_map_put(self->messages, &step->group, step->sequence);
    *place = (place_t){.track = track->id, .at_ns = at_ns};
    if (has_request)
        put_arrow(self, KIND_USERS, sender->id, self->request.at_ns, track, at_ns);
}

static void take_delivered(perfetto_t *self, const trace_record_t *step)
{
    char name[64];
    track_t *track = track_of(self, KIND_USERS, &step->user);
    uint64_t at_ns = time_of(self, step->time_us);
    uint64_t first = step->sequence;
    if (first == step->last_sequence)
        snprintf(name, sizeof name, "%s #%" PRIu64, trace_step_name(step->step), first);
    else
        snprintf(name, sizeof name, "%s #%" PRIu64 "-#%" PRIu64, trace_step_name(step->step), first,
                 step->last_sequence);
    at_ns = put_slice(self, track, name, at_ns, at_ns, step);
    if (step->last_sequence - first >= ARROWS_MAX)
        first = step->last_sequence - ARROWS_MAX + 1;
    for (uint64_t at = first; at != 0 && at <= step->last_sequence; at++) {
        const place_t *place = message_map_get(self->messages, &step->group, at);
        if (place)
            put_arrow(self, KIND_GROUPS, place->track, place->at_ns, track, at_ns);
    }
}

static void take_written(perfetto_t *self, const trace_record_t *step)
{
    uint64_t end_ns = time_of(self, step->time_us);
    uint64_t took_ns = step->duration_us < end_ns / 1000 ? step->duration_us * 1000 : end_ns;
    put_slice(self, &self->store, step->step == TRACE_STORED ? "write" : "write failed",
              end_ns - took_ns, end_ns, step);
}

static void take_fanned_out(perfetto_t *self, const trace_record_t *step)
{
    uint64_t at_ns = time_of(self, step->time_us);
    put_slice(self, track_of(self, KIND_GROUPS, &step->group), "fan-out", at_ns, at_ns, step);
}

static void take_step(perfetto_t *self, const trace_record_t *step)
{
    if (step->step == TRACE_RECEIVED && turn_is_waiting(&self->turn)) /* the answer was lost */
        end_request(self, 0, NULL);
    const bool has_request = turn_take(&self->turn, step);
    switch (step->step) {
    case TRACE_RECEIVED:
        take_received(self, step);
        break;
    case TRACE_ACCEPTED:
    case TRACE_REFUSED:
        if (has_request)
            end_request(self, time_of(self, step->time_us), step);
        break;
    case TRACE_APPENDED:
        take_appended(self, step, has_request);
        break;
    case TRACE_STORED:
    case TRACE_STORE_FAILED:
        take_written(self, step);
        break;
    case TRACE_FANNED_OUT:
        take_fanned_out(self, step);
        break;
    case TRACE_PUSHED:
    case TRACE_FETCHED:
        take_delivered(self, step);
        break;
    case TRACE_HANDSHAKE_FAILED:
        put_instant(self, &self->connections, step);
        break;
    default:
        put_instant(self, track_of(self, KIND_USERS, &step->user), step);
    }
}

static void put_lost(perfetto_t *self, uint64_t dropped)
{
    track_t *track = &self->connections;
    track->end_ns = not_before(self->last_ns, track->end_ns);
    begin_event(self, "i", track->kind, track->id);
    put_time(self, "ts", track->end_ns);
    fprintf(
        self->out,
        ",\"s\":\"g\",\"cat\":\"lost\",\"name\":\"steps were lost\",\"args\":{\"count\":%" PRIu64
        "}}",
        dropped);
}

static bool put_ending(perfetto_t *self)
{
    return fputs(ending, self->out) != EOF && fflush(self->out) == 0;
}

bool perfetto_add(perfetto_t *self, const trace_record_t *steps, size_t count, uint64_t dropped)
{
    if (dropped > 0)
        put_lost(self, dropped);
    for (size_t i = 0; i < count; i++)
        take_step(self, &steps[i]);
    if (!self->is_seekable)
        return !ferror(self->out);
    /* The next steps are written over the ending. */
    return put_ending(self) && fseek(self->out, -(long)(sizeof ending - 1), SEEK_CUR) == 0;
}

bool perfetto_finish(perfetto_t *self)
{
    if (turn_is_waiting(&self->turn))
        end_request(self, 0, NULL);
    return put_ending(self);
}

perfetto_t *perfetto_new(FILE *out)
{
    perfetto_t *self = mem_zalloc(1, sizeof *self);
    *self = (perfetto_t){.out = out,
                         .is_seekable = ftell(out) >= 0,
                         .next_track = TRACK_CONNECTIONS + 1,
                         .next_flow = 1,
                         .store = {.kind = KIND_BROKER, .id = TRACK_STORE},
                         .connections = {.kind = KIND_BROKER, .id = TRACK_CONNECTIONS},
                         .groups = message_map_new(TRACKS_KNOWN, sizeof(track_t)),
                         .users = message_map_new(TRACKS_KNOWN, sizeof(track_t)),
                         .messages = message_map_new(MESSAGES_KNOWN, sizeof(place_t))};
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    put_metadata(self, "process", KIND_BROKER, TRACK_STORE, "broker", 1);
    put_metadata(self, "thread", KIND_BROKER, TRACK_STORE, "store", 1);
    put_metadata(self, "thread", KIND_BROKER, TRACK_CONNECTIONS, "connections", 2);
    put_metadata(self, "process", KIND_GROUPS, 0, "groups", 2);
    put_metadata(self, "process", KIND_USERS, 0, "users", 3);
    return self;
}

void perfetto_destroy(perfetto_t **self)
{
    perfetto_t *dead = *self;
    if (!dead)
        return;
    message_map_destroy(&dead->groups);
    message_map_destroy(&dead->users);
    message_map_destroy(&dead->messages);
    free(dead);
    *self = NULL;
}
