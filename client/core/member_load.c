/* SPDX-License-Identifier: MPL-2.0 */
/* Everything a member holds, read back from its vault. */
#include <stdlib.h>
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

/* One pass over the rows of a kind. */
typedef struct {
    member_core_t *self;
    group_t *group;
    status_t status;
} load_t;

static bool load_group(void *context, bytes_t key, bytes_t value)
{
    load_t *load = context;
    name_t none = {0};
    const uint8_t *id = row_key_group(key);
    if (!id) {
        load->status = STATUS_DAMAGED_FILE;
        return false;
    }
    group_t *group = member_group_add(load->self, id, &none);
    load->status = group_row_read(group, value);
    group->is_dirty = false;
    return !load->status;
}

static bool load_pin(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    member_core_t *self = load->self;
    if (self->pin_count == self->pin_capacity) {
        self->pin_capacity = self->pin_capacity ? 2 * self->pin_capacity : 16;
        self->pins = mem_realloc(self->pins, self->pin_capacity, sizeof *self->pins);
    }
    self->pins[self->pin_count] = (pin_t){0};
    load->status = pin_row_read(&self->pins[self->pin_count++], value);
    return !load->status;
}

static bool load_keys(void *context, bytes_t key, bytes_t value)
{
    load_t *load = context;
    if (!load->group->keys)
        load->group->keys = group_state_load_new();
    load->status = group_state_load_row(load->group->keys, row_key_tail(key), value);
    return !load->status;
}

static bool load_known(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    group_t *group = load->group;
    if (group->known_count == group->known_capacity) {
        group->known_capacity = group->known_capacity ? 2 * group->known_capacity : 8;
        group->known = mem_realloc(group->known, group->known_capacity, sizeof *group->known);
    }
    group->known[group->known_count] = (known_member_t){0};
    load->status = known_row_read(&group->known[group->known_count++], value);
    return !load->status;
}

static bool load_waiting(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    group_t *group = load->group;
    if (group->waiting_count == group->waiting_capacity) {
        group->waiting_capacity = group->waiting_capacity ? 2 * group->waiting_capacity : 8;
        group->waiting =
            mem_realloc(group->waiting, group->waiting_capacity, sizeof *group->waiting);
    }
    load->status = waiting_row_read(&group->waiting[group->waiting_count++], value);
    return !load->status;
}

static bool load_try(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    group_t *group = load->group;
    if (!group->tries)
        group->tries = mem_zalloc(JOIN_TRIES_MAX, sizeof *group->tries);
    if (group->try_count == JOIN_TRIES_MAX) {
        load->status = STATUS_DAMAGED_FILE;
        return false;
    }
    load->status = join_row_read(&group->tries[group->try_count++], value);
    return !load->status;
}

static bool load_outbox(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    group_t *group = load->group;
    if (group->outbox_count == group->outbox_capacity) {
        group->outbox_capacity = group->outbox_capacity ? 2 * group->outbox_capacity : 8;
        group->outbox = mem_realloc(group->outbox, group->outbox_capacity, sizeof *group->outbox);
    }
    load->status = outbox_row_read(&group->outbox[group->outbox_count++], value);
    return !load->status;
}

static bool count_unshown(void *context, bytes_t key, bytes_t value)
{
    (void)key;
    load_t *load = context;
    load->group->unread += value.size == 1 && value.data[0];
    return true;
}

static status_t scan(load_t *load, bytes_t prefix, vault_visit_fn *visit)
{
    load->status = STATUS_OK;
    status_t status = vault_range(load->self->vault, prefix, (bytes_t){0}, false, visit, load);
    return status ? status : load->status;
}

static status_t scan_group(member_core_t *self, group_t *group, row_kind_t kind,
                           vault_visit_fn *visit)
{
    load_t load = {.self = self, .group = group};
    row_key_t prefix = row_key_of_group(kind, group->id);
    return scan(&load, row_key_view(&prefix), visit);
}

/* The head row comes first; the others follow in the vault's order. */
static status_t load_group_keys(member_core_t *self, group_t *group)
{
    if (group->phase != GROUP_ACTIVE && group->phase != GROUP_LEAVING)
        return STATUS_OK;
    row_key_t head = row_key_of_group(ROW_KEYS, group->id);
    head.bytes[head.size++] = 'h';
    buffer_t value = {0};
    status_t status = vault_get(self->vault, row_key_view(&head), &value);
    load_t load = {.group = group};
    if (status == STATUS_NOT_FOUND && group->phase == GROUP_LEAVING)
        return STATUS_OK; /* leaving after the keys were lost */
    if (!status)
        load_keys(&load, row_key_view(&head), buffer_view(&value));
    buffer_wipe(&value);
    if (status || load.status)
        return status == STATUS_NOT_FOUND ? STATUS_DAMAGED_FILE : status ? status : load.status;
    static const char others[] = "enc";
    for (const char *kind = others; *kind && !status; kind++) {
        row_key_t prefix = row_key_of_group(ROW_KEYS, group->id);
        prefix.bytes[prefix.size++] = (uint8_t)*kind;
        load_t rows = {.self = self, .group = group};
        status = scan(&rows, row_key_view(&prefix), load_keys);
    }
    return status ? status : group_state_load_end(group->keys);
}

static status_t load_rest(member_core_t *self, group_t *group)
{
    status_t status = load_group_keys(self, group);
    if (!status)
        status = scan_group(self, group, ROW_MEMBER, load_known);
    if (!status)
        status = scan_group(self, group, ROW_WAITING, load_waiting);
    if (!status)
        status = scan_group(self, group, ROW_JOIN, load_try);
    if (!status)
        status = scan_group(self, group, ROW_OUTBOX, load_outbox);
    if (!status)
        status = scan_group(self, group, ROW_UNSHOWN, count_unshown);
    return status;
}

status_t member_load(member_core_t *self)
{
    status_t status = vault_check_format(self->vault, VAULT_OF_MEMBER, &self->vault_is_new);
    load_t load = {.self = self};
    row_key_t groups = row_key(ROW_GROUP), pins = row_key(ROW_PIN);
    if (!status)
        status = scan(&load, row_key_view(&groups), load_group);
    if (!status)
        status = scan(&load, row_key_view(&pins), load_pin);
    for (size_t i = 0; i < self->group_count && !status; i++)
        status = load_rest(self, self->groups[i]);
    return status;
}
