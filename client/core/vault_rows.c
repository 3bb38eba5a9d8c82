/* SPDX-License-Identifier: MPL-2.0 */
/* Keys of the cores' vaults. */
#include "client/core/vault_rows.h"

#include <string.h>

row_key_t row_key(row_kind_t kind)
{
    row_key_t key = {.size = 1};
    key.bytes[0] = (uint8_t)kind;
    return key;
}

row_key_t row_key_of_group(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES])
{
    row_key_t key = row_key(kind);
    memcpy(key.bytes + 1, group, GROUP_ID_BYTES);
    key.size += GROUP_ID_BYTES;
    return key;
}

row_key_t row_key_of_number(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES],
                            uint64_t number)
{
    row_key_t key = row_key_of_group(kind, group);
    put_u64(key.bytes + key.size, number);
    key.size += 8;
    return key;
}

row_key_t row_key_of_line(row_kind_t kind, const uint8_t group[static GROUP_ID_BYTES],
                          uint64_t sequence, uint8_t sub)
{
    row_key_t key = row_key_of_number(kind, group, sequence);
    key.bytes[key.size++] = sub;
    return key;
}

row_key_t row_key_of_name(row_kind_t kind, const name_t *name)
{
    row_key_t key = row_key(kind);
    memcpy(key.bytes + 1, name->text, name_size(name));
    key.size += name_size(name);
    return key;
}

bytes_t row_key_view(const row_key_t *self)
{
    return (bytes_t){self->bytes, self->size};
}

bytes_t row_key_tail(bytes_t key)
{
    if (key.size <= 1 + GROUP_ID_BYTES)
        return (bytes_t){0};
    return (bytes_t){key.data + 1 + GROUP_ID_BYTES, key.size - 1 - GROUP_ID_BYTES};
}

const uint8_t *row_key_group(bytes_t key)
{
    return key.size < 1 + GROUP_ID_BYTES ? NULL : key.data + 1;
}

status_t vault_check_format(vault_t *vault, vault_kind_t kind, bool *is_new)
{
    row_key_t key = row_key(ROW_FORMAT);
    buffer_t value = {0};
    *is_new = false;
    status_t status = vault_get(vault, row_key_view(&key), &value);
    if (status == STATUS_NOT_FOUND) {
        *is_new = true;
        return STATUS_OK;
    }
    if (status)
        return status;
    reader_t in = reader_of(value.data, value.size);
    uint8_t found = reader_u8(&in);
    uint32_t format = reader_u32(&in);
    if (!reader_done(&in) || found != kind)
        status = STATUS_DAMAGED_FILE;
    else if (format > VAULT_FORMAT)
        status = STATUS_NEWER_FORMAT;
    buffer_free(&value);
    return status;
}

void vault_write_format(writes_t *writes, vault_kind_t kind)
{
    row_key_t key = row_key(ROW_FORMAT);
    uint8_t value[5] = {(uint8_t)kind};
    put_u32(value + 1, VAULT_FORMAT);
    writes_put(writes, row_key_view(&key), (bytes_t){value, sizeof value});
}

void vault_put_key_row(void *context, row_change_t change, bytes_t key, bytes_t value)
{
    const rows_target_t *target = context;
    row_key_t full = row_key_of_group(target->kind, target->group);
    if (key.size > sizeof full.bytes - full.size)
        return;
    if (key.size)
        memcpy(full.bytes + full.size, key.data, key.size);
    full.size += key.size;
    if (change == ROW_PUT)
        writes_put(target->writes, row_key_view(&full), value);
    else if (change == ROW_DELETE)
        writes_delete(target->writes, row_key_view(&full));
    else
        writes_delete_prefix(target->writes, row_key_view(&full));
    target->writes->erases_keys = true;
}
