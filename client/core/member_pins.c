/* SPDX-License-Identifier: MPL-2.0 */
/* Names and the keys they had when first seen, and whom the user ignores. */
#include <string.h>

#include "client/core/member.h"
#include "proto/memory.h"

#define PIN_ROW_FORMAT 1

pin_t *member_pin(member_core_t *self, const name_t *name)
{
    for (size_t i = 0; i < self->pin_count; i++)
        if (name_equal(&self->pins[i].name, name))
            return &self->pins[i];
    return NULL;
}

static pin_t *pin_make(member_core_t *self, const name_t *name)
{
    pin_t *pin = member_pin(self, name);
    if (pin)
        return pin;
    if (self->pin_count == self->pin_capacity) {
        self->pin_capacity = self->pin_capacity ? 2 * self->pin_capacity : 16;
        self->pins = mem_realloc(self->pins, self->pin_capacity, sizeof *self->pins);
    }
    pin = &self->pins[self->pin_count++];
    *pin = (pin_t){.name = *name};
    return pin;
}

static void pin_save(member_core_t *self, const pin_t *pin)
{
    row_key_t key = row_key_of_name(ROW_PIN, &pin->name);
    buffer_t value = {0};
    pin_row_write(pin, &value);
    writes_put(&self->effects->writes, row_key_view(&key), buffer_view(&value));
    buffer_free(&value);
}

status_t member_pin_check(member_core_t *self, const name_t *name,
                          const uint8_t key[static KEY_BYTES])
{
    pin_t *pin = pin_make(self, name);
    if (pin->is_known)
        return memcmp(pin->identity_key, key, KEY_BYTES) ? STATUS_KEY_CHANGED : STATUS_OK;
    memcpy(pin->identity_key, key, KEY_BYTES);
    pin->is_known = true;
    pin_save(self, pin);
    return STATUS_OK;
}

void member_pin_ignore(member_core_t *self, const name_t *name, bool on)
{
    pin_t *pin = pin_make(self, name);
    pin->is_ignored = on;
    pin_save(self, pin);
}

bool member_is_ignored(member_core_t *self, const name_t *name)
{
    const pin_t *pin = member_pin(self, name);
    return pin && pin->is_ignored;
}

void pin_row_write(const pin_t *pin, buffer_t *out)
{
    buffer_u8(out, PIN_ROW_FORMAT);
    name8_write(out, &pin->name);
    buffer_append(out, pin->identity_key, KEY_BYTES);
    buffer_u8(out, pin->is_known);
    buffer_u8(out, pin->is_ignored);
}

status_t pin_row_read(pin_t *pin, bytes_t bytes)
{
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t format = reader_u8(&in);
    if (reader_ok(&in) && format > PIN_ROW_FORMAT)
        return STATUS_NEWER_FORMAT;
    pin->name = name8_read(&in);
    reader_copy(&in, pin->identity_key, KEY_BYTES);
    pin->is_known = reader_u8(&in);
    pin->is_ignored = reader_u8(&in);
    return reader_done(&in) ? STATUS_OK : STATUS_DAMAGED_FILE;
}
