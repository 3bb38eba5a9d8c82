/* SPDX-License-Identifier: MPL-2.0 */
/* Samples are drawn as in Vitter's algorithm R, so that each message of a tick has the same chance.
 */
#include "broker/http/activity.h"

#include "broker/json.h"
#include "broker/trace/names.h"
#include "proto/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    name_t name; /* empty: all others */
    uint64_t sent;
    uint64_t pushed;
    uint64_t fetched;
} group_count_t;

typedef struct {
    trace_record_t *items;
    size_t capacity;
    uint64_t offered;
} sample_t;

/* One step, with those like it that followed at once. */
typedef struct {
    trace_record_t record;
    uint64_t times;
} step_t;

struct activity {
    uint64_t lost;
    uint64_t by_step[TRACE_STEP_COUNT];
    uint64_t pushed; /* events, to each member */
    uint64_t fetched;
    uint64_t received_bytes;
    group_count_t groups[ACTIVITY_GROUPS];
    size_t group_count;
    group_count_t others;
    trace_record_t send_items[ACTIVITY_SENDS];
    trace_record_t push_items[ACTIVITY_PUSHES];
    sample_t sends;
    sample_t pushes;
    step_t steps[ACTIVITY_STEPS]; /* a ring */
    uint64_t step_count;
    uint64_t random;
    trace_record_t message;
    bool has_message;
};

static void begin_tick(activity_t *self)
{
    self->lost = self->pushed = self->fetched = self->received_bytes = 0;
    memset(self->by_step, 0, sizeof self->by_step);
    self->group_count = 0;
    self->others = (group_count_t){0};
    self->sends = (sample_t){.items = self->send_items, .capacity = ACTIVITY_SENDS};
    self->pushes = (sample_t){.items = self->push_items, .capacity = ACTIVITY_PUSHES};
    self->step_count = 0;
}

activity_t *activity_new(void)
{
    activity_t *self = mem_zalloc(1, sizeof *self);
    begin_tick(self);
    return self;
}

void activity_destroy(activity_t **self)
{
    free(*self);
    *self = NULL;
}

/* --- Taking records --------------------------------------------------------------------------- */

static group_count_t *count_of(activity_t *self, const name_t *group)
{
    for (size_t i = 0; i < self->group_count; i++) {
        if (name_equal(&self->groups[i].name, group)) {
            return &self->groups[i];
        }
    }
    if (self->group_count == ACTIVITY_GROUPS) {
        return &self->others;
    }
    group_count_t *added = &self->groups[self->group_count++];
    *added = (group_count_t){.name = *group};
    return added;
}

/* Which one is drawn is for the eye only: any generator will do. */
static uint64_t draw(activity_t *self, uint64_t below)
{
    self->random = self->random * 6364136223846793005u + 1442695040888963407u;
    return (self->random >> 33) % below;
}

static void offer(activity_t *self, sample_t *sample, const trace_record_t *record)
{
    uint64_t place = sample->offered++;
    if (place >= sample->capacity) {
        place = draw(self, sample->offered);
    }
    if (place < sample->capacity) {
        sample->items[place] = *record;
    }
}

static bool is_poll(uint64_t verb)
{
    return verb == VERB_poll_messages || verb == VERB_poll_keys || verb == VERB_poll_joins ||
           verb == VERB_poll_leaves;
}

/* Polls come all the time and cursors move with them: they would be all that one sees. */
static bool is_worth_a_line(const trace_record_t *record)
{
    bool is_routine =
        is_poll(record->verb) && record->step != TRACE_REFUSED && record->step != TRACE_FETCHED;
    return !is_routine && record->step != TRACE_CURSOR_MOVED;
}

static bool is_alike(const trace_record_t *a, const trace_record_t *b)
{
    return a->step == b->step && a->step == TRACE_PUSHED && a->sequence == b->sequence &&
           name_equal(&a->group, &b->group);
}

static void take_step(activity_t *self, const trace_record_t *record)
{
    if (!is_worth_a_line(record)) {
        return;
    }
    step_t *last =
        self->step_count > 0 ? &self->steps[(self->step_count - 1) % ACTIVITY_STEPS] : NULL;
    if (last && is_alike(&last->record, record)) {
        last->times++;
    } else {
        self->steps[self->step_count++ % ACTIVITY_STEPS] = (step_t){*record, 1};
    }
}

static void take(activity_t *self, const trace_record_t *record)
{
    if (record->step >= TRACE_STEP_COUNT) {
        return;
    }
    self->by_step[record->step]++;
    switch (record->step) {
    case TRACE_RECEIVED:
        self->received_bytes += record->size_bytes;
        break;
    case TRACE_APPENDED:
        count_of(self, &record->group)->sent++;
        offer(self, &self->sends, record);
        if (record->verb == VERB_send) {
            self->message = *record;
            self->has_message = true;
        }
        break;
    case TRACE_PUSHED:
        self->pushed += record->count;
        count_of(self, &record->group)->pushed += record->count;
        offer(self, &self->pushes, record);
        break;
    case TRACE_FETCHED:
        self->fetched += record->count;
        count_of(self, &record->group)->fetched += record->count;
        offer(self, &self->pushes, record);
        break;
    default:
        break;
    }
    take_step(self, record);
}

void activity_take(activity_t *self, const trace_record_t *records, size_t count, uint64_t lost)
{
    self->lost += lost;
    for (size_t i = 0; i < count; i++) {
        take(self, &records[i]);
    }
}

bool activity_last_message(activity_t *self, trace_record_t *out)
{
    bool is_there = self->has_message;
    *out = self->message;
    self->has_message = false;
    return is_there;
}

/* --- The tick as JSON ------------------------------------------------------------------------- */

static void write_times(json_t *json, const char *key, const histogram_counts_t *counts)
{
    json_key(json, key);
    json_object(json);
    json_put_number(json, "n", counts->total);
    json_put_number(json, "p50", histogram_quantile_us(counts, 500));
    json_put_number(json, "p90", histogram_quantile_us(counts, 900));
    json_put_number(json, "p99", histogram_quantile_us(counts, 990));
    json_end(json);
}

static void write_group(json_t *json, const group_count_t *group)
{
    json_object(json);
    json_put_text(json, "name", group->name.text);
    json_put_number(json, "sent", group->sent);
    json_put_number(json, "pushed", group->pushed);
    json_put_number(json, "fetched", group->fetched);
    json_end(json);
}

static void write_groups(const activity_t *self, json_t *json)
{
    json_key(json, "groups");
    json_array(json);
    for (size_t i = 0; i < self->group_count; i++) {
        write_group(json, &self->groups[i]);
    }
    json_end(json);
    json_key(json, "others");
    write_group(json, &self->others);
}

static void write_sample(json_t *json, const char *key, const sample_t *sample)
{
    size_t count = sample->offered < sample->capacity ? (size_t)sample->offered : sample->capacity;
    json_key(json, key);
    json_array(json);
    for (size_t i = 0; i < count; i++) {
        const trace_record_t *record = &sample->items[i];
        json_object(json);
        json_put_text(json, "user", record->user.text);
        json_put_text(json, "group", record->group.text);
        json_put_number(json, "sequence", record->sequence);
        json_put_text(json, "how",
                      record->step == TRACE_APPENDED ? verb_name(record->verb)
                                                     : trace_step_name(record->step));
        json_end(json);
    }
    json_end(json);
}

static void write_step(json_t *json, const step_t *step)
{
    const trace_record_t *record = &step->record;
    json_object(json);
    json_put_number(json, "time_us", record->time_us);
    json_put_text(json, "step", trace_step_name(record->step));
    json_put_text(json, "verb", record->verb ? verb_name(record->verb) : "");
    json_put_text(json, "user", record->user.text);
    json_put_text(json, "group", record->group.text);
    json_put_text(json, "status", record->status ? status_name((status_t)record->status) : "");
    json_put_text(json, "reason", trace_reason_name(record->reason));
    json_put_number(json, "sequence", record->sequence);
    json_put_number(json, "bytes", record->size_bytes);
    json_put_number(json, "count", record->count);
    json_put_number(json, "duration_us", record->duration_us);
    json_put_number(json, "times", step->times);
    json_end(json);
}

static void write_steps(const activity_t *self, json_t *json)
{
    uint64_t first = self->step_count > ACTIVITY_STEPS ? self->step_count - ACTIVITY_STEPS : 0;
    json_key(json, "steps");
    json_array(json);
    for (uint64_t i = first; i < self->step_count; i++) {
        write_step(json, &self->steps[i % ACTIVITY_STEPS]);
    }
    json_end(json);
}

static void write_counts(const activity_t *self, json_t *json)
{
    json_key(json, "counts");
    json_object(json);
    json_put_number(json, "requests", self->by_step[TRACE_RECEIVED]);
    json_put_number(json, "refused", self->by_step[TRACE_REFUSED]);
    json_put_number(json, "appended", self->by_step[TRACE_APPENDED]);
    json_put_number(json, "pushed", self->pushed);
    json_put_number(json, "fetched", self->fetched);
    json_put_number(json, "dropped", self->by_step[TRACE_PUSH_DROPPED]);
    json_put_number(json, "handshakes_failed", self->by_step[TRACE_HANDSHAKE_FAILED]);
    json_put_number(json, "received_bytes", self->received_bytes);
    json_end(json);
}

void activity_write(activity_t *self, uint64_t now_ms, const activity_times_t *times, buffer_t *out)
{
    json_t json = json_of(out);
    json_object(&json);
    json_put_number(&json, "time_ms", now_ms);
    json_put_number(&json, "lost", self->lost);
    write_counts(self, &json);
    write_times(&json, "requests", &times->requests);
    write_times(&json, "writes", &times->writes);
    write_groups(self, &json);
    write_sample(&json, "sends", &self->sends);
    write_sample(&json, "deliveries", &self->pushes);
    write_steps(self, &json);
    json_end(&json);
    begin_tick(self);
}
