/* SPDX-License-Identifier: MPL-2.0 */
/* What time does to stored state. A failed read leaves the work for the next time. */
#include "broker/rules/sweep.h"

#include "broker/rules/cache.h"
#include "broker/rules/fanout.h"
#include "broker/rules/hold.h"
#include "broker/rules/storage.h"

#include <string.h>

/* Work of one step. A few events are deleted one by one, many as a range: ranges cost readers until
 * they are compacted. */
enum {
    GROUPS_A_STEP = 16,
    AGED_A_STEP = 1024,
    MEMBERS_A_STEP = 256,
    CURSORS_A_FLUSH = 1024,
    SINGLE_DELETES_MAX = 256,
    COMMITS_KEPT = 2 * TRANSCRIPTS_KEPT
};

void sweep_flush_cursors(rules_t *self)
{
    pointers_t *dirty = &self->dirty_cursors;
    for (size_t done = 0; dirty->count > 0 && done < CURSORS_A_FLUSH; done++) {
        member_t *member = dirty->items[--dirty->count];
        member->cursor_dirty = false;
        if (member_is_current(member))
            save_cursor(self, member->group->id, &member->name, member->cursor);
    }
}

void sweep_hold_times(rules_t *self)
{
    void *cursor = NULL;
    for (group_t *group; (group = table_next(self->groups, &cursor));) {
        if (group->head.leaves_due == 0 || group->hold_told || hold_is_on(self, group))
            continue;
        group->hold_told = true;
        fanout_nudge_members(self, group);
    }
}

typedef struct {
    uint64_t least;
    uint64_t enough; /* one at or below this, and there is nothing to do */
    bool damaged;
} least_cursor_t;

static bool find_least(void *context, const store_record_t *record)
{
    least_cursor_t *least = context;
    uint64_t cursor;
    least->damaged = !number_record_read(&cursor, record_value(record));
    if (cursor < least->least)
        least->least = cursor;
    return !least->damaged && least->least > least->enough;
}

typedef struct {
    uint64_t cutoff_ms;
    uint64_t kept; /* the first that isn't too old */
} aged_t;

static bool find_aged(void *context, const store_record_t *record)
{
    aged_t *aged = context;
    event_t event;
    if (!event_read(&event, record_value(record)) || event.time_ms >= aged->cutoff_ms)
        return false;
    aged->kept = get_u64(record->key + record->key_size - 8) + 1;
    return true;
}

/* The first event that must stay. */
static uint64_t find_kept(rules_t *self, const group_t *group)
{
    const head_t *head = &group->head;
    least_cursor_t least = {.least = head->sequence, .enough = head->first_sequence - 1};
    store_key_t cursors = key_of_group(KEY_CURSOR, group->id);
    if (visit_prefix(self, &cursors, NULL, 0, find_least, &least) != STATUS_OK)
        return head->first_sequence;
    if (least.damaged) /* whose, is not known: only age sweeps */
        least.least = least.enough;
    aged_t aged = {.kept = head->first_sequence};
    store_key_t events = key_of_group(KEY_EVENT, group->id), from = events;
    key_u64(&from, head->first_sequence);
    if (self->now_ms > self->config.retention_ms) {
        aged.cutoff_ms = self->now_ms - self->config.retention_ms;
        if (visit_prefix(self, &events, &from, AGED_A_STEP, find_aged, &aged) != STATUS_OK)
            return head->first_sequence;
    }
    return aged.kept > least.least + 1 ? aged.kept : least.least + 1;
}

static void erase_events(rules_t *self, const uint8_t *group, uint64_t from, uint64_t to)
{
    store_key_t first = key_of_group(KEY_EVENT, group), end = first;
    if (to - from > SINGLE_DELETES_MAX) {
        key_u64(&first, from);
        key_u64(&end, to);
        overlay_delete_range(self->overlay, first.bytes, first.size, end.bytes, end.size);
        return;
    }
    for (; from < to; from++) {
        store_key_t key = key_of_group(KEY_EVENT, group);
        key_u64(&key, from);
        erase(self, &key);
    }
}

/* Commits are remembered a while longer than their events, for the sake of retries. */
static void sweep_commits(rules_t *self, const group_t *group)
{
    if (group->head.epoch <= COMMITS_KEPT)
        return;
    store_key_t from = key_of_group(KEY_COMMIT, group->id), to = from;
    key_u64(&to, group->head.epoch - COMMITS_KEPT);
    overlay_delete_range(self->overlay, from.bytes, from.size, to.bytes, to.size);
}

static void sweep_events(rules_t *self, group_t *group)
{
    head_t *head = &group->head;
    if (head->first_sequence > head->sequence)
        return;
    uint64_t kept = find_kept(self, group);
    if (kept <= head->first_sequence)
        return;
    erase_events(self, group->id, head->first_sequence, kept);
    sweep_commits(self, group);
    self->counters.events_swept += kept - head->first_sequence;
    head->first_sequence = kept;
    cache_group_changed(self, group);
}

typedef struct {
    store_key_t keys[MEMBERS_A_STEP];
    name_t names[MEMBERS_A_STEP];
    size_t count;
} names_t;

static bool collect_name(void *context, const store_record_t *record)
{
    names_t *names = context;
    reader_t in =
        reader_of(record->key + 1 + GROUP_ID_BYTES, record->key_size - 1 - GROUP_ID_BYTES);
    names->keys[names->count] = key_of_record(record);
    names->names[names->count++] = name8_read(&in);
    return names->count < MEMBERS_A_STEP;
}

/* Erases records `G U` with their counterparts `U G` and the welcomes that still wait, some at a
 * time. True when none is left. */
static bool erase_by_name(rules_t *self, const group_t *group, int kind, int counterpart)
{
    names_t *names = rules_lend(self, sizeof *names);
    store_key_t prefix = key_of_group(kind, group->id);
    if (visit_prefix(self, &prefix, NULL, MEMBERS_A_STEP, collect_name, names) != STATUS_OK)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        store_key_t other = key_of_name_group(counterpart, &names->names[i], group->id);
        store_key_t welcomes = key_of_name_group(KEY_WELCOME, &names->names[i], group->id);
        erase(self, &names->keys[i]);
        erase(self, &other);
        if (erase_prefix(self, &welcomes) != STATUS_OK)
            return false;
    }
    return names->count < MEMBERS_A_STEP;
}

static void sweep_ended(rules_t *self, group_t *group)
{
    /* A clock that was set back makes nothing older. */
    uint64_t ended_ms = group->head.last_ms;
    if (group->dirty || self->now_ms < ended_ms ||
        self->now_ms - ended_ms < self->config.retention_ms)
        return;
    if (!erase_by_name(self, group, KEY_JOIN, KEY_ASKED) ||
        !erase_by_name(self, group, KEY_MEMBER, KEY_FORMER))
        return;
    static const int kinds[] = {KEY_COMMIT, KEY_EVENT, KEY_LEAF,     KEY_NODE, KEY_SENT,
                                KEY_CURSOR, KEY_LEAVE, KEY_RESTORED, KEY_HEAD};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        store_key_t from = key_of_group(kinds[i], group->id);
        uint8_t end[sizeof from.bytes];
        size_t end_size = store_prefix_end(from.bytes, from.size, end);
        overlay_delete_range(self->overlay, from.bytes, from.size, end, end_size);
    }
    group->swept = true;
}

typedef struct {
    uint8_t ids[GROUPS_A_STEP][GROUP_ID_BYTES];
    size_t count;
} step_t;

static bool collect_group(void *context, const store_record_t *record)
{
    step_t *step = context;
    memcpy(step->ids[step->count++], record->key + 1, GROUP_ID_BYTES);
    return step->count < GROUPS_A_STEP;
}

void sweep_step(rules_t *self)
{
    step_t step = {.count = 0};
    store_key_t prefix = key_of_kind(KEY_HEAD);
    store_key_t from = key_of_group(KEY_HEAD, self->sweep_group);
    key_u8(&from, 0); /* just behind the last one */
    status_t status = visit_prefix(self, &prefix, self->sweep_begun ? &from : NULL, GROUPS_A_STEP,
                                   collect_group, &step);
    if (status != STATUS_OK)
        return;
    for (size_t i = 0; i < step.count; i++) {
        group_t *group;
        if (cache_group(self, step.ids[i], true, &group) != STATUS_OK)
            continue;
        if (group->head.ended)
            sweep_ended(self, group);
        else
            sweep_events(self, group);
    }
    self->sweep_begun = step.count == GROUPS_A_STEP;
    if (self->sweep_begun)
        memcpy(self->sweep_group, step.ids[step.count - 1], GROUP_ID_BYTES);
}
