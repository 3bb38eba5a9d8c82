/* SPDX-License-Identifier: MPL-2.0 */
/* Lines of history: stored at once, shown in order. A line whose sender isn't proven yet holds back
 * those after it for a while. */
#include "client/core/member.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define UNSHOWN_NOTICE 0
#define UNSHOWN_COUNTS 1

void queued_line_wipe(queued_line_t *line)
{
    buffer_wipe(&line->row);
    *line = (queued_line_t){0};
}

/* Looks for the last line that stands at one place, on disk and among this step's writes. */
typedef struct {
    row_key_t place;
    unsigned next;
} last_sub_t;

static void count_sub(last_sub_t *self, bytes_t key)
{
    if (key.size == self->place.size + 1 &&
        !memcmp(key.data, self->place.bytes, self->place.size) &&
        key.data[self->place.size] >= self->next)
        self->next = key.data[self->place.size] + 1u;
}

static bool visit_stored_sub(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    count_sub(context, key);
    return false; /* the last one comes first */
}

static void visit_written_sub(void *context, bytes_t key, bytes_t value, bool is_prefix)
{
    if (value.data && !is_prefix)
        count_sub(context, key);
}

static uint8_t free_sub(member_core_t *self, const group_t *group, uint64_t sequence)
{
    last_sub_t last = {.place = row_key_of_number(ROW_LINE, group->id, sequence)};
    if (vault_range(self->vault, row_key_view(&last.place), (bytes_t){0}, true, visit_stored_sub,
                    &last))
        member_fatal(self, STATUS_DAMAGED_FILE, "stored lines can't be read");
    writes_each(&self->effects->writes, visit_written_sub, &last);
    return last.next < UINT8_MAX ? (uint8_t)last.next : UINT8_MAX;
}

/* Mostly at the log's end, where the group knows it; what was resolved late stands before. */
static uint8_t next_sub(member_core_t *self, group_t *group, uint64_t sequence)
{
    if (sequence < group->sub_sequence)
        return free_sub(self, group, sequence);
    if (sequence > group->sub_sequence) {
        group->sub_sequence = sequence;
        group->next_sub = 0;
    }
    group->is_dirty = true;
    return group->next_sub < UINT8_MAX ? group->next_sub++ : UINT8_MAX;
}

static void mark_unshown(member_core_t *self, group_t *group, const local_line_record_t *line,
                         uint8_t sub)
{
    bool counts = line->kind == LINE_MESSAGE && !line->mine;
    row_key_t key = row_key_of_line(ROW_UNSHOWN, group->id, line->sequence, sub);
    uint8_t value = counts ? UNSHOWN_COUNTS : UNSHOWN_NOTICE;
    writes_put(&self->effects->writes, row_key_view(&key), (bytes_t){&value, 1});
    group->unread += counts;
}

static void enqueue(group_t *group, uint64_t sequence, uint8_t sub, buffer_t *row)
{
    if (group->queue_count == group->queue_capacity) {
        group->queue_capacity = group->queue_capacity ? 2 * group->queue_capacity : 16;
        group->queue = mem_realloc(group->queue, group->queue_capacity, sizeof *group->queue);
    }
    group->queue[group->queue_count++] = (queued_line_t){sequence, sub, *row};
    *row = (buffer_t){0}; /* transferred */
}

/* Lines from first on, count of them, to one screen. */
static void push_lines(member_core_t *self, const group_t *group, uint64_t screen,
                       const queued_line_t *first, size_t count, bool late)
{
    local_line_record_t lines[LINES_PER_PUSH];
    while (count) {
        size_t filled = 0;
        for (; count && filled < LINES_PER_PUSH; first++, count--) {
            local_line_record_t *line = &lines[filled];
            *line = (local_line_record_t){.group_name = group->name};
            memcpy(line->group, group->id, GROUP_ID_BYTES);
            if (!line_row_read(line, buffer_view(&first->row)))
                filled++;
        }
        local_line_push_t push = {.late = late, .lines = {lines, filled}};
        buffer_t frame = {0};
        local_write_push(&frame, LOCAL_VERB_line, ++self->push_count, &push);
        frames_add(&self->effects->screens, screen, &frame);
    }
}

static void push_to_all(member_core_t *self, const group_t *group, const queued_line_t *first,
                        size_t count, bool late)
{
    for (size_t i = 0; i < self->screen_count; i++)
        if (screen_wants(&self->screens[i], group))
            push_lines(self, group, self->screens[i].id, first, count, late);
}

static queued_line_t *find_queued(group_t *group, uint64_t sequence, uint8_t sub)
{
    for (size_t i = 0; i < group->queue_count; i++)
        if (group->queue[i].sequence == sequence && group->queue[i].sub == sub)
            return &group->queue[i];
    return NULL;
}

uint8_t member_line(member_core_t *self, group_t *group, local_line_record_t *line,
                    const uint8_t *replaces)
{
    uint8_t sub = replaces ? *replaces : next_sub(self, group, line->sequence);
    if (sub == UINT8_MAX)
        return sub; /* nobody needs that many notices of one event */
    memcpy(line->group, group->id, GROUP_ID_BYTES);
    buffer_t row = {0};
    line_row_write(line, &row);
    row_key_t key = row_key_of_line(ROW_LINE, group->id, line->sequence, sub);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&row));
    if (line->kind == LINE_MESSAGE && member_is_ignored(self, &line->sender)) {
        buffer_wipe(&row);
        return sub;
    }
    mark_unshown(self, group, line, sub);
    queued_line_t *queued = replaces ? find_queued(group, line->sequence, sub) : NULL;
    if (queued) {
        buffer_wipe(&queued->row);
        queued->row = row;
    } else if (replaces) {
        queued_line_t late = {line->sequence, sub, row};
        push_to_all(self, group, &late, 1, true);
        queued_line_wipe(&late);
    } else {
        enqueue(group, line->sequence, sub, &row);
    }
    return sub;
}

uint8_t member_notice(member_core_t *self, group_t *group, uint64_t sequence, uint64_t time_ms,
                      const char *notice, const name_t *who, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    local_line_record_t line = {.kind = LINE_NOTICE, .sequence = sequence, .time_ms = time_ms};
    line.epoch = group->keys ? group_state_epoch(group->keys) : 0;
    line.notice = text_of(notice);
    line.reason = text_of(reason);
    if (who)
        line.who = *who;
    return member_line(self, group, &line, NULL);
}

/* Lines from this sequence on wait. */
static uint64_t release_bound(member_core_t *self, group_t *group)
{
    for (size_t i = 0; i < group->waiting_count; i++) {
        waiting_t *waiting = &group->waiting[i];
        if (waiting->patience_ms <= self->now.boot_ms)
            waiting->is_released = true;
        if (!waiting->is_released)
            return waiting->sequence;
    }
    return UINT64_MAX;
}

void member_lines_release(member_core_t *self)
{
    for (size_t i = 0; i < self->group_count; i++) {
        group_t *group = self->groups[i];
        if (!group->queue_count)
            continue;
        uint64_t bound = release_bound(self, group);
        size_t ready = 0;
        while (ready < group->queue_count && group->queue[ready].sequence < bound)
            ready++;
        if (!ready)
            continue;
        push_to_all(self, group, group->queue, ready, false);
        for (size_t k = 0; k < ready; k++)
            queued_line_wipe(&group->queue[k]);
        group->queue_count -= ready;
        memmove(group->queue, group->queue + ready, group->queue_count * sizeof *group->queue);
    }
}

uint64_t member_lines_deadline(const member_core_t *self)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < self->group_count; i++) {
        const group_t *group = self->groups[i];
        for (size_t k = 0; group->queue_count && k < group->waiting_count; k++)
            if (!group->waiting[k].is_released && group->waiting[k].patience_ms < deadline)
                deadline = group->waiting[k].patience_ms;
    }
    return deadline;
}

/* A visit that collects rows of lines. */
typedef struct {
    member_core_t *self;
    group_t *group;
    queued_line_t *lines;
    size_t count, capacity, limit;
    bool has_more, failed;
} collection_t;

static void collect(collection_t *to, uint64_t sequence, uint8_t sub, bytes_t row)
{
    if (to->count == to->capacity) {
        to->capacity = to->capacity ? 2 * to->capacity : 64;
        to->lines = mem_realloc(to->lines, to->capacity, sizeof *to->lines);
    }
    queued_line_t *line = &to->lines[to->count++];
    *line = (queued_line_t){.sequence = sequence, .sub = sub};
    buffer_append(&line->row, row.data, row.size);
}

static void collection_wipe(collection_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        queued_line_wipe(&self->lines[i]);
    free(self->lines);
}

static bool visit_unshown(void *context, bytes_t key, bytes_t value)
{
    (void)value;
    collection_t *to = context;
    bytes_t tail = row_key_tail(key);
    if (tail.size != 9 || find_queued(to->group, get_u64(tail.data), tail.data[8]))
        return true;
    collect(to, get_u64(tail.data), tail.data[8], (bytes_t){0});
    return true;
}

static size_t collect_unshown(collection_t *to)
{
    row_key_t prefix = row_key_of_group(ROW_UNSHOWN, to->group->id);
    if (vault_range(to->self->vault, row_key_view(&prefix), (bytes_t){0}, false, visit_unshown, to))
        to->failed = true;
    for (size_t i = 0; i < to->count; i++) {
        row_key_t key =
            row_key_of_line(ROW_LINE, to->group->id, to->lines[i].sequence, to->lines[i].sub);
        status_t status = vault_get(to->self->vault, row_key_view(&key), &to->lines[i].row);
        if (status && status != STATUS_NOT_FOUND)
            to->failed = true;
    }
    return to->count;
}

void member_subscribe(member_core_t *self, uint64_t screen, uint64_t request,
                      const local_subscribe_request_t *body)
{
    screen_state_t *state = member_screen(self, screen, true);
    free(state->groups);
    state->is_subscribed = true;
    state->is_all = !body->groups.count;
    state->group_count = body->groups.count;
    state->groups = mem_alloc(body->groups.count * sizeof *state->groups);
    for (size_t i = 0; i < body->groups.count; i++)
        state->groups[i] = body->groups.items[i].name;
    local_subscribe_reply_t reply = {0};
    collection_t *found = mem_zalloc(self->group_count, sizeof *found);
    for (size_t i = 0; body->unshown && i < self->group_count; i++) {
        found[i] = (collection_t){.self = self, .group = self->groups[i]};
        if (screen_wants(state, self->groups[i]))
            reply.backlog += collect_unshown(&found[i]);
        if (found[i].failed)
            member_fatal(self, STATUS_DAMAGED_FILE, "stored lines can't be read");
    }
    member_reply(self, screen, request, LOCAL_VERB_subscribe, STATUS_OK, &reply);
    for (size_t i = 0; body->unshown && i < self->group_count; i++) {
        push_lines(self, self->groups[i], screen, found[i].lines, found[i].count, false);
        collection_wipe(&found[i]);
    }
    free(found);
}

static bool visit_shown(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    group_t *group = context;
    if (value.size == 1 && value.data[0] == UNSHOWN_COUNTS && group->unread)
        group->unread--;
    return true;
}

void member_shown(member_core_t *self, uint64_t screen, uint64_t request,
                  const local_shown_request_t *body)
{
    status_t status = STATUS_OK;
    for (size_t i = 0; i < body->lines.count && !status; i++) {
        const local_line_id_record_t *line = &body->lines.items[i];
        group_t *group = member_group(self, line->group);
        bool is_repeated = i && !memcmp(line, line - 1, sizeof *line);
        if (!group || is_repeated)
            continue;
        row_key_t key = row_key_of_number(ROW_UNSHOWN, group->id, line->sequence);
        status =
            vault_range(self->vault, row_key_view(&key), (bytes_t){0}, false, visit_shown, group);
        writes_delete_prefix(&self->effects->writes, row_key_view(&key));
    }
    member_reply(self, screen, request, LOCAL_VERB_shown, status, NULL);
}

static bool visit_history(void *context, bytes_t key, bytes_t value)
{
    collection_t *to = context;
    bytes_t tail = row_key_tail(key);
    local_line_record_t line = {0};
    if (tail.size != 9 || line_row_read(&line, value)) {
        to->failed = true;
        return false;
    }
    if (line.kind == LINE_MESSAGE && member_is_ignored(to->self, &line.sender))
        return true;
    if (to->count == to->limit) {
        to->has_more = true;
        return false;
    }
    collect(to, get_u64(tail.data), tail.data[8], value);
    return true;
}

void member_history(member_core_t *self, uint64_t screen, uint64_t request,
                    const local_history_request_t *body)
{
    group_t *group = member_group_named(self, &body->name);
    if (!group) {
        member_refuse(self, screen, request, LOCAL_VERB_history, STATUS_UNKNOWN_GROUP, NULL);
        return;
    }
    size_t limit = body->last && body->last < 1000 ? (size_t)body->last : 1000;
    collection_t found = {.self = self, .group = group, .limit = limit};
    row_key_t prefix = row_key_of_group(ROW_LINE, group->id);
    row_key_t start = row_key_of_line(ROW_LINE, group->id, body->before - 1, UINT8_MAX);
    bytes_t from = body->before ? row_key_view(&start) : (bytes_t){0};
    status_t status =
        vault_range(self->vault, row_key_view(&prefix), from, true, visit_history, &found);
    if (!status && found.failed)
        status = STATUS_DAMAGED_FILE;
    local_line_record_t *lines = mem_zalloc(found.count, sizeof *lines);
    for (size_t i = 0; i < found.count; i++) {
        local_line_record_t *line = &lines[i];
        line->group_name = group->name;
        memcpy(line->group, group->id, GROUP_ID_BYTES);
        if (line_row_read(line, buffer_view(&found.lines[found.count - 1 - i].row)))
            status = STATUS_DAMAGED_FILE;
    }
    local_history_reply_t reply = {.lines = {lines, found.count}, .more = found.has_more};
    member_reply(self, screen, request, LOCAL_VERB_history, status, status ? NULL : &reply);
    free(lines);
    collection_wipe(&found);
}
