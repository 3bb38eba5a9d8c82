/* SPDX-License-Identifier: MPL-2.0 */
/* The mail's bytes. */
#include "client/core/mail.h"

void mail_write(const mail_t *self, buffer_t *out)
{
    buffer_u8(out, (uint8_t)self->kind);
    buffer_append(out, self->group, GROUP_ID_BYTES);
    buffer_lp(out, self->name.text, name_size(&self->name));
    buffer_u64(out, self->number);
    buffer_u32(out, (uint32_t)self->status);
    buffer_u64(out, self->state.ready);
    buffer_u64(out, self->state.last_joins_ms);
    buffer_u64(out, self->state.last_leaves_ms);
    buffer_u64(out, self->state.waiting_joins);
    buffer_u64(out, self->state.waiting_leaves);
    trace_context_pack(&self->trace, buffer_extend(out, TRACE_CONTEXT_BYTES));
    buffer_lp(out, self->bytes.data, self->bytes.size);
}

void mail_send(const mail_t *self, effects_t *effects)
{
    buffer_t bytes = {0};
    mail_write(self, &bytes);
    frames_add(&effects->mail, 0, &bytes);
}

static status_t read_name(reader_t *in, name_t *out)
{
    uint32_t size = reader_u32(in);
    const uint8_t *text = reader_take(in, size);
    *out = (name_t){0};
    return text && size ? name_set(out, (const char *)text, size) : STATUS_OK;
}

status_t mail_read(mail_t *out, bytes_t bytes)
{
    *out = (mail_t){0};
    reader_t in = reader_of(bytes.data, bytes.size);
    uint8_t kind = reader_u8(&in);
    reader_copy(&in, out->group, GROUP_ID_BYTES);
    status_t status = read_name(&in, &out->name);
    if (status)
        return status;
    out->number = reader_u64(&in);
    out->status = (status_t)reader_u32(&in);
    out->state.ready = reader_u64(&in);
    out->state.last_joins_ms = reader_u64(&in);
    out->state.last_leaves_ms = reader_u64(&in);
    out->state.waiting_joins = reader_u64(&in);
    out->state.waiting_leaves = reader_u64(&in);
    bytes_t trace = {reader_take(&in, TRACE_CONTEXT_BYTES), TRACE_CONTEXT_BYTES};
    if (trace.data)
        (void)trace_context_unpack(&out->trace, trace); /* most mail has none */
    out->bytes.size = reader_u32(&in);
    out->bytes.data = reader_take(&in, out->bytes.size);
    out->kind = (mail_kind_t)kind;
    if (!reader_done(&in) || kind < MAIL_CREATE || kind > MAIL_ALARM) {
        *out = (mail_t){0};
        return STATUS_MALFORMED;
    }
    return STATUS_OK;
}

void mail_waiting_write(const mail_waiting_t *self, buffer_t *out)
{
    name8_write(out, &self->name);
    buffer_u64(out, self->task);
    buffer_u64(out, self->since_ms);
    buffer_append(out, self->identity_key, KEY_BYTES);
}

bool mail_waiting_read(mail_waiting_t *out, reader_t *in)
{
    *out = (mail_waiting_t){0};
    if (!in->left)
        return false;
    out->name = name8_read(in);
    out->task = reader_u64(in);
    out->since_ms = reader_u64(in);
    reader_copy(in, out->identity_key, KEY_BYTES);
    return reader_ok(in);
}
