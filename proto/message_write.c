/* SPDX-License-Identifier: MPL-2.0 */
/* From structs to MessagePack: the outer array of each kind, then the fields as their table says.
 */
#include <msgpack/pack.h>
#include <string.h>

#include "proto/message_fields.h"

/* Stands for a body that is not given: all zero. */
static const message_t nothing;

static int append(void *out, const char *bytes, size_t size)
{
    buffer_append(out, bytes, size);
    return 0;
}

static msgpack_packer packer_of(buffer_t *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    return packer;
}

static void pack_bytes(msgpack_packer *packer, const void *data, size_t size)
{
    msgpack_pack_bin(packer, size);
    msgpack_pack_bin_body(packer, data, size);
}

static void pack_text(msgpack_packer *packer, const char *data, size_t size)
{
    msgpack_pack_str(packer, size);
    msgpack_pack_str_body(packer, data, size);
}

static void pack_record(msgpack_packer *packer, const message_shape_t *shape, const uint8_t *body);

static void pack_list(msgpack_packer *packer, const message_field_t *field, const uint8_t *at)
{
    const message_shape_t *record = field->record();
    message_list_t list;
    memcpy(&list, at, sizeof list);
    msgpack_pack_array(packer, list.count);
    const uint8_t *items = list.items;
    for (size_t i = 0; i < list.count; i++)
        pack_record(packer, record, items + i * record->size);
}

static void pack_field(msgpack_packer *packer, const message_field_t *field, const uint8_t *at)
{
    uint64_t number;
    bytes_t bytes;
    text_t text;
    switch (field->kind) {
    case FIELD_U64:
        memcpy(&number, at, sizeof number);
        msgpack_pack_uint64(packer, number);
        break;
    case FIELD_FIXED:
        pack_bytes(packer, at, field->max);
        break;
    case FIELD_BYTES:
        memcpy(&bytes, at, sizeof bytes);
        pack_bytes(packer, bytes.data, bytes.size);
        break;
    case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        pack_text(packer, text.data, text.size);
        break;
    case FIELD_NAME:
        pack_text(packer, (const char *)at, strnlen((const char *)at, NAME_MAX_BYTES));
        break;
    case FIELD_LIST:
        pack_list(packer, field, at);
        break;
    }
}

static void pack_record(msgpack_packer *packer, const message_shape_t *shape, const uint8_t *body)
{
    msgpack_pack_array(packer, shape->count);
    for (size_t i = 0; i < shape->count; i++)
        pack_field(packer, &shape->fields[i], body + shape->fields[i].offset);
}

static void pack_body(msgpack_packer *packer, message_kind_t kind, verb_t verb, const void *body)
{
    const message_shape_t *shape = message_shape(kind, verb);
    if (!shape)
        msgpack_pack_array(packer, 0);
    else
        pack_record(packer, shape, body ? body : &nothing.body);
}

void message_shape_write(buffer_t *out, const message_shape_t *shape, const void *body)
{
    msgpack_packer packer = packer_of(out);
    pack_record(&packer, shape, body);
}

static void pack_request_head(msgpack_packer *packer, verb_t verb, uint64_t id, bytes_t token,
                              text_t traceparent)
{
    msgpack_pack_array(packer, 6);
    msgpack_pack_uint8(packer, MESSAGE_REQUEST);
    msgpack_pack_uint64(packer, verb);
    msgpack_pack_uint64(packer, id);
    pack_bytes(packer, token.data, token.size);
    pack_text(packer, traceparent.data, traceparent.size);
}

void message_write_request(buffer_t *out, verb_t verb, uint64_t id, bytes_t token,
                           text_t traceparent, const void *body)
{
    msgpack_packer packer = packer_of(out);
    pack_request_head(&packer, verb, id, token, traceparent);
    pack_body(&packer, MESSAGE_REQUEST, verb, body);
}

void message_write_reply(buffer_t *out, verb_t verb, uint64_t id, status_t status, const void *body)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_array(&packer, 5);
    msgpack_pack_uint8(&packer, MESSAGE_REPLY);
    msgpack_pack_uint64(&packer, verb);
    msgpack_pack_uint64(&packer, id);
    msgpack_pack_uint64(&packer, (uint64_t)status);
    pack_body(&packer, MESSAGE_REPLY, verb, body);
}

void message_write_push(buffer_t *out, verb_t verb, uint64_t number, const void *body)
{
    msgpack_packer packer = packer_of(out);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_uint8(&packer, MESSAGE_PUSH);
    msgpack_pack_uint64(&packer, verb);
    msgpack_pack_uint64(&packer, number);
    pack_body(&packer, MESSAGE_PUSH, verb, body);
}

void message_write_request_body(buffer_t *out, verb_t verb, const void *body)
{
    msgpack_packer packer = packer_of(out);
    pack_body(&packer, MESSAGE_REQUEST, verb, body);
}

void message_write_request_around(buffer_t *out, verb_t verb, uint64_t id, bytes_t token,
                                  text_t traceparent, bytes_t body)
{
    msgpack_packer packer = packer_of(out);
    pack_request_head(&packer, verb, id, token, traceparent);
    buffer_append(out, body.data, body.size);
}
