/* SPDX-License-Identifier: MPL-2.0 */
/* The groups whose key tree this user holds: made, kept, loaded, forgotten. */
#include "client/core/admin.h"

#include <stdlib.h>
#include <string.h>

#include "proto/memory.h"

#define ADMIN_ROW_FORMAT 1

admin_group_t *admin_group(admin_core_t *self, const uint8_t id[static GROUP_ID_BYTES])
{
    for (size_t i = 0; i < self->group_count; i++)
        if (!memcmp(self->groups[i]->id, id, GROUP_ID_BYTES))
            return self->groups[i];
    return NULL;
}

static admin_group_t *add(admin_core_t *self, const uint8_t id[static GROUP_ID_BYTES])
{
    if (self->group_count == self->group_capacity) {
        self->group_capacity = self->group_capacity ? 2 * self->group_capacity : 8;
        self->groups = mem_realloc(self->groups, self->group_capacity, sizeof *self->groups);
    }
    admin_group_t *group = mem_zalloc(1, sizeof *group);
    memcpy(group->id, id, GROUP_ID_BYTES);
    self->groups[self->group_count++] = group;
    return group;
}

void admin_duties_clear(admin_group_t *group, uint64_t task)
{
    size_t kept = 0;
    for (size_t i = 0; i < group->duty_count; i++) {
        if (group->duties[i].task == task)
            buffer_free(&group->duties[i].bytes);
        else
            group->duties[kept++] = group->duties[i];
    }
    group->duty_count = kept;
}

void admin_duty_add(admin_group_t *group, uint64_t task, const name_t *name, uint64_t since_ms,
                    bytes_t bytes)
{
    if (group->duty_count == group->duty_capacity) {
        group->duty_capacity = group->duty_capacity ? 2 * group->duty_capacity : 8;
        group->duties = mem_realloc(group->duties, group->duty_capacity, sizeof *group->duties);
    }
    duty_t *duty = &group->duties[group->duty_count++];
    *duty = (duty_t){.task = task, .name = *name, .since_ms = since_ms};
    buffer_append(&duty->bytes, bytes.data, bytes.size);
}

void admin_group_destroy(admin_group_t *group)
{
    admin_duties_clear(group, TASK_JOINS);
    admin_duties_clear(group, TASK_LEAVES);
    free(group->duties);
    buffer_free(&group->request);
    holder_destroy(&group->holder);
    prepared_commit_destroy(&group->prepared);
    free(group);
}

void admin_group_drop(admin_core_t *self, admin_group_t *group)
{
    static const row_kind_t kinds[] = {ROW_ADMIN, ROW_HOLDER, ROW_COMMIT};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        row_key_t prefix = row_key_of_group(kinds[i], group->id);
        writes_delete_prefix(&self->effects->writes, row_key_view(&prefix));
    }
    self->effects->writes.erases_keys = true;
    for (size_t i = 0; i < self->group_count; i++)
        if (self->groups[i] == group)
            self->groups[i] = self->groups[--self->group_count];
    admin_group_destroy(group);
}

void admin_group_row_write(const admin_group_t *group, buffer_t *out)
{
    buffer_u8(out, ADMIN_ROW_FORMAT);
    name8_write(out, &group->name);
    buffer_u8(out, group->is_creating);
    buffer_u64(out, group->hold_ms);
    buffer_lp(out, group->request.data, group->request.size);
}

status_t admin_group_row_read(admin_group_t *group, bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > ADMIN_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    group->name = name8_read(&in);
    group->is_creating = reader_u8(&in);
    group->hold_ms = reader_u64(&in);
    uint32_t size = reader_u32(&in);
    const uint8_t *request = reader_take(&in, size);
    if (!reader_done(&in))
        return STATUS_DAMAGED_FILE;
    if (size)
        buffer_append(&group->request, request, size);
    return STATUS_OK;
}

void admin_group_save(admin_core_t *self, admin_group_t *group)
{
    writes_t *writes = &self->effects->writes;
    rows_target_t target = {writes, ROW_HOLDER, group->id};
    holder_save(group->holder, vault_put_key_row, &target);
    row_key_t key = row_key_of_group(ROW_ADMIN, group->id);
    buffer_t value = {0};
    admin_group_row_write(group, &value);
    writes_put(writes, row_key_view(&key), buffer_view(&value));
    buffer_free(&value);
}

void admin_create(admin_core_t *self, const mail_t *mail)
{
    admin_group_t *group = admin_group(self, mail->group);
    if (group && !group->is_creating) {
        mail_t answer = {.kind = MAIL_CREATED};
        memcpy(answer.group, mail->group, GROUP_ID_BYTES);
        mail_send(&answer, self->effects);
    }
    if (group || !name_size(&mail->name))
        return;
    group = add(self, mail->group);
    group->name = mail->name;
    group->is_creating = true;
    group->hold_ms = mail->number;
    group->trace = mail->trace;
    buffer_append(&group->request, mail->bytes.data, mail->bytes.size);
    group->holder = holder_new(group->id, &group->name, self->identity);
    served_request_t creator;
    status_t status = holder_check_request(group->holder, mail->bytes, &creator);
    if (!status) {
        admin_prepare_first(self, group, &creator);
        admin_group_save(self, group);
        return;
    }
    mail_t answer = {.kind = MAIL_CREATED, .status = status};
    memcpy(answer.group, group->id, GROUP_ID_BYTES);
    mail_send(&answer, self->effects);
    admin_group_drop(self, group);
}

/* One pass over rows. */
typedef struct {
    admin_core_t *self;
    admin_group_t *group;
    status_t status;
} load_t;

static bool load_group(void *context, bytes_t key, bytes_t value)
{
    load_t *load = context;
    const uint8_t *id = row_key_group(key);
    load->status = id ? admin_group_row_read(add(load->self, id), value) : STATUS_DAMAGED_FILE;
    return !load->status;
}

static bool load_holder(void *context, bytes_t key, bytes_t value)
{
    load_t *load = context;
    load->status = holder_load_row(load->group->holder, row_key_tail(key), value);
    return !load->status;
}

static status_t scan(load_t *load, bytes_t prefix, vault_visit_fn *visit)
{
    status_t status = vault_range(load->self->vault, prefix, (bytes_t){0}, false, visit, load);
    return status ? status : load->status;
}

static status_t load_prepared(admin_core_t *self, admin_group_t *group)
{
    row_key_t key = row_key_of_group(ROW_COMMIT, group->id);
    buffer_t value = {0};
    status_t status = vault_get(self->vault, row_key_view(&key), &value);
    if (!status)
        status = prepared_commit_read(&group->prepared, buffer_view(&value));
    buffer_wipe(&value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The head row comes first, then the others. */
static status_t load_tree(admin_core_t *self, admin_group_t *group)
{
    load_t load = {.self = self, .group = group};
    group->holder = holder_load_new();
    static const char kinds[] = "hkre";
    status_t status = STATUS_OK;
    for (const char *kind = kinds; *kind && !status; kind++) {
        row_key_t prefix = row_key_of_group(ROW_HOLDER, group->id);
        prefix.bytes[prefix.size++] = (uint8_t)*kind;
        status = scan(&load, row_key_view(&prefix), load_holder);
    }
    if (!status)
        status = holder_load_end(group->holder);
    return status ? status : load_prepared(self, group);
}

status_t admin_load(admin_core_t *self)
{
    status_t status = vault_check_format(self->vault, VAULT_OF_ADMIN, &self->vault_is_new);
    load_t load = {.self = self};
    row_key_t prefix = row_key(ROW_ADMIN);
    if (!status)
        status = scan(&load, row_key_view(&prefix), load_group);
    for (size_t i = 0; i < self->group_count && !status; i++)
        status = load_tree(self, self->groups[i]);
    return status;
}
